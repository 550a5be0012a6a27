"""What every benchmark script of this folder has in common: a measurement, and its command line."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Measurement = dict[str, Any]

AT_LEAST = ("points/s", "spikes", "MB/s", "messages/s", "frames/s")
"""Units of which more is better; a ratio says which way it goes with ``least``."""


def measurement(
    name: str, value: float, unit: str, budget: float, *, least: bool | None = None, **more: Any
) -> Measurement:
    """One figure beside its budget, and whether it is within; ``more`` are figures beside it."""
    at_least = unit in AT_LEAST if least is None else least
    within = value >= budget if at_least else value <= budget
    beside = {key: round(one, 3) if isinstance(one, float) else one for key, one in more.items()}
    return {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "budget": round(budget, 3),
        "least": at_least,
        "within": within,
        **beside,
    }


def beside_plain(
    name: str, value: float, unit: str, budget: float, plain: float, *, least: bool | None = None
) -> Measurement:
    """A figure of a provisioned kernel beside the same one of a plain kernel."""
    yardstick = {"plain kernel": round(plain, 3)}
    return measurement(name, value, unit, budget, least=least, yardstick=yardstick)


def seconds(act: Callable[[], Any]) -> float:
    """How long a call takes."""
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def command_line(about: str | None, run: Callable[[bool], list[Measurement]]) -> None:
    """``[--quick] [--json FILE]``: measures, prints a line each, and writes the figures when asked to."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, smaller sizes")
    parser.add_argument("--json", type=Path, help="write the measurements into this file")
    arguments = parser.parse_args()
    results = run(arguments.quick)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    known = ("name", "value", "unit", "budget", "least", "within")
    for one in results:
        mark = {True: "within", False: "OVER", None: ""}[one.get("within")]
        budget = f"{mark} {'≥' if one['least'] else '≤'} {one['budget']:,}" if "budget" in one else ""
        more = {key: figure for key, figure in one.items() if key not in known}
        print(f"{one['name']:58} {one['value']:>14,} {one['unit']:10} {budget:24} {more or ''}")
