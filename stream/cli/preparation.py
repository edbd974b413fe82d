"""What has to be ready before an operation starts: trusted certificates and tags, from the files the user names."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ...codec.errors import BadCertificateFile, BadPolicyFile, BadRevocationListFile
from . import log, messages, timestamping, values
from .evaluation import Evaluation
from .exit_codes import ExitCode
from .option_table import ENCODING

if TYPE_CHECKING:
    from .. import Dictionary, Encoding, Policy, Trust
    from .authority import Authority

_LONGEST_PASSWORD: Final = 1 << 16
"""Bytes of a password file that are looked at."""


_LONGEST_TAG_FILE: Final = 1 << 20
"""Bytes; as many data elements as can be signed have half of it."""


class Stop(Exception):
    """The program ends with `code`; everything there is to say has been said."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__(code)
        self.code = code


def load_trust(evaluation: Evaluation) -> Trust | None:
    """Whom the options of the certification authority block make trusted, None without any.

    A file that cannot be loaded gives a warning and is left out. A revocation list, or ``--enable-crl-vfy``, makes the
    signer's certificate be checked, as by dcmsign; the lists in certificate files alone do not.
    """
    given = [(option, name) for option in _TRUST_OPTIONS for name in evaluation.every(option)]
    check = evaluation.given("--enable-crl-vfy")
    if not given and not check:
        return None
    from .. import Encoding, RevocationCheck, Trust  # brings cryptography, which only these options need

    encoding = Encoding[evaluation.setting(ENCODING)]
    trust = Trust(revocation=RevocationCheck.SIGNER if check else RevocationCheck.NONE)
    for option, name in given:
        try:
            trust += _load_one(option, name, encoding)
        except (BadCertificateFile, BadRevocationListFile) as error:
            log.COMMAND.warning(_TRUST_OPTIONS[option].format(name))
            log.COMMAND.debug(str(error))
    return trust


_TRUST_OPTIONS: Final = {
    "--add-cert-file": messages.UNUSABLE_CERTIFICATE_FILE,
    "--add-ucert-file": messages.UNUSABLE_CERTIFICATE_FILE,
    "--add-cert-dir": messages.UNUSABLE_CERTIFICATE_DIRECTORY,
    "--add-crl-file": messages.UNUSABLE_REVOCATION_LIST,
}
"""In the order of evaluation, with the warnings."""


def _load_one(option: str, name: str, encoding: Encoding) -> Trust:
    from .. import RevocationCheck, Trust

    if option == "--add-cert-file":
        return Trust.load(trusted=[name], revocation=RevocationCheck.NONE, encoding=encoding)
    if option == "--add-ucert-file":
        return Trust.load(untrusted=[name], revocation=RevocationCheck.NONE, encoding=encoding)
    if option == "--add-crl-file":
        return Trust.load(revocation_lists=[name], revocation=RevocationCheck.SIGNER, encoding=encoding)
    if not name:
        raise BadCertificateFile("a directory without a name", path=name)
    from .. import CertificateDirectory

    # directories that do not exist are no fault; several are joined as in PATH
    folders = tuple(CertificateDirectory(folder, encoding) for folder in name.split(os.pathsep) if folder)
    return Trust(directories=folders, revocation=RevocationCheck.NONE)


def load_policy(evaluation: Evaluation) -> Policy | None:
    """What ``--policy`` asks, None without it; before anything else is read or asked for. Raises Stop."""
    name = evaluation.single("--policy")
    if name is None:
        return None
    from .. import Policy  # rarely used

    try:
        return Policy.load(name)
    except BadPolicyFile as error:
        log.COMMAND.critical(messages.UNUSABLE_POLICY.format(name=name, text=error.message))
        raise Stop(ExitCode.USAGE) from None


def load_authority(evaluation: Evaluation) -> Authority | None:
    """The time-stamping authority to ask, with password and trusted certificates; None if none is to be asked. Raises Stop.

    Unlike those for --verify, files that cannot be loaded are not left out.
    """
    if not timestamping.authority_urls(evaluation):
        return None
    user = evaluation.single("--ts-user")
    auth = None if user is None else (user, _authority_password(evaluation.single("--ts-password-file")))
    from .authority import authority  # without one there is nobody to ask

    return authority(evaluation, auth, _authority_trust(evaluation))


def _authority_password(file: str | None) -> str:
    """The first line of a file, or what stands in the environment."""
    try:
        if file is None:
            return os.environb[values.PASSWORD_VARIABLE.encode()].decode()
        with open(file, "rb") as lines:
            return lines.readline(_LONGEST_PASSWORD).rstrip(b"\r\n").decode()
    except UnicodeDecodeError:
        reason = messages.NOT_UTF8
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
    log.COMMAND.critical(messages.UNREADABLE_PASSWORD.format(text=reason, name=file or values.PASSWORD_VARIABLE))
    raise Stop(ExitCode.CANNOT_READ_INPUT)


def _authority_trust(evaluation: Evaluation) -> Trust | None:
    """Who may vouch for the authority, None without --ts-cert-file: then anybody may."""
    files = list(evaluation.every("--ts-cert-file"))
    if not files:
        return None
    from .. import Encoding, Trust

    try:
        # an authority's own certificate is not trusted for standing there, but tokens need not contain it then
        return Trust.load(trusted=files, untrusted=files, encoding=Encoding[evaluation.setting(ENCODING)])
    except BadCertificateFile as error:
        log.COMMAND.debug(str(error))
        log.COMMAND.critical(messages.UNREADABLE_CERTIFICATE.format(name=error.path))
        raise Stop(ExitCode.CANNOT_READ_INPUT) from None


def load_dictionary() -> tuple[Dictionary, bool]:
    """The data dictionary in effect, and whether it counts as loaded.

    That is the one in the files of DCMDICTPATH, or the built-in one if that is not set or empty. What is wrong with the files
    is told.
    """
    names = os.environ.get("DCMDICTPATH")
    if not names:
        from ...codec.dicom.dictionary import BUILT_IN

        return BUILT_IN, True
    from .. import load_dictionaries

    loaded = load_dictionaries(name for name in names.split(os.pathsep) if name)
    for problem in loaded.problems:
        log.DATA.error(messages.DICTIONARY.format(problem.message))
    return loaded.dictionary, loaded.complete


def create_dump(evaluation: Evaluation) -> None:
    """Create the file of ``--dump``, before anything is read. Raises Stop."""
    name = evaluation.single("--dump")
    if name is None:
        return
    try:
        open(name, "wb").close()
    except (OSError, ValueError):  # ValueError: a NUL in the name
        log.COMMAND.critical(messages.UNUSABLE_DUMP.format(name=name))
        raise Stop(ExitCode.CANNOT_WRITE_DUMP) from None


def load_tags(evaluation: Evaluation, dictionary: Callable[[], tuple[Dictionary, bool]]) -> tuple[int, ...] | None:
    """The tags of ``--tag-file`` and ``--tag``, None if neither is given; then nobody asks for the dictionary. Raises Stop."""
    file = evaluation.single("--tag-file")
    texts = tuple(evaluation.every("--tag"))
    if file is None and not texts:
        return None
    from .tags import parse_tag

    names, _ = dictionary()
    selected = [] if file is None else _tags_of_file(file, names)
    for text in texts:
        tag = parse_tag(text, names)
        if tag is None:
            log.COMMAND.critical(messages.UNKNOWN_TAG.format(text))
            raise Stop(ExitCode.USAGE)
        selected.append(tag)
    return tuple(selected)


def _tags_of_file(name: str, dictionary: Dictionary) -> list[int]:
    from .tags import TagSyntaxError, parse_tag_file

    code = ExitCode.CANNOT_READ_TAG_FILE
    try:
        with open(name, "rb") as file:
            text = file.read(_LONGEST_TAG_FILE + 1)
        if len(text) <= _LONGEST_TAG_FILE:
            return list(parse_tag_file(text.decode("latin-1"), dictionary))
        log.COMMAND.debug(os.strerror(errno.EFBIG))
        log.COMMAND.error(messages.NO_TAG_FILE.format(name))
    except TagSyntaxError as error:
        code = ExitCode.TAG_FILE_SYNTAX
        if error.name is not None:
            log.COMMAND.error(str(error))
        log.COMMAND.error(messages.TAG_FILE_SYNTAX.format(name))
    except (OSError, ValueError):  # ValueError: a NUL in the name
        log.COMMAND.error(messages.NO_TAG_FILE.format(name))
    log.COMMAND.critical(messages.TAG_FILE_GIVEN_UP.format(name))
    raise Stop(code)
