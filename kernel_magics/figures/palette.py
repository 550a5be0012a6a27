"""Colours of runs, the same as in the panel (``labextension/src/model/palette.ts``); a golden file pins both.

Eight colours that stay apart with normal vision, protanopia and deuteranopia (after Okabe and Ito, "Color
Universal Design"), times three dashes: 24 styles before two of a comparison look alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kernel_magics.model import RunInfo

LIGHT = ("#1668dc", "#e8710a", "#0a8f50", "#d6559e", "#7a4510", "#2a9ab8", "#5a2ca0", "#5f6368")
DARK = ("#4c9bff", "#ff8a2b", "#34c380", "#f07cc0", "#fde24f", "#8ee3f5", "#8558e8", "#a8a8a8")
_DASHES = ("solid", "dashed", "dotted")
STYLES = len(LIGHT) * len(_DASHES)


@dataclass(frozen=True)
class LineStyle:
    """How a run is drawn, on a light and on a dark background."""

    light: str
    dark: str
    dash: str


def preferred_slot(run_id: str) -> int:
    """The slot of a run when nobody else has it: from its id alone (FNV-1a)."""
    digest = 0x811C9DC5
    for letter in run_id:
        digest = ((digest ^ ord(letter)) * 0x01000193) & 0xFFFFFFFF
    return digest % len(LIGHT)


def line_styles(
    run_ids: Sequence[str], chosen: Mapping[str, int | None] | None = None
) -> dict[str, LineStyle]:
    """A style for each run; earlier runs get the one they prefer, and no two share one while there are
    enough.

    Args:
        chosen: numbers of styles that somebody chose for runs.
    """
    fixed = {run_id: slot for run_id, slot in (chosen or {}).items() if slot is not None}
    slots = {run_id: fixed[run_id] for run_id in run_ids if run_id in fixed}
    for run_id in run_ids:
        if run_id not in slots and preferred_slot(run_id) not in slots.values():
            slots[run_id] = preferred_slot(run_id)
    for run_id in run_ids:
        if run_id not in slots:
            free = (slot for slot in range(STYLES) if slot not in slots.values())
            slots[run_id] = next(free, preferred_slot(run_id))
    return {run_id: _style(slots[run_id]) for run_id in run_ids}


def styles_of_runs(runs: Sequence[RunInfo]) -> dict[str, LineStyle]:
    """A style for each run of a comparison, by its id: the one somebody chose, or as :func:`line_styles`."""
    return line_styles([run.id for run in runs], {run.id: run.colour for run in runs})


def _style(slot: int) -> LineStyle:
    colour, dash = slot % len(LIGHT), slot // len(LIGHT) % len(_DASHES)
    return LineStyle(LIGHT[colour], DARK[colour], _DASHES[dash])
