"""How a comparison is shown: axes, groups, smoothing, and what somebody wrote about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kernel_magics.errors import UsageMistake
from kernel_magics.model import RunInfo

from . import words

FIELDS = ("group", "project", "tags", "name")
"""What runs can be grouped by besides ``config.…``."""
BANDS = ("range", "std")
"""Least to greatest, or the sample's standard deviation."""
_CONFIG = "config."
_ABSENT = object()


@dataclass(frozen=True)
class View:
    """What the panel's toolbar and ``%compare``'s options say.

    Attributes:
        x: ``step``, ``relative``, ``time``, the name of a metric, or ``auto``: each metric over what it was
            defined to be drawn over, else over the step.
        log: whether the y axis is logarithmic.
        group_by: one of :data:`FIELDS`, or ``config.`` and a key, dotted where it is nested; ``None``: each
            run by itself.
        smoothing: weight of the past in a moving average, from 0 (none) to below 1.
        notes: plain text, shown above the charts.
        baseline: id of the run that the others are compared with; ``None`` for none.
        band: what the band around the mean of a group shows, one of :data:`BANDS`.
        inferred: whether inferred metrics are shown that were logged under the same name as well.
        styles: by a run's id, the number of its style where somebody has seen it before: in the panel.
    """

    x: str = "auto"
    log: bool = False
    group_by: str | None = None
    smoothing: float = 0.0
    notes: str = ""
    baseline: str | None = None
    band: str = "range"
    inferred: bool = False
    styles: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, view: View | str) -> View:
        """A view as it is; a text is the x axis of one."""
        return cls(view) if isinstance(view, str) else view

    def check(self, run_ids: Sequence[str]) -> None:
        """Raises :class:`UsageMistake` when these runs cannot be shown so."""
        if self.band not in BANDS:
            raise UsageMistake(
                f"A band is one of {', '.join(BANDS)}, not {self.band!r}. Nothing was compared.",
                "%compare --group-by group --band std",
            )
        if self.baseline is not None and self.baseline not in run_ids:
            raise UsageMistake(
                f"The baseline {words.flat_text(self.baseline)} is none of the compared runs."
                " Nothing was compared.",
                "%compare RUN RUN --baseline RUN",
            )


@dataclass(frozen=True)
class RunGroup:
    """Runs that are drawn as one; the first lends its colour."""

    label: str
    run_ids: tuple[str, ...]


def groups_of(runs: Sequence[RunInfo], by: str) -> list[RunGroup]:
    """Runs by what they have in common, in the order in which they come, as the panel groups them
    (``labextension/src/compare/rungroups.ts``). Runs without the key are a group of their own.

    Raises:
        UsageMistake: nothing is called so, or no run has it.
    """
    if by not in FIELDS and not by.startswith(_CONFIG):
        raise UsageMistake(
            f"Runs are grouped by {', '.join(FIELDS)} or config.KEY, not by {by!r}. Nothing was compared.",
            f"%compare --group-by {_CONFIG}{by}",
        )
    values = [_value(run, by) for run in runs]
    if all(value is _ABSENT for value in values):
        raise UsageMistake(f"None of these runs has {by!r}. Nothing was compared.")
    found: dict[str, list[int]] = {}
    for place, value in enumerate(values):
        key = "" if value is _ABSENT else json.dumps(value, sort_keys=True, default=str)
        found.setdefault(key, []).append(place)
    return [
        RunGroup(_label(by, values[places[0]]), tuple(runs[place].id for place in places))
        for places in found.values()
    ]


def _value(run: RunInfo, by: str) -> Any:
    if by.startswith(_CONFIG):
        return words.flatten(run.config).get(by.removeprefix(_CONFIG), _ABSENT)
    if by == "tags":
        return ", ".join(sorted(run.tags))
    value = getattr(run, by)
    return _ABSENT if value is None else value


def _label(by: str, value: Any) -> str:
    text = "–" if value is _ABSENT or value == "" else words.value(value)
    return text if by == "name" else words.flat_text(f"{by.removeprefix(_CONFIG)} = {text}")
