"""Several runs as one curve: the mean of their lines, how far apart they lie, and the extremes behind.

The x axis is cut into cells of a power of two, at most a pixel wide, the same for all runs of a chart. In
each cell a run counts once, however many points it has there, so that a run that logs ten times as often
does not weigh ten times as much:

* A run with points in the cell counts with the last finite one of them: where its own line goes through.
* A run without points there, but with one before and one after, counts with its line between these two, read
  where the cell's last point lies. So runs that log at different steps can be averaged, and the mean does not
  jump to and fro between those that happen to have a point.
* Before its first point, after its last one, and beside a value that is not finite a run has no line, and
  does not count. How many runs a mean is of is told cell by cell (``members``).

``std`` is the sample's standard deviation (divisor n − 1) of the values that were averaged, 0 of a single
one. ``min`` and ``max`` are of *all* points of all runs in the cell: a spike of one run in one step stays.
Smoothing, where it is asked for, is of each run's own points, before anything is averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .buckets import cells, exponent_for
from .model import GroupMembers, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_COUNTS = ("count", "nan", "posinf", "neginf")


@dataclass(frozen=True)
class Beyond:
    """Where a run's line comes from and goes to outside of the view, as ``(x, value)``; ``None`` for
    nowhere."""

    before: tuple[float, float] | None = None
    after: tuple[float, float] | None = None


@dataclass(frozen=True)
class Grid:
    """The cells of a chart: of width ``2**exponent``."""

    exponent: int

    @classmethod
    def of(
        cls, windows: Sequence[Window], view: tuple[float | None, float | None], width: int, axis: str
    ) -> Grid:
        """Cells at most a pixel wide, for the windows' extent where ``view`` leaves an end open."""
        places = [end for window in windows if len(window) for end in (window.x[0], window.x[-1])]
        if not places:
            return cls(exponent_for(0.0, width, axis))
        low = min(places) if view[0] is None else view[0]
        high = max(places) if view[1] is None else view[1]
        return cls(exponent_for(float(high - low), width, axis))


def group_window(windows: Sequence[Window], beyond: Sequence[Beyond], grid: Grid, lead: str) -> Window:
    """The runs of ``windows`` (at least one, all of one metric and one x) as one window.

    Args:
        beyond: of each run, in the same order.
        lead: the run by whose id the group goes.
    """
    lines = [_line(window, grid) for window in windows]
    numbers = np.unique(np.concatenate([line.cell for line in lines]))
    shape = (len(lines), len(numbers))
    values, low, high = (np.full(shape, np.nan) for _ in range(3))
    place = np.full(len(numbers), -np.inf)
    totals = {name: np.zeros(len(numbers), np.int64) for name in _COUNTS}
    for row, line in enumerate(lines):
        at = np.searchsorted(numbers, line.cell)
        values[row, at], low[row, at], high[row, at] = line.value, line.low, line.high
        place[at] = np.maximum(place[at], line.x)
        for name in _COUNTS:
            totals[name][at] += line.counts[name]
    for row, (line, ends) in enumerate(zip(lines, beyond, strict=True)):
        missing = np.setdiff1d(np.arange(len(numbers)), np.searchsorted(numbers, line.cell))
        between = _between(line, ends, place[missing])
        values[row, missing] = low[row, missing] = high[row, missing] = between
    members, mean, std = _averages(values)
    first = windows[0]
    return Window(
        run=lead,
        metric=first.metric,
        x_kind=first.x_kind,
        raw=False,
        points=sum(window.points for window in windows),
        x=place,
        min=np.fmin.reduce(low, axis=0),
        max=np.fmax.reduce(high, axis=0),
        first=mean,
        last=mean,
        **{name: np.minimum(total, 2**31 - 1).astype(np.int32) for name, total in totals.items()},
        group=GroupMembers(tuple(window.run for window in windows), members.astype(np.int32), std),
    )


@dataclass(frozen=True)
class _Line:
    """One run, one entry a cell in which it has points; ``value`` is NaN where none of them is finite."""

    cell: Floats
    x: Floats
    value: Floats
    low: Floats
    high: Floats
    counts: dict[str, NDArray[np.int64]]


def _line(window: Window, grid: Grid) -> _Line:
    if not len(window):
        none = np.empty(0)
        return _Line(none, none, none, none, none, {name: np.empty(0, np.int64) for name in _COUNTS})
    numbers = cells(window.x, grid.exponent)
    starts = np.flatnonzero(np.concatenate([[True], numbers[1:] != numbers[:-1]]))
    ends = np.append(starts[1:], len(numbers))
    finite = np.where(np.isfinite(window.last), np.arange(len(numbers)), -1)
    last = np.maximum.reduceat(finite, starts)
    there = last >= starts
    chosen = np.where(there, last, ends - 1)
    return _Line(
        cell=numbers[starts],
        x=window.x[chosen],
        value=np.where(there, window.last[chosen], np.nan),
        low=np.fmin.reduceat(window.min, starts),
        high=np.fmax.reduceat(window.max, starts),
        counts={name: np.add.reduceat(getattr(window, name).astype(np.int64), starts) for name in _COUNTS},
    )


def _between(line: _Line, beyond: Beyond, x: Floats) -> Floats:
    """The run's line at ``x``, in none of which it has a point; NaN where it has no line."""
    ends = [(place,) for place in (beyond.before, beyond.after)]
    before, after = ([one for one in end if one is not None] for end in ends)
    xs = np.concatenate([[one[0] for one in before], line.x, [one[0] for one in after]])
    ys = np.concatenate([[one[1] for one in before], line.value, [one[1] for one in after]])
    right = np.searchsorted(xs, x)
    inside = (right > 0) & (right < len(xs))
    found = np.full(len(x), np.nan)
    r = right[inside]
    left_x, left_y, right_x, right_y = xs[r - 1], ys[r - 1], xs[r], ys[r]
    share = (x[inside] - left_x) / (right_x - left_x)
    # By shares, not by slope: neighbours may lie further apart than a float64 reaches.
    found[inside] = left_y * (1 - share) + right_y * share
    return found


def _averages(values: Floats) -> tuple[NDArray[np.int64], Floats, Floats]:
    """How many values each column has, their mean and standard deviation; NaN for none."""
    there = ~np.isnan(values)
    members = there.sum(axis=0)
    count = np.maximum(members, 1)
    mean = np.where(there, values / count, 0.0).sum(axis=0)  # divided first: the sum may be beyond float64
    with np.errstate(over="ignore"):
        squares = np.where(there, (values - mean) ** 2 / np.maximum(members - 1, 1), 0.0).sum(axis=0)
    return members, np.where(members > 0, mean, np.nan), np.where(members > 0, np.sqrt(squares), np.nan)
