"""The ``dcmsign`` command, a drop-in replacement for DCMTK's."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Sequence

from . import log, messages
from .command import run
from .exit_codes import ExitCode

__all__ = ["main"]

_COLLECT_AFTER = 50_000
"""Allocations between garbage collections; Python's 700 cost a small run a tenth of its time, in imports."""


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command line and return the exit code.

    `argv`: arguments without the program's name; None stands for those of the process. Messages go to standard error,
    answers and DICOM output for ``-`` to standard output. An unforeseen error gives one line and exit code 70, with
    ``-d`` the traceback too; an interrupt gives 130.
    """
    gc.set_threshold(_COLLECT_AFTER)
    _accept_any_name()
    with log.attached():
        try:
            return run(sys.argv[1:] if argv is None else argv)
        except KeyboardInterrupt:
            return ExitCode.INTERRUPTED
        except Exception as error:
            log.COMMAND.critical(
                messages.INTERNAL_ERROR.format(f"{type(error).__name__}: {error}".partition("\n")[0]),
                exc_info=log.shows(logging.DEBUG),
            )
            return ExitCode.INTERNAL


def _accept_any_name() -> None:
    # file names need not be text; they are printed as the bytes they are
    reconfigure = getattr(sys.stderr, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="surrogateescape")
