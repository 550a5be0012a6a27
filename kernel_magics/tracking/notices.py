"""Telling a person something without ever raising into their code, at the line of theirs that it is about."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import Optional

_OURS = f"{Path(__file__).absolute().parent.parent}{os.sep}"
_PYTHON = f"{Path(os.__file__).absolute().parent}{os.sep}"
_PROGRAMS = f"{Path(sys.executable or os.__file__).absolute().parent}{os.sep}"
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class TracksideWarning(UserWarning):
    """Something could not be recorded as asked; the program goes on."""


def notice(message: str) -> None:
    """Show ``message`` as a warning; never raises, whatever the warning filters and ``stderr`` are.

    It names the innermost line of the user's own code that led here; what a thread of ours has to say, and
    what a kernel does for a cell, names no line. A filter that turns warnings into errors is meant for the
    user's own code, and must not end a training because a metric was not a number: the sentence goes to
    ``stderr`` then.
    """
    try:
        frame = _users_frame(sys._getframe(1))
        if frame is None:
            warnings.warn_explicit(message, TracksideWarning, filename="trackside", lineno=0)
            return
        warnings.warn_explicit(
            message,
            TracksideWarning,
            filename=frame.f_code.co_filename,
            lineno=frame.f_lineno,
            module=str(frame.f_globals.get("__name__", "")) or None,
        )
    except Exception:  # noqa: BLE001 - a warnings filter, or a broken showwarning
        try:
            print(f"Trackside: {message}", file=sys.stderr)
        except Exception:  # noqa: BLE001, S110 - no usable stderr: there is nobody to tell
            pass


def _users_frame(frame: Optional[FrameType]) -> Optional[FrameType]:
    """The innermost frame of code that is neither ours, nor Python's, nor installed."""
    while frame is not None and not _is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def _is_users(filename: str) -> bool:
    """Whether code of this file is somebody's own; ``<stdin>`` and ``<string>`` are."""
    if filename.startswith("<frozen"):
        return False
    path = filename if filename.startswith("<") else str(Path(filename).absolute())
    return not path.startswith((_OURS, _PYTHON, _PROGRAMS)) and not any(part in path for part in _INSTALLED)
