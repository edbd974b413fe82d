"""The ``dcmsign`` command, a drop-in replacement for DCMTK's.

What is imported here counts: until `start` has begun, an interrupt gives Python's traceback.
"""

from __future__ import annotations

import gc
import sys

from . import interrupts

TYPE_CHECKING = False  # that of typing, which takes long to load
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "start"]

_COLLECT_AFTER = 50_000
"""Allocations between garbage collections; Python's 700 cost a small run a tenth of its time, in imports."""


def start() -> int:
    """What the installed command does: `main` with the arguments of the process, which it ends with the exit code returned.

    An interrupt (SIGINT) gives 130 and no output, from the first moment to the last; in the same way SIGTERM gives 143, SIGHUP
    129.
    """
    interrupts.leave_at_once()
    gc.set_threshold(_COLLECT_AFTER)
    try:
        code = main()
        interrupts.ignore()
    except KeyboardInterrupt:
        interrupts.ignore()
        code = interrupts.exit_code()
    gc.freeze()  # at its end Python would look through everything that is loaded, more than once
    return code


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command line and return the exit code.

    `argv`: arguments without the program's name; None stands for those of the process. Messages go to standard error,
    answers and DICOM output for ``-`` to standard output. An unforeseen error gives one line and exit code 70, with
    ``-d`` the traceback too; an interrupt gives 130, what SIGTERM stops 143.
    """
    import logging

    from . import log, messages
    from .command import run
    from .exit_codes import ExitCode

    _accept_any_name()
    with log.attached():
        try:
            return run(sys.argv[1:] if argv is None else argv)
        except KeyboardInterrupt:
            return ExitCode(interrupts.exit_code())
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
