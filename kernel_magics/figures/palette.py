"""Colours of runs, the same as in the sidebar (``labextension/src/model/palette.ts``).

Eight colours that stay apart with normal vision, protanopia and deuteranopia (after Okabe and Ito, "Color
Universal Design"), times three dashes: 24 styles before two of a comparison look alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LIGHT = ("#0072b2", "#d55e00", "#00896b", "#c4569b", "#8a6d00", "#3d9bd9", "#5b3a9e", "#6b6b6b")
DARK = ("#4aa3e8", "#ff8a3d", "#2ecfa0", "#f08cc6", "#e8c547", "#9ddcff", "#a78bfa", "#b5b5b5")
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


def line_styles(run_ids: Sequence[str]) -> dict[str, LineStyle]:
    """A style for each run; earlier runs get the one they prefer, and no two share one while there are
    enough."""
    slots: dict[str, int] = {}
    for run_id in run_ids:
        if preferred_slot(run_id) not in slots.values():
            slots[run_id] = preferred_slot(run_id)
    for run_id in run_ids:
        if run_id not in slots:
            free = (slot for slot in range(STYLES) if slot not in slots.values())
            slots[run_id] = next(free, preferred_slot(run_id))
    return {run_id: _style(slots[run_id]) for run_id in run_ids}


def _style(slot: int) -> LineStyle:
    colour, dash = slot % len(LIGHT), slot // len(LIGHT)
    return LineStyle(LIGHT[colour], DARK[colour], _DASHES[dash])
