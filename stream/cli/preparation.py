"""What has to be ready before an operation starts: trusted certificates and tags, from the files the user names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ...codec.errors import BadCertificateFile
from . import log, messages
from .evaluation import Evaluation
from .exit_codes import ExitCode
from .option_table import ENCODING

if TYPE_CHECKING:
    from .. import Trust


class Stop(Exception):
    """The program ends with `code`; everything there is to say has been said."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__(code)
        self.code = code


def load_trust(evaluation: Evaluation) -> Trust | None:
    """The trust anchors and helpers of ``--add-cert-file`` and ``--add-ucert-file``, None without any.

    A file that cannot be loaded gives a warning and is left out.
    """
    trusted, untrusted = tuple(evaluation.every("--add-cert-file")), tuple(evaluation.every("--add-ucert-file"))
    if not trusted and not untrusted:
        return None
    from .. import Encoding, Trust  # brings cryptography, which only these options need

    encoding = Encoding[evaluation.setting(ENCODING)]
    trust = Trust.NONE
    loaders = [(file, partial(Trust.load, trusted=[file])) for file in trusted]
    loaders += [(file, partial(Trust.load, untrusted=[file])) for file in untrusted]
    for file, load in loaders:
        try:
            trust += load(encoding=encoding)
        except BadCertificateFile as error:
            log.COMMAND.warning(messages.UNUSABLE_CERTIFICATE_FILE.format(file))
            log.COMMAND.debug(str(error))
    return trust


def load_tags(evaluation: Evaluation) -> tuple[int, ...] | None:
    """The tags of ``--tag-file`` and ``--tag``, None if neither is given. Raises Stop."""
    file = evaluation.single("--tag-file")
    selected = [] if file is None else _tags_of_file(file)
    texts = tuple(evaluation.every("--tag"))
    if file is None and not texts:
        return None
    from .tags import parse_tag

    for text in texts:
        tag = parse_tag(text)
        if tag is None:
            log.COMMAND.critical(messages.UNKNOWN_TAG.format(text))
            raise Stop(ExitCode.USAGE)
        selected.append(tag)
    return tuple(dict.fromkeys(selected))


def _tags_of_file(name: str) -> list[int]:
    from .tags import TagSyntaxError, parse_tag_file

    code = ExitCode.CANNOT_READ_TAG_FILE
    try:
        with open(name, "rb") as file:
            return list(parse_tag_file(file.read().decode("latin-1")))
    except TagSyntaxError as error:
        code = ExitCode.TAG_FILE_SYNTAX
        if error.name is not None:
            log.COMMAND.error(str(error))
        log.COMMAND.error(messages.TAG_FILE_SYNTAX.format(name))
    except (OSError, ValueError):  # ValueError: a NUL in the name
        log.COMMAND.error(messages.NO_TAG_FILE.format(name))
    log.COMMAND.critical(messages.TAG_FILE_GIVEN_UP.format(name))
    raise Stop(code)
