"""How a window of points is drawn into a Bokeh figure.

Where a chart has fewer pixels than points, each bucket of the store's window is drawn as its line from
minimum to maximum, and a line through the last values joins them; the tooltip says how many points stand
behind. What is not finite has marks on the chart's edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kernel_magics.model import MetricInfo, MetricSource

from .marks import draw_band
from .palette import LineStyle
from .view import View

if TYPE_CHECKING:
    from kernel_magics.store.model import Window

AXIS_LABELS = {"step": "step", "relative": "time since the run's start", "time": "time"}
_BEHIND = 0.3
"""How much is left of a line as recorded behind its smoothed one."""
_BASELINE_WIDTH = 3.4
FEW = 80
"""A line of fewer points shows each of them."""
HEIGHT = 280
_LIGHT_TEXT = "#3c4149"


def new_chart(metric: MetricInfo, view: View, x_range: Any, crosshair: Any) -> Any:
    """An empty chart of a metric, over an x range and under a crosshair that charts share."""
    from bokeh.models import CrosshairTool, DataRange1d, Range1d
    from bokeh.plotting import figure

    x = view.x
    chart = figure(
        name=metric.name,
        title=_title(metric),
        height=HEIGHT,
        sizing_mode="stretch_width",
        x_range=x_range,
        y_range=DataRange1d(range_padding=0.06),
        x_axis_type="datetime" if x == "time" else "auto",
        y_axis_type="log" if view.log else "auto",
        x_axis_label=AXIS_LABELS.get(x, x),
        tools="xpan,box_zoom,xwheel_zoom,reset,save",
        active_drag="box_zoom",
        toolbar_location="above",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
    )
    chart.extra_y_ranges = {"edge": Range1d(0, 1)}
    chart.add_tools(CrosshairTool(overlay=crosshair))
    chart.toolbar.logo = None
    chart.toolbar.autohide = True
    chart.title.text_font_size = "13px"
    chart.title.text_font_style = "bold"
    chart.min_border_right = 22
    _style_axes(chart, x)
    return chart


def show_whole_load(chart: Any, metric: MetricInfo, windows: Sequence[Window]) -> None:
    """A machine's load stands on an axis from nothing on, a percentage on one to all there is: on its own
    scale half a percent would look like a crash."""
    from bokeh.models import Range1d

    extremes = np.concatenate([[0.0], *([window.min, window.max] for window in windows)], axis=None)
    finite = extremes[np.isfinite(extremes)]
    least, most = finite.min(), max(finite.max(), 100.0 if metric.unit == "%" else 0.0)
    room = 0.06 * (most - least) or 1.0
    chart.y_range = Range1d(least - room, most + room)


def _title(metric: MetricInfo) -> str:
    unit = f" [{metric.unit}]" if metric.unit else ""
    source = "" if metric.source == MetricSource.LOGGED else f"  ({metric.source})"
    better = {"lower": "  ↓ better", "higher": "  ↑ better"}.get(metric.better or "", "")
    return f"{metric.name}{unit}{source}{better}"


def _style_axes(chart: Any, x: str) -> None:
    from bokeh.models import CustomJSTickFormatter

    chart.title.text_color = _LIGHT_TEXT
    for axis in (*chart.xaxis, *chart.yaxis):
        axis.axis_line_color = None
        axis.major_tick_line_color = None
        axis.minor_tick_line_color = None
        axis.major_label_text_color = _LIGHT_TEXT
        axis.axis_label_text_color = _LIGHT_TEXT
        axis.major_label_text_font_size = "11px"
        axis.axis_label_text_font_size = "11px"
        axis.axis_label_text_font_style = "normal"
    for grid in chart.grid:
        grid.grid_line_color = "#8a919c"
        grid.grid_line_alpha = 0.18
    if x == "relative":
        chart.xaxis[0].formatter = CustomJSTickFormatter(code=_CLOCK)
    elif x == "step":
        chart.xaxis[0].formatter = CustomJSTickFormatter(code="return tick.toLocaleString('en-US')")


_CLOCK = """
const s = Math.abs(tick), sign = tick < 0 ? '-' : '', two = v => String(Math.floor(v)).padStart(2, '0')
if (s < 120) return sign + Number(s.toFixed(3)) + ' s'
if (s < 3600) return sign + Math.floor(s / 60) + ':' + two(s % 60)
return sign + Math.floor(s / 3600) + ':' + two(s / 60 % 60) + ':' + two(s % 60)
"""


@dataclass(frozen=True)
class Look:
    """How a line is drawn."""

    style: LineStyle
    label: str
    band: str = "range"
    """Of a group's mean, see :class:`View`."""
    log: bool = False
    baseline: bool = False
    """Whether the others are compared with it."""


def draw(chart: Any, window: Window, look: Look, smooth: Window | None) -> None:
    """One line: as recorded, and smoothed if it is to be; of a group also the band."""
    from bokeh.models import ColumnDataSource

    style, label = look.style, look.label

    scale = 1000.0 if window.x_kind == "time" else 1.0  # Bokeh's times are milliseconds
    data = {name: getattr(window, name) for name in ("min", "max", "last", "count")}
    if window.group is not None:
        data |= {"members": window.group.members, "std": window.group.std}
    source = ColumnDataSource({"x": window.x * scale, **data})
    looks = {"color": style.light, "name": label}
    drawn = []
    if window.group is not None:
        drawn.append(draw_band(chart, window, style, look.band, look.log))
        drawn[-1].name = label
    if not window.raw and (window.group is None or look.band == "range"):
        bars = {"x0": "x", "x1": "x", "y0": "min", "y1": "max", "line_width": 1.2, "line_alpha": 0.55}
        drawn.append(chart.segment(source=source, **bars, **looks))
    width = _BASELINE_WIDTH if look.baseline else 1.8
    line = {"line_width": width, "line_dash": style.dash, "line_join": "round"}
    faint = {} if smooth is None else {"line_alpha": _BEHIND}
    drawn.append(chart.line("x", "last", source=source, **line, **faint, **looks))
    if smooth is not None:
        means = ColumnDataSource({"x": smooth.x * scale, "last": smooth.last})
        drawn.append(chart.line("x", "last", source=means, **line, **looks))
    alone = _alone(window)
    if window.raw and len(window) <= FEW:
        drawn.append(chart.scatter("x", "last", size=5, source=source, **looks))
    elif alone.any():
        lone = ColumnDataSource({"x": window.x[alone] * scale, "last": window.last[alone]})
        drawn.append(chart.scatter("x", "last", size=3, source=lone, **looks))
    for renderer in [*drawn, *_mark_odd(chart, window, scale, looks)]:
        renderer.tags = [style.light, style.dark]  # for the page, which knows the reader's scheme


def _alone(window: Window) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Buckets without a finite neighbour on either side: no line would show them."""
    there = np.concatenate([[False], np.isfinite(window.last), [False]])
    return there[1:-1] & ~there[:-2] & ~there[2:]


def _mark_odd(chart: Any, window: Window, scale: float, looks: dict[str, Any]) -> list[Any]:
    """NaN and infinities stand on the chart's edge: crosses below, triangles above and below."""
    from bokeh.models import ColumnDataSource

    drawn = []
    kinds = (("nan", "x", 0.03), ("posinf", "triangle", 0.97), ("neginf", "inverted_triangle", 0.03))
    for name, marker, height in kinds:
        places = getattr(window, name) > 0
        if places.any():
            source = ColumnDataSource({"x": window.x[places] * scale, "y": np.full(places.sum(), height)})
            marks = {"marker": marker, "size": 7, "y_range_name": "edge", "fill_alpha": 0.7, **looks}
            drawn.append(chart.scatter("x", "y", source=source, **marks))
    return drawn


def add_hover(chart: Any, x: str, grouped: bool) -> None:
    """A tooltip that tells original values, and how many points stand behind."""
    from bokeh.models import HoverTool, Line

    # Smoothed lines have no points of their own to tell of.
    lines = [
        one for one in chart.renderers if isinstance(one.glyph, Line) and "count" in one.data_source.data
    ]
    if not lines:
        return
    digits = "{0.[00000]a}"
    places = {"step": "step @x{0,0}", "relative": "@x{0,0.000} s", "time": "@x{%F %T}"}
    place = places.get(x, f"x = @x{digits}")  # a metric's name is anything, also a template
    if grouped:
        place += f" · ± @std{digits}, mean of @members runs"
    stands = f"{place} · @count{{0,0}} points: @min{digits} … @max{digits}"
    tooltip = (
        f'<div style="white-space:nowrap;font-size:11px"><b>$name</b> &nbsp;<b>@last{digits}</b>'
        f' <span style="color:#66707c">{stands}</span></div>'
    )
    formatters = {"@x": "datetime"} if x == "time" else {}
    hover = HoverTool(renderers=lines, tooltips=tooltip, formatters=formatters, mode="vline")
    chart.add_tools(hover)


def add_legend(chart: Any) -> None:
    """Names of the lines below the chart; a click hides one."""
    from bokeh.models import Legend, LegendItem, Line

    items: dict[str, list[Any]] = {}
    for renderer in chart.renderers:
        if renderer.name is not None:  # marks of events have none
            items.setdefault(renderer.name, []).append(renderer)
    shown = [
        LegendItem(
            label={"value": name}, renderers=sorted(found, key=lambda one: not isinstance(one.glyph, Line))
        )
        for name, found in items.items()
    ]
    legend = Legend(items=shown, orientation="horizontal", click_policy="hide", ncols=6)
    legend.border_line_color = legend.background_fill_color = None
    legend.label_text_color = _LIGHT_TEXT
    legend.label_text_font_size = "11px"
    legend.padding = legend.margin = 2
    chart.add_layout(legend, "below")
