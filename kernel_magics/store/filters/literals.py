"""What a literal means: a number, a moment, a span of time. ``None`` where it means nothing of the kind."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_SPAN = re.compile(r"([+-]?)(\d+(?:\.\d+)?)(s|m|h|d|w)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d))?)?(Z|[+-]\d\d:\d\d)?")
SPELLED = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""How the REST interface spells what JSON cannot; such a text counts as the number everywhere."""


def number(text: str) -> float | None:
    """``0.1``, ``1e-3``, ``nan``, ``-inf``."""
    if _NUMBER.fullmatch(text):
        return float(text)
    if text.lower() == "nan":
        return math.nan
    if _INFINITE.fullmatch(text):
        return -math.inf if text[0] == "-" else math.inf
    return None


def span(text: str) -> float | None:
    """``90``, ``90s``, ``1.5h``, ``2d``, ``1w``, in seconds."""
    found = _SPAN.fullmatch(text)
    if found is None:
        value = number(text)
        return None if value is None or not math.isfinite(value) else value
    return float(found[1] + found[2]) * _SECONDS[found[3]]


def moment(text: str, now: float) -> tuple[float, float] | None:
    """The beginning and the end of ``2026-11-01``, ``2026-11-01T14:30Z``, ``today``, ``yesterday``, ``now``,
    or ``-2d`` (so long ago), in seconds since the epoch. Without a zone it is local time.

    A day lasts a day, a minute a minute; the end does not belong to it.
    """
    word = text.lower()
    if word in ("today", "yesterday"):
        today = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
        first = today - timedelta(days=word == "yesterday")
        return first.timestamp(), (first + timedelta(days=1)).timestamp()
    if word == "now":
        return now, now
    ago = _SPAN.fullmatch(text)
    if ago is not None and ago[1] == "-":
        at = now - float(ago[2]) * _SECONDS[ago[3]]
        return at, at
    return _date(text)


def _date(text: str) -> tuple[float, float] | None:
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    try:
        numbers = [int(part) for part in found.groups(default="0")[:6]]
        zone = datetime.fromisoformat(f"2000-01-01T00:00{found[7]}").tzinfo if found[7] else None
        first = datetime(*numbers, tzinfo=zone)  # type: ignore[arg-type, misc]  # six numbers
        length = timedelta(days=1) if not found[4] else timedelta(seconds=1 if found[6] else 60)
        return first.timestamp(), (first + length).timestamp()
    except (ValueError, OverflowError):
        return None
