"""What a chart asks for: one metric of several runs on one x axis, at the chart's resolution."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from kernel_magics.errors import UsageMistake

from . import queries
from .curves import Curve, reduce_curve
from .model import X_KINDS, Window
from .streams import Stream
from .windows import Span, as_window, common_exponent, window


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


def windows_of_runs(sql: sqlite3.Connection, run_ids: Sequence[str], query: ChartQuery) -> list[Window]:
    """One window per run that has the metric (and the metric on the x axis)."""
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
        span = Span(query.axis, start, stop)
        whole = curve.over is not None or curve.smoothing > 0
        reduced = (
            reduce_curve(sql, curve, span, exponent, query.width)
            if whole
            else window(sql, curve.streams, span, exponent, query.width)
        )
        windows.append(as_window(run, query.metric, query.x, origins[run], reduced))
    return windows


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
