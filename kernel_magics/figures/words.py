"""Values in words: numbers, durations, moments; never more digits than anybody reads."""

from __future__ import annotations

import json
import math
import time
import unicodedata
from collections.abc import Mapping
from typing import Any

from kernel_magics.model import RunInfo, RunStatus

LONGEST = 60
"""Characters of a value in a table."""
_OWN = ("local", "ssh")
"""Providers whose machines are somebody's own."""


def number(value: float) -> str:
    """Four significant digits, thin where it can be: ``0.0312``, ``1.204e-05``, ``12,000``."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}"


def difference(value: float, base: float) -> str:
    """How far a value is from another, ``−0.02 (−6.1 %)``; ``""`` when one of them is no finite number."""
    apart = value - base
    if not math.isfinite(apart):
        return ""
    if apart == 0:
        return "±0"
    share = f" ({_signed(float(f'{100 * apart / abs(base):.3g}'))} %)" if base else ""
    return _signed(apart) + share


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else '−'}{number(abs(value))}"


def value(item: Any) -> str:
    """A value of a config or a summary on one line; ``""`` for what is not there."""
    if isinstance(item, bool) or item is None:
        text = {True: "yes", False: "no", None: "none"}[item]
    elif isinstance(item, float):
        text = number(item)
    elif isinstance(item, str):
        text = item
    else:
        text = json.dumps(item, ensure_ascii=False)
    return flat_text(text)


def flat_text(text: str) -> str:
    """``text`` on one line, without control characters, of at most :data:`LONGEST` characters."""
    safe = "".join(letter if letter.isprintable() else " " for letter in text)
    return safe if len(safe) <= LONGEST else safe[: LONGEST - 1] + "…"


def look(text: str) -> str:
    """The same for texts that nobody can tell apart by looking, however their letters are composed."""
    return " ".join(unicodedata.normalize("NFC", flat_text(text)).split())


def duration(seconds: float | None) -> str:
    """``4.2 s``, ``3 min 05 s``, ``2 h 07 min``, ``3 d 04 h``; ``""`` when it is not known."""
    if seconds is None or seconds < 0 or not math.isfinite(seconds):
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    for size, name, next_size, next_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if seconds >= size:
            return f"{int(seconds // size)} {name} {int(seconds % size // next_size):02} {next_name}"
    return ""


def run_duration(run: RunInfo, now: float | None = None) -> str:
    """How long a run took, or has been running."""
    end = run.finished
    if end is None and run.status == RunStatus.RUNNING:
        end = time.time() if now is None else now
    return duration(None if end is None or not run.created else end - run.created)


def run_cost(run: RunInfo, now: float | None = None) -> str:
    """What a run cost, ``≈ $1.35``; for one on a leased machine without a price, that it is one's own or that
    the price is not known; else ``""``."""
    usd = run.cost_usd(time.time() if now is None else now)
    if usd is not None:
        return f"≈ ${usd:.2f}" if usd >= 0.005 or not usd else "< $0.01"
    price = run.facts.get("price")
    if not isinstance(price, Mapping):
        return ""
    return "own machine" if price.get("provider") in _OWN else "no price known"


def price_source(run: RunInfo) -> str:
    """Where the price of :func:`run_cost` comes from: ``≈ $2.70/h, price list coreweave, 2026-09-20``."""
    price = run.facts.get("price")
    if not isinstance(price, Mapping) or run.cost_usd(0.0) is None:
        return ""
    said = (f"≈ ${price['usd_per_hour']:.2f}/h", price.get("source"), price.get("as_of"))
    return ", ".join(str(part) for part in said if part)


def moment(seconds: float) -> str:
    """Local time, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else ""


def flatten(mapping: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted keys."""
    flat: dict[str, Any] = {}
    for key, item in mapping.items():
        if isinstance(item, Mapping) and item:
            flat.update(flatten(item, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = item
    return flat
