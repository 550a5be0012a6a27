"""Colours of runs, the same as in the panel (``labextension/src/model/palette.ts``); a golden file pins both.

Eight colours that stay apart with normal vision, protanopia and deuteranopia (after Okabe and Ito, "Color
Universal Design"), times three dashes: 24 styles before two of a comparison look alike.

A run's style is, first of all, the one that somebody chose for it; else the one it has in the list of all
runs (:func:`list_slots`); and where an earlier run of a comparison has that already, the next that is free
(:func:`comparison_slots`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kernel_magics.model import RunInfo

from .view import View

if TYPE_CHECKING:
    from kernel_magics.store.store import Store

LIGHT = ("#1668dc", "#e8710a", "#0a8f50", "#d6559e", "#7a4510", "#2a9ab8", "#5a2ca0", "#5f6368")
DARK = ("#4c9bff", "#ff8a2b", "#34c380", "#f07cc0", "#fde24f", "#8ee3f5", "#8558e8", "#a8a8a8")
_DASHES = ("solid", "dashed", "dotted")
STYLES = len(LIGHT) * len(_DASHES)
NEAR = 4
"""So many runs before a run in the list of all have other colours than that: the last five runs, which
``%compare`` shows unasked, all look different."""


@dataclass(frozen=True)
class LineStyle:
    """How a run is drawn, on a light and on a dark background."""

    light: str
    dark: str
    dash: str


def line_style(slot: int) -> LineStyle:
    """The style of this number, counted from 0 and round again."""
    colour, dash = slot % len(LIGHT), slot // len(LIGHT) % len(_DASHES)
    return LineStyle(LIGHT[colour], DARK[colour], _DASHES[dash])


def preferred_slot(run_id: str) -> int:
    """The slot of a run when nobody near it has that: from its id alone (FNV-1a)."""
    digest = 0x811C9DC5
    for letter in run_id:
        digest = ((digest ^ ord(letter)) * 0x01000193) & 0xFFFFFFFF
    return digest % len(LIGHT)


def list_slots(runs: Iterable[tuple[str, int | None]]) -> dict[str, int]:
    """The slot of every run: the chosen one, else the one of its id, or the next colour that none of the
    :data:`NEAR` runs before it has.

    Args:
        runs: all of a data folder, oldest first, so that a new one changes none before it; with the slots
            that somebody chose.
    """
    slots: dict[str, int] = {}
    near: list[int] = []
    for run_id, chosen in runs:
        slot = chosen
        if slot is None:
            slot = preferred_slot(run_id)
            while slot in near:
                slot = (slot + 1) % len(LIGHT)
        slots[run_id] = slot
        near = [*near[1 - NEAR :], slot % len(LIGHT)]
    return slots


def comparison_slots(
    run_ids: Sequence[str], listed: Mapping[str, int], chosen: Mapping[str, int]
) -> dict[str, int]:
    """A slot for each run of a comparison; no two share one while there are enough.

    Args:
        listed: the slots that runs have by themselves; earlier runs of the comparison keep theirs.
        chosen: slots that somebody chose; these stay whatever others have.
    """
    slots = {run_id: chosen[run_id] for run_id in run_ids if run_id in chosen}
    for run_id in run_ids:
        if run_id not in slots and listed[run_id] not in slots.values():
            slots[run_id] = listed[run_id]
    for run_id in run_ids:
        if run_id not in slots:
            free = (slot for slot in range(STYLES) if slot not in slots.values())
            slots[run_id] = next(free, listed[run_id])
    return {run_id: slots[run_id] for run_id in run_ids}


def coloured(store: Store, runs: Sequence[RunInfo], view: View) -> View:
    """The view with a style for each run: the one somebody chose for the run, else the view's own, else that
    of the list of all runs."""
    chosen = {run.id: run.colour for run in runs if run.colour is not None}
    if all(run.id in chosen or run.id in view.styles for run in runs):
        return replace(view, styles={**view.styles, **chosen})
    listed = {**dict(_preferred(runs)), **list_slots(store.colours()), **view.styles}
    return replace(view, styles=comparison_slots([run.id for run in runs], listed, chosen))


def _preferred(runs: Sequence[RunInfo]) -> Iterable[tuple[str, int]]:
    """For a run that was deleted since it was read."""
    return ((run.id, preferred_slot(run.id)) for run in runs)
