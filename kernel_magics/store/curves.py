"""Curves at full resolution: a metric over another one, and smoothed; reduced to pixels only then.

**Smoothing** is the exponential moving average of W&B's line plots ("EMA"; docs.wandb.ai, *Smooth line
plots*) and of TensorBoard, with the same correction of its beginning: with weight ``w`` the ``n``-th
finite value in the order of x becomes::

    s_n = w * s_(n-1) + (1 - w) * y_n,   s_0 = 0
    smoothed_n = s_n / (1 - w ** n)

What is not finite stays as it is and takes no part. W&B's time-weighted variant (TWEMA) depends on the range
that the chart shows, so that a curve would change when somebody zooms; this one does not.

**Over another metric** a point lies where that metric was when the point was logged: at the value of the same
frame, else at the last value before it by time, of the same writer. A point without such a value, or with one
that is not finite, has no place and is left out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .buckets import empty, one_each, reduce_points
from .encoding import Points
from .windows import RAW_PER_PIXEL, Span, read_points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .buckets import Buckets
    from .streams import Stream

    Floats = NDArray[np.float64]

_NEGLIGIBLE = 2.0**-60
"""Weights below this change no float64."""


@dataclass(frozen=True)
class Curve:
    """One metric of one run: its streams (one per writer), those of the metric on its x axis, if any."""

    streams: Sequence[Stream]
    over: Sequence[Stream] | None
    smoothing: float

    def bounds(self, axis: str) -> tuple[float, float] | None:
        """Least and greatest x; ``None`` without points."""
        if self.over is None:
            spans = [
                (getattr(one, f"{axis}_lo"), getattr(one, f"{axis}_hi")) for one in self.streams if one.n
            ]
        else:
            spans = [(one.low, one.high) for one in self.over if one.low is not None]
        return (min(low for low, _ in spans), max(high for _, high in spans)) if spans else None


def reduce_curve(
    sql: sqlite3.Connection, curve: Curve, span: Span, exponent: int, width: int
) -> tuple[bool, Buckets]:
    """The curve between two x as buckets of width ``2**exponent``; whether each is a point."""
    parts = [_placed(sql, stream, curve.over, span.axis) for stream in curve.streams]
    if not parts:
        return True, empty()
    x, values = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(x, kind="stable")
    x, values = x[order], values[order]
    if curve.smoothing:
        values = smoothed(values, curve.smoothing)
    inside = (x >= span.start) & (x <= span.stop)
    x, values = x[inside], values[inside]
    raw = len(x) <= RAW_PER_PIXEL * width
    return raw, one_each(x, values) if raw else reduce_points(x, values, exponent)


def smoothed(values: Floats, weight: float) -> Floats:
    """The moving average of the finite values with ``weight`` (0 ≤ weight < 1); see above.

    The recursion is unrolled by doubling: a pass adds to each sum the one that ends ``2**k`` values before,
    weighted by ``weight ** 2**k``, until that weight cannot be felt.
    """
    finite = np.isfinite(values)
    sums = (1.0 - weight) * values[finite]
    reach, factor = 1, weight
    while reach < len(sums) and factor > _NEGLIGIBLE:
        sums[reach:] += factor * sums[:-reach]  # numpy reads the right side whole before it writes
        reach, factor = 2 * reach, factor * factor
    counts = np.arange(1, len(sums) + 1)
    out = values.copy()
    out[finite] = sums / -np.expm1(counts * np.log(weight))
    return out


def _placed(
    sql: sqlite3.Connection, stream: Stream, over: Sequence[Stream] | None, axis: str
) -> tuple[Floats, Floats]:
    """x and values of a stream's points, in the order of logging."""
    points = read_points(sql, stream)
    if over is None:
        return points.axis(axis), points.value
    partner = next((one for one in over if one.journal == stream.journal), None)
    if partner is None:
        return np.empty(0), np.empty(0)
    x = _when_logged(points, read_points(sql, partner))
    there = np.isfinite(x)
    return x[there], points.value[there]


def _when_logged(points: Points, other: Points) -> Floats:
    """What ``other`` was when each of ``points`` was logged; NaN before its first value."""
    clock, other_clock = points.axis("time"), other.axis("time")
    if np.array_equal(points.step, other.step) and np.array_equal(clock, other_clock):
        return other.value  # always logged together
    count = len(other.step)
    later = np.repeat([False, True], [count, len(points.step)])
    steps, times = np.concatenate([other.step, points.step]), np.concatenate([other_clock, clock])
    order = np.lexsort((later, steps, times))
    last = np.maximum.accumulate(np.where(later[order], -1, np.arange(len(order))))
    found = np.where(last < 0, -1, order[np.maximum(last, 0)])
    values = np.append(other.value, np.nan)[found]
    out = np.empty(len(points.step))
    out[order[later[order]] - count] = values[later[order]]
    return out
