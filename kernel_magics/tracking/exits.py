"""How this process ends: by which exception, if by one.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

import atexit
import sys
from types import TracebackType
from typing import Any, Callable, Optional, Type

ExceptHook = Callable[[Type[BaseException], BaseException, Optional[TracebackType]], Any]

_error: Optional[BaseException] = None
_hooked = False


def hook(finish: Callable[[Optional[BaseException]], None]) -> None:
    """Have ``finish`` called when the interpreter ends, with the exception that nobody caught or the
    ``SystemExit`` of ``sys.exit()``. Only the first call counts."""
    global _hooked
    if _hooked:
        return
    _hooked = True
    atexit.register(lambda: finish(_error))
    sys.excepthook = _remembering(sys.excepthook)
    if "IPython" not in sys.modules:  # there sys.exit() in a cell ends the cell, not the process
        sys.exit = _remembering_exit(sys.exit)


def _remembering(previous: ExceptHook) -> ExceptHook:
    def excepthook(
        kind: Type[BaseException], error: BaseException, traceback: Optional[TracebackType]
    ) -> None:
        global _error
        if not hasattr(sys, "ps1"):  # at a prompt an exception does not end the process
            _error = error
        previous(kind, error, traceback)

    return excepthook


def _remembering_exit(previous: Callable[..., Any]) -> Callable[..., Any]:
    def exit(status: Any = None, /) -> None:
        global _error
        _error = SystemExit(status)
        previous(status)

    return exit
