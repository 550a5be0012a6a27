"""What a chart asks for: one metric of several runs on one x axis, at the chart's resolution."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel_magics.errors import UsageMistake

from . import queries
from .buckets import COARSEST
from .curves import Curve, reduce_curve
from .groups import Beyond, Grid, group_window
from .model import X_KINDS, Series, Window
from .streams import Stream
from .windows import Span, as_window, common_exponent, read_series, window

if TYPE_CHECKING:
    from .buckets import Buckets


@dataclass(frozen=True)
class ChartQuery:
    """The arguments of :meth:`Store.window`, which explains them.

    Raises:
        UsageMistake: an argument makes no sense.
    """

    metric: str
    x: str = "step"
    start: float | None = None
    stop: float | None = None
    width: int = 1000
    source: str | None = None
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        if not self.x:
            raise UsageMistake(f"x is one of {', '.join(X_KINDS)}, or the name of a metric.")
        if self.width < 1:
            raise UsageMistake("The width of a window is at least one pixel.")
        given = [end for end in (self.start, self.stop) if end is not None]
        if not all(math.isfinite(end) for end in given) or (len(given) == 2 and given[0] > given[1]):
            raise UsageMistake(f"A window from {self.start} to {self.stop} makes no sense.")
        if not 0 <= self.smoothing < 1:
            raise UsageMistake(f"smoothing is at least 0 and below 1, not {self.smoothing}.")

    @property
    def axis(self) -> str:
        """What x is a number of: ``step``, ``time`` or ``metric``."""
        return {"step": "step", "relative": "time", "time": "time"}.get(self.x, "metric")


def series_of_run(sql: sqlite3.Connection, run_id: str, metric: str, source: str | None) -> Series:
    """Every point of a metric; see :meth:`Store.series`."""
    _created, streams = queries.metric_streams(sql, [run_id], metric, source)[run_id]
    if not streams:
        names = sorted({info.name for info in queries.metrics(sql, [run_id])[run_id]})
        known = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
        raise UsageMistake(f"Run {run_id} has no metric {metric!r}. It has: {known or 'none'}.")
    return Series(*read_series(sql, streams))


def windows_of_runs(sql: sqlite3.Connection, run_ids: Sequence[str], query: ChartQuery) -> list[Window]:
    """One window per run that has the metric (and the metric on the x axis)."""
    return [window for window, _beyond in _windows(sql, run_ids, query, look_beyond=False)]


def windows_of_groups(
    sql: sqlite3.Connection, groups: Sequence[Sequence[str]], query: ChartQuery
) -> list[Window]:
    """One window per group of which a run has the metric; :mod:`kernel_magics.store.groups` says what it
    is."""
    run_ids = [run for group in groups for run in group]
    if len(set(run_ids)) != len(run_ids) or not all(groups):
        raise UsageMistake("A group has at least one run, and a run is in one group.")
    found = {one[0].run: one for one in _windows(sql, run_ids, query, look_beyond=True)}
    windows = [window for window, _beyond in found.values()]
    grid = Grid.of(windows, (query.start, query.stop), query.width, query.axis)
    there = [(group[0], [found[run] for run in group if run in found]) for group in groups]
    return [
        group_window([window for window, _ in members], [beyond for _, beyond in members], grid, lead)
        for lead, members in there
        if members
    ]


def _windows(
    sql: sqlite3.Connection, run_ids: Sequence[str], query: ChartQuery, look_beyond: bool
) -> list[tuple[Window, Beyond]]:
    found = queries.metric_streams(sql, run_ids, query.metric, query.source)
    origins = {run: began if query.x == "relative" else 0.0 for run, (began, _streams) in found.items()}
    curves = _curves(sql, {run: streams for run, (_began, streams) in found.items() if streams}, query)
    bounds = []
    for run, curve in curves.items():
        reach = curve.bounds(query.axis)
        if reach is not None:
            low = reach[0] - origins[run] if query.start is None else query.start
            bounds.append((low, max(low, reach[1] - origins[run]) if query.stop is None else query.stop))
    exponent = common_exponent(bounds, query.width, query.axis)
    windows = []
    for run, curve in curves.items():
        start = -math.inf if query.start is None else query.start + origins[run]
        stop = math.inf if query.stop is None else query.stop + origins[run]
        reduced = _reduce(sql, curve, Span(query.axis, start, stop), exponent, query.width)
        beyond = _beyond(sql, curve, Span(query.axis, start, stop), origins[run]) if look_beyond else Beyond()
        windows.append((as_window(run, query.metric, query.x, origins[run], reduced), beyond))
    return windows


def _reduce(
    sql: sqlite3.Connection, curve: Curve, span: Span, exponent: int, width: int
) -> tuple[bool, Buckets]:
    if curve.over is not None or curve.smoothing > 0:
        return reduce_curve(sql, curve, span, exponent, width)
    return window(sql, curve.streams, span, exponent, width)


def _beyond(sql: sqlite3.Connection, curve: Curve, span: Span, origin: float) -> Beyond:
    """The nearest points on both sides of a view; what is asked for there is as coarse as can be."""
    ends: list[tuple[float, float] | None] = [None, None]
    if span.start > -math.inf:
        outside = Span(span.axis, stop=math.nextafter(span.start, -math.inf))
        _raw, buckets = _reduce(sql, curve, outside, COARSEST[span.axis], 1)
        if len(buckets):
            ends[0] = float(buckets["x_last"][-1]) - origin, float(buckets["last"][-1])
    if span.stop < math.inf:
        outside = Span(span.axis, start=math.nextafter(span.stop, math.inf))
        _raw, buckets = _reduce(sql, curve, outside, COARSEST[span.axis], 1)
        if len(buckets):
            ends[1] = float(buckets["x_first"][0]) - origin, float(buckets["first"][0])
    return Beyond(*ends)


def _curves(sql: sqlite3.Connection, streams: dict[str, list[Stream]], query: ChartQuery) -> dict[str, Curve]:
    if query.axis != "metric":
        return {run: Curve(found, None, query.smoothing) for run, found in streams.items()}
    curves = {}
    for run, found in streams.items():
        over = [
            queries.metric_streams(sql, [run], query.x, source)[run][1] for source in (found[0].source, None)
        ]
        if any(over):
            curves[run] = Curve(found, over[0] or over[1], query.smoothing)
    if streams and not curves:
        raise UsageMistake(
            f"x is one of {', '.join(X_KINDS)}, or the name of a metric; none of these runs has {query.x!r}."
        )
    return curves
