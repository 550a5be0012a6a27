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

from .drawing import add_hover, add_legend, draw, new_chart, show_whole_load
from .palette import LineStyle, line_styles, styles_of_runs
from .table import run_labels
from .view import RunGroup, View, groups_of

if TYPE_CHECKING:
    from kernel_magics.store.model import Window
    from kernel_magics.store.store import Store

_SOURCE_ORDER = (MetricSource.LOGGED, MetricSource.INFERRED, MetricSource.SYSTEM)


def compare_figures(
    store: Store,
    run_ids: Sequence[str],
    view: View | str = "step",
    *,
    width: int = 1000,
    legend: bool = True,
) -> list[Any]:
    """One ``bokeh.plotting.figure`` per metric with all runs that have it, or with the means of their groups.

    Figures share their x range and the crosshair. When x is the step, inferred metrics have their own: their
    step is what the output counted (epochs, most often). System metrics then stand over relative time: a
    sample of the machine belongs to no step. Over another metric those are left out that no run has together
    with it. ``figure.name`` is the metric's name.

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
    key = line_key([store.run(run_id) for run_id in run_ids], view)
    axes: dict[tuple[str, bool], tuple[Any, Any]] = {}
    figures, refused = [], None
    for metric in metrics_in_order(store, run_ids):
        over = "relative" if view.x == "step" and metric.source == MetricSource.SYSTEM else view.x
        try:
            pairs = _windows(store, run_ids, metric, replace(view, x=over), key, width)
        except UsageMistake as mistake:
            if view.x in X_KINDS:
                raise
            refused = mistake  # no run has both; it is a mistake only when that is so of every metric
            continue
        axis = over, over == "step" and metric.source == MetricSource.INFERRED
        if axis not in axes:
            line = {"line_color": "#8a919c", "line_width": 1, "line_dash": "dotted"}
            axes[axis] = DataRange1d(range_padding=0.01), Span(dimension="height", **line)
        figure = new_chart(metric, replace(view, x=over), *axes[axis])
        for window, smooth in pairs:
            draw(figure, window, *key.of(window.run), smooth)
        if metric.source == MetricSource.SYSTEM and not view.log:
            show_whole_load(figure, metric, [window for window, _ in pairs])
        add_hover(figure, over, grouped=view.group_by is not None)
        if legend:
            add_legend(figure)
        figures.append(figure)
    if refused is not None and not figures:
        raise refused
    return figures


@dataclass(frozen=True)
class LineKey:
    """What each line is called and how it looks; a group's goes by its first run."""

    groups: tuple[RunGroup, ...] | None
    lines: Mapping[str, tuple[LineStyle, str]]

    def of(self, run_id: str) -> tuple[LineStyle, str]:
        """Style and name of the line that goes by this run."""
        return self.lines[run_id]


def line_key(runs: Sequence[RunInfo], view: View) -> LineKey:
    """The lines of a comparison, in order.

    Raises:
        UsageMistake: no such group.
    """
    styles = styles_of_runs(runs)
    if view.group_by is None:
        named = zip(runs, run_labels(runs), strict=True)
        return LineKey(None, {run.id: (styles[run.id], label) for run, label in named})
    groups = tuple(groups_of(runs, view.group_by))
    leads = line_styles([group.run_ids[0] for group in groups])
    return LineKey(groups, {one.run_ids[0]: (leads[one.run_ids[0]], one.label) for one in groups})


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


def metrics_in_order(store: Store, run_ids: Sequence[str]) -> list[MetricInfo]:
    """The metrics of all these runs: logged ones first, each in the order in which it was first seen."""
    found: dict[tuple[str, MetricSource], MetricInfo] = {}
    for infos in store.metrics(run_ids).values():
        for info in infos:
            found.setdefault((info.name, info.source), info)
    return sorted(found.values(), key=lambda info: _SOURCE_ORDER.index(info.source))
