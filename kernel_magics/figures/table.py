"""Runs side by side as a table: what they were given, what they came to, and where they differ."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from kernel_magics.model import MetricSource, RunInfo

from . import words
from .metrics import repeated_metrics
from .palette import LineStyle, coloured, line_style
from .view import View

if TYPE_CHECKING:
    from kernel_magics.store.store import Store

MARK = "≠"
_ABSENT = object()


@dataclass(frozen=True)
class Row:
    """One line of the comparison: a cell for each run; ``differs`` when the runs do not agree."""

    section: str
    name: str
    cells: tuple[str, ...]
    differs: bool = False


@dataclass(frozen=True)
class ComparisonTable:
    """The comparison of ``labels`` (one for each run), for a terminal and for a page."""

    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    text: str
    html: str
    """A ``<table class="trackside-table">`` without styles; everything in it is escaped."""

    def __str__(self) -> str:
        return self.text


def comparison_table(store: Store, run_ids: Sequence[str], view: View | None = None) -> ComparisonTable:
    """State, duration, config and metrics of some runs, side by side.

    Args:
        view: whose baseline the metrics are compared with, and whether it shows inferred metrics that were
            logged as well.

    Raises:
        UnknownRun: there is no such run.
    """
    runs = [store.run(run_id) for run_id in run_ids]
    view = coloured(store, runs, view or View())
    rows = [*_state_rows(runs), *_config_rows(runs), *_metric_rows(store, runs, view)]
    rows += _summary_rows(store, runs)
    labels = run_labels(runs)
    styles = [line_style(view.styles[run.id]) for run in runs]
    return ComparisonTable(tuple(labels), tuple(rows), _text(labels, rows), _html(labels, rows, runs, styles))


def run_labels(runs: Sequence[RunInfo]) -> list[str]:
    """A short name for each run; runs whose names look the same are told apart by the end of their ids."""
    names = [words.flat_text(run.name) for run in runs]
    often = Counter(map(words.look, names))
    return [
        name if often[words.look(name)] == 1 else f"{name} ({run.id[-6:]})"
        for name, run in zip(names, runs, strict=True)
    ]


def _state_rows(runs: Sequence[RunInfo]) -> list[Row]:
    states = tuple(str(run.status) for run in runs)
    rows = [
        Row("run", "status", states, len(set(states)) > 1),
        Row("run", "started", tuple(words.moment(run.created) for run in runs)),
        Row("run", "duration", tuple(words.run_duration(run) for run in runs)),
    ]
    more = {
        "cost": tuple(words.run_cost(run) for run in runs),
        "price": tuple(words.flat_text(words.price_source(run)) for run in runs),
        "detail": tuple(words.flat_text(run.status_detail) for run in runs),
    }
    return [*rows, *(Row("run", name, cells) for name, cells in more.items() if any(cells))]


def _config_rows(runs: Sequence[RunInfo]) -> list[Row]:
    configs = [words.flatten(run.config) for run in runs]
    rows = [_row("config", key, [config.get(key, _ABSENT) for config in configs]) for key in _keys(configs)]
    return sorted(rows, key=lambda row: not row.differs)


def _row(section: str, name: str, values: Sequence[Any]) -> Row:
    differs = any(one is _ABSENT or type(one) is not type(values[0]) or one != values[0] for one in values)
    cells = tuple("" if one is _ABSENT else words.value(one) for one in values)
    return Row(section, words.flat_text(name), cells, differs and len(values) > 1)


def _metric_rows(store: Store, runs: Sequence[RunInfo], view: View) -> list[Row]:
    found = store.metric_summaries([run.id for run in runs])
    by_run = [{(one.name, one.source): one for one in found[run.id]} for run in runs]
    repeated = () if view.inferred else repeated_metrics(store, [run.id for run in runs])
    base = next((place for place, run in enumerate(runs) if run.id == view.baseline), None)
    rows = []
    for name, source in _keys(by_run):
        if source == MetricSource.SYSTEM or (source == MetricSource.INFERRED and name in repeated):
            continue
        summaries = [metrics.get((name, source)) for metrics in by_run]
        mark = "" if source == MetricSource.LOGGED else f" ({source})"
        lasts = [None if one is None else one.last for one in summaries]
        label = words.flat_text(name) + mark
        rows.append(Row("metrics", label, _against(lasts, base)))
        if any(one is not None and one.better for one in summaries):
            bests = [None if one is None else one.best for one in summaries]
            steps = ["" if one is None or one.best is None else f" at {one.best_step:,}" for one in summaries]
            cells = tuple(cell + step for cell, step in zip(_against(bests, base), steps, strict=True))
            rows.append(Row("metrics", f"{label}, best", cells))
    return rows


def _against(values: Sequence[float | None], base: int | None) -> tuple[str, ...]:
    """Each value, and how far it is from that of the baseline, which stands at ``base``."""
    compared = None if base is None else values[base]
    cells = []
    for place, value in enumerate(values):
        text = "" if value is None else words.number(value)
        if value is not None and compared is not None and place != base:
            apart = words.difference(value, compared)
            text += f"  {apart}" if apart else ""
        cells.append(text)
    return tuple(cells)


def _summary_rows(store: Store, runs: Sequence[RunInfo]) -> list[Row]:
    """What people put into the summary themselves; last values of metrics have their own lines."""
    names = {info.name for infos in store.metrics([run.id for run in runs]).values() for info in infos}
    summaries = [
        words.flatten({key: item for key, item in run.summary.items() if key not in names}) for run in runs
    ]
    return [_row("summary", key, [one.get(key, _ABSENT) for one in summaries]) for key in _keys(summaries)]


def _keys(mappings: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))


def _text(labels: Sequence[str], rows: Sequence[Row]) -> str:
    lines = [["", "", *labels]]
    section = ""
    for row in rows:
        shown = row.section if row.section != section else ""
        section = row.section
        lines.append([shown, f"{MARK if row.differs else ' '} {row.name}", *row.cells])
    return columns_of_text(lines)


def columns_of_text(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells with their columns aligned, two spaces apart."""
    widths = [max(_columns(line[place]) for line in lines) for place in range(len(lines[0]))]
    padded = [
        "  ".join(cell + " " * (width - _columns(cell)) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    return "\n".join(line.rstrip() for line in padded)


def _columns(text: str) -> int:
    """Columns of a terminal that ``text`` takes."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def _html(
    labels: Sequence[str], rows: Sequence[Row], runs: Sequence[RunInfo], styles: Sequence[LineStyle]
) -> str:
    heads = "".join(
        f'<th scope="col" title="{escape(run.id)}"><i class="chip {style.dash}"'
        f' style="--light:{style.light};--dark:{style.dark}"'
        f' data-run="{escape(run.id)}"></i>{escape(label)}</th>'
        for label, run, style in zip(labels, runs, styles, strict=True)
    )
    body, section = [], ""
    for row in rows:
        if row.section != section:
            section = row.section
            body.append(f'<tr class="section"><th colspan="{len(labels) + 1}">{escape(section)}</th></tr>')
        cells = "".join(f"<td{_cell_class(row, cell)}>{escape(cell)}</td>" for cell in row.cells)
        mark = f' <span class="mark" title="the runs differ">{MARK}</span>' if row.differs else ""
        kind = ' class="differs"' if row.differs else ""
        body.append(f'<tr{kind}><th scope="row">{escape(row.name)}{mark}</th>{cells}</tr>')
    head = f"<thead><tr><td></td>{heads}</tr></thead>"
    return f'<table class="trackside-table">{head}<tbody>{"".join(body)}</tbody></table>'


def _cell_class(row: Row, cell: str) -> str:
    if row.name == "status" and row.section == "run":
        return f' class="state {escape(cell)}"'
    return ' class="absent"' if not cell else ""
