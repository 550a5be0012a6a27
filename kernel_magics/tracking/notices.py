"""Telling a person something without ever raising into their code."""

from __future__ import annotations

import sys
import warnings


class TracksideWarning(UserWarning):
    """Something could not be recorded as asked; the program goes on."""


def notice(message: str) -> None:
    """Show ``message`` as a warning; never raises, whatever the warning filters and ``stderr`` are.

    A filter that turns warnings into errors is meant for the user's own code, and must not end a training
    because a metric was not a number: the sentence goes to ``stderr`` then.
    """
    try:
        warnings.warn_explicit(message, TracksideWarning, filename="trackside", lineno=0)
    except Exception:  # noqa: BLE001 - a warnings filter, or a broken showwarning
        try:
            print(f"Trackside: {message}", file=sys.stderr)
        except Exception:  # noqa: BLE001, S110 - no usable stderr: there is nobody to tell
            pass
