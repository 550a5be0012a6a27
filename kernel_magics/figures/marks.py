"""What stands on a chart beside its lines: events, and the band around the mean of a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kernel_magics.model import RunInfo
from kernel_magics.store.happenings import happenings

from . import words
from .palette import LineStyle

if TYPE_CHECKING:
    from kernel_magics.store.model import Window
    from kernel_magics.store.store import Store

MOST_MARKS = 200
"""Marks of one run on a chart: the newest. The page's list of events says how many there are."""
_QUIET = ("info", "debug")
_BAND = 0.16
"""Opacity of a band."""


@dataclass(frozen=True)
class Happened:
    """The events of one run, oldest first; those without a time last."""

    run: RunInfo
    events: tuple[Mapping[str, Any], ...]

    def marked(self) -> list[Mapping[str, Any]]:
        """Those that stand on charts: warnings, errors, alerts."""
        return [event for event in self.events if event["level"] not in _QUIET][-MOST_MARKS:]


def happened(store: Store, runs: Sequence[RunInfo]) -> list[Happened]:
    """What happened to each of these runs."""

    def when(event: Mapping[str, Any]) -> float:
        return float("inf") if event["time"] is None else float(event["time"])

    return [Happened(run, tuple(sorted(happenings(store, run), key=when))) for run in runs]


def event_text(event: Mapping[str, Any]) -> str:
    """``gpu-fault: Xid 79``, on one line."""
    name, detail = words.flat_text(event["name"]), words.flat_text(event["detail"])
    return f"{name}: {detail}" if detail else name


def mark_events(
    chart: Any, x: str, found: Sequence[Happened], looks: Mapping[str, tuple[LineStyle, str]]
) -> None:
    """A dashed line over the whole height for each marked event that has a place on the axis; hovering over
    its head tells what it was.

    Args:
        x: ``step``, ``relative``, ``time``, or a metric's name: no event has a place on that.
        looks: style and name of each run.
    """
    from bokeh.models import ColumnDataSource, HoverTool

    heads = []
    for one in found:
        placed = [
            (place, event_text(event))
            for event in one.marked()
            if (place := _place(event, one.run, x)) is not None
        ]
        if not placed:
            continue
        style, label = looks[one.run.id]
        columns = {
            "x": [place for place, _text in placed],
            "text": [text for _place, text in placed],
            "run": [label] * len(placed),
        }
        source = ColumnDataSource(columns)
        on_edge = {"y_range_name": "edge", "color": style.light}
        line = chart.segment(
            x0="x", x1="x", y0=0, y1=1, line_dash="dashed", line_alpha=0.6, source=source, **on_edge
        )
        head = chart.scatter("x", 0.985, marker="inverted_triangle", size=9, source=source, **on_edge)
        for renderer in (line, head):
            renderer.tags = [style.light, style.dark]
        heads.append(head)
    if heads:
        tooltip = '<div style="font-size:11px;max-width:40em"><b>@run</b> &nbsp;@text</div>'
        chart.add_tools(HoverTool(renderers=heads, tooltips=tooltip, mode="mouse"))


def _place(event: Mapping[str, Any], run: RunInfo, x: str) -> float | None:
    """Where it stands, in the chart's units; ``None`` where it has no place."""
    time: float | None = event["time"]
    if x == "step":
        return None if event["step"] is None else float(event["step"])
    if time is None or x not in ("relative", "time"):
        return None
    return time - run.created if x == "relative" else time * 1000.0  # Bokeh's times are milliseconds


def draw_band(chart: Any, window: Window, style: LineStyle, band: str, log: bool) -> Any:
    """The band of a group around its mean, ``range`` or ``std``, under its line; it ends where there is no
    mean.

    Args:
        log: on a logarithmic axis; what would lie below nothing ends at the mean there.
    """
    assert window.group is not None
    low, high = window.min, window.max
    if band == "std":
        std = np.nan_to_num(window.group.std)
        low, high = window.last - std, window.last + std
    if log:
        low = np.where(low > 0, low, window.last)
    scale = 1000.0 if window.x_kind == "time" else 1.0
    there = np.isfinite(window.last) & np.isfinite(low) & np.isfinite(high)
    parts = np.split(np.arange(len(window)), np.flatnonzero(~there))
    joined = [part[there[part]] for part in parts]
    xs = [np.concatenate([window.x[one], window.x[one][::-1]]) * scale for one in joined if len(one) > 1]
    ys = [np.concatenate([low[one], high[one][::-1]]) for one in joined if len(one) > 1]
    renderer = chart.patches(xs, ys, fill_color=style.light, fill_alpha=_BAND, line_color=None)
    renderer.tags = [style.light, style.dark]
    return renderer
