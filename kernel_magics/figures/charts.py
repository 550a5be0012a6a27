"""Charts of runs: one Bokeh figure per metric, all runs in each, on one x axis and under one crosshair.

Nothing is sampled away: :mod:`kernel_magics.figures.drawing` says how what is reduced is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kernel_magics.errors import UsageMistake
from kernel_magics.model import MetricInfo, MetricSource, RunInfo
from kernel_magics.store.model import X_KINDS

from .drawing import Look, add_hover, add_legend, draw, new_chart, show_whole_load
from .marks import happened, mark_events
from .metrics import metrics_in_order
from .palette import LineStyle, coloured, line_style
from .table import run_labels
from .view import RunGroup, View, groups_of

if TYPE_CHECKING:
    from kernel_magics.store.model import Window
    from kernel_magics.store.store import Store


def compare_figures(
    store: Store,
    run_ids: Sequence[str],
    view: View | str = "auto",
    *,
    width: int = 1000,
    legend: bool = True,
) -> list[Any]:
    """One ``bokeh.plotting.figure`` per metric with all runs that have it, or with the means of their groups.

    Figures over the same share their x range and the crosshair. By itself a metric stands over what it was
    defined to be drawn over (where no run has both, over the step), else over the step. Over the step,
    inferred metrics have an axis of their own: their step is what the output counted (epochs, most often).
    System metrics then stand over relative time: a sample of the machine belongs to no step. Over a metric
    that somebody asked for, those are left out that no run has together with it. ``figure.name`` is the
    metric's name.

    Args:
        view: how they are shown, or only the x axis.
        width: resolution in pixels.
        legend: whether each figure names the runs.

    Raises:
        UnknownRun: there is no such run.
        UsageMistake: no such x, or no such group.
    """
    from bokeh.models import DataRange1d, Span

    view = View.of(view)
    view.check(run_ids)
    runs = [store.run(run_id) for run_id in run_ids]
    view = coloured(store, runs, view)
    key, found = line_key(runs, view), happened(store, runs)
    axes: dict[tuple[str, bool], tuple[Any, Any]] = {}
    figures, refused = [], None
    for metric in metrics_in_order(store, run_ids, view.inferred):
        over = axis_of(metric, view.x)
        try:
            pairs = _windows(store, run_ids, metric, replace(view, x=over), key, width)
        except UsageMistake as mistake:
            if over in X_KINDS:
                raise
            if view.x != "auto":
                refused = mistake  # no run has both; it is a mistake only when that is so of every metric
                continue
            over = "step"  # nobody asked for the other axis, so it is no reason to leave the chart out
            pairs = _windows(store, run_ids, metric, replace(view, x=over), key, width)
        axis = over, over == "step" and metric.source == MetricSource.INFERRED
        if axis not in axes:
            line = {"line_color": "#8a919c", "line_width": 1, "line_dash": "dotted"}
            axes[axis] = DataRange1d(range_padding=0.01), Span(dimension="height", **line)
        figure = new_chart(metric, replace(view, x=over), *axes[axis])
        for window, smooth in pairs:
            draw(figure, window, key.look(window.run, view), smooth)
        mark_events(figure, over, found, key.runs)
        if metric.source == MetricSource.SYSTEM and not view.log:
            show_whole_load(figure, metric, [window for window, _ in pairs])
        add_hover(figure, over, grouped=view.group_by is not None)
        if legend:
            add_legend(figure)
        figures.append(figure)
    if refused is not None and not figures:
        raise refused
    return figures


def axis_of(metric: MetricInfo, chosen: str) -> str:
    """What stands on the x axis of a metric's chart, as in the panel (``axisKind``)."""
    kind = (metric.x or "step") if chosen == "auto" else chosen
    return "relative" if kind == "step" and metric.source == MetricSource.SYSTEM else kind


@dataclass(frozen=True)
class LineKey:
    """What each line is called and how it looks; a group's goes by its first run."""

    groups: tuple[RunGroup, ...] | None
    lines: Mapping[str, tuple[LineStyle, str]]
    runs: Mapping[str, tuple[LineStyle, str]]
    """Style and name of each run; the style is its group's."""
    baseline: str | None = None
    """The run by which the line of the baseline goes."""

    def of(self, run_id: str) -> tuple[LineStyle, str]:
        """Style and name of the line that goes by this run."""
        return self.lines[run_id]

    def look(self, run_id: str, view: View) -> Look:
        """How the line that goes by this run is drawn."""
        return Look(*self.lines[run_id], view.band, view.log, run_id == self.baseline)


def line_key(runs: Sequence[RunInfo], view: View) -> LineKey:
    """The lines of a comparison, in order.

    Args:
        view: with a style for each run (:func:`~kernel_magics.figures.palette.coloured`).

    Raises:
        UsageMistake: no such group.
    """
    styles = {run.id: line_style(view.styles[run.id]) for run in runs}
    labels = dict(zip((run.id for run in runs), run_labels(runs), strict=True))
    if view.group_by is None:
        lines = {run.id: (styles[run.id], labels[run.id]) for run in runs}
        return LineKey(None, lines, lines, view.baseline)
    groups = tuple(groups_of(runs, view.group_by))
    lead = {run_id: group.run_ids[0] for group in groups for run_id in group.run_ids}
    lines = {one.run_ids[0]: (styles[one.run_ids[0]], one.label) for one in groups}
    of_runs = {run.id: (styles[lead[run.id]], labels[run.id]) for run in runs}
    return LineKey(groups, lines, of_runs, lead.get(view.baseline or ""))


def _windows(
    store: Store, run_ids: Sequence[str], metric: MetricInfo, view: View, key: LineKey, width: int
) -> list[tuple[Window, Window | None]]:
    """Each line as recorded and smoothed; ``None`` when nothing is to be."""

    def ask(smoothing: float) -> list[Window]:
        groups = None if key.groups is None else [group.run_ids for group in key.groups]
        more: dict[str, Any] = {"source": str(metric.source), "smoothing": smoothing, "groups": groups}
        return store.window(run_ids, metric.name, view.x, width=width, **more)

    smoothed = {window.run: window for window in ask(view.smoothing)} if view.smoothing else {}
    return [(window, smoothed.get(window.run)) for window in ask(0.0)]
