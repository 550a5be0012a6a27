"""The comparison as one HTML file: charts, tables and outputs, nothing loaded from anywhere."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from kernel_magics.errors import DataFolderError
from kernel_magics.model import RunInfo, RunStatus, counted

from . import words
from .charts import LineKey, compare_figures, line_key
from .happened import events_html
from .marks import happened
from .media import MOST_BYTES, media_html
from .metrics import repeated_metrics
from .outputs import cells_html
from .page_style import SCRIPT, STYLE
from .palette import LineStyle, coloured, line_style
from .table import comparison_table, run_labels
from .view import RunGroup, View

if TYPE_CHECKING:
    from kernel_magics.store.store import Store

_BRIEF_BYTES = 4_000_000
"""Of media in a page that a notebook keeps."""


def write_html(
    store: Store, run_ids: Sequence[str], path: str | os.PathLike[str], view: View | str = "auto"
) -> Path:
    """Writes the comparison of some runs as a page that works offline; answers its path.

    Raises:
        UnknownRun: there is no such run.
        UsageMistake: the view makes no sense.
        DataFolderError: the file cannot be written.
    """
    target = Path(path)
    page = comparison_page(store, run_ids, view)
    try:
        target.write_text(page, encoding="utf-8")
    except OSError as error:
        raise DataFolderError(
            f"The page was not written: {error.strerror} ({target}).", "name another file"
        ) from error
    return target


def comparison_page(
    store: Store, run_ids: Sequence[str], view: View | str = "auto", *, brief: bool = False, note: str = ""
) -> str:
    """The page as text.

    Args:
        brief: without the outputs of the cells (for a notebook, which has them already).
        note: a sentence below the title.
    """
    from bokeh.embed import components
    from bokeh.resources import Resources

    view = View.of(view)
    runs = [store.run(run_id) for run_id in run_ids]
    view.check(run_ids)
    view = coloured(store, runs, view)
    labels, styles = run_labels(runs), {run.id: line_style(view.styles[run.id]) for run in runs}
    key, table = line_key(runs, view), comparison_table(store, run_ids, view)
    figures = compare_figures(store, run_ids, view, legend=False)
    script, divs = components(tuple(figures)) if figures else ("", ())
    charts = "".join(
        f'<div class="chart" data-metric="{escape(str(figure.name))}">{div}</div>'
        for figure, div in zip(figures, divs, strict=True)
    )
    body = [
        _head(runs, note),
        _notes(view, [] if view.inferred else repeated_metrics(store, run_ids)),
        _legend(runs, labels, styles, view) if key.groups is None else _group_legend(key, key.groups, view),
        f'<section class="charts">{charts or "<p class=quiet>No metric was logged.</p>"}</section>',
        f'<section class="scroll"><h2>Side by side</h2>{table.html}</section>',
        events_html(happened(store, runs), labels),
        media_html(store, runs, labels, MOST_BYTES if not brief else _BRIEF_BYTES),
        "" if brief else _outputs(store, runs, labels, styles),
    ]
    resources = Resources(mode="inline", components=["bokeh"]).render() if figures else ""
    title = escape(page_title(runs))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        f"<style>{STYLE}</style>{resources}</head><body{' class=brief' if brief else ''}>"
        f"<main>{''.join(body)}</main>{script}<script>{SCRIPT}</script></body></html>\n"
    )


def page_title(runs: Sequence[RunInfo]) -> str:
    projects = list(dict.fromkeys(run.project for run in runs if run.project))
    many = counted(len(runs), "run")
    return f"{' + '.join(projects)} · {many}" if projects else many


def _head(runs: Sequence[RunInfo], note: str) -> str:
    when = f"Trackside · {made(runs, time.time())}"
    return f'<header><h1>{escape(page_title(runs))}</h1><p class="quiet">{escape(note or when)}</p></header>'


def made(runs: Sequence[RunInfo], now: float) -> str:
    """When a page was made, and over which time its runs went, in local time; ``now`` in seconds since the
    epoch."""
    said = f"made {words.moment(now)} {time.strftime('%Z', time.localtime(now))}"
    started = [run.created for run in runs if run.created]
    if not started:
        return said
    running = any(run.status == RunStatus.RUNNING for run in runs)
    first = words.moment(min(started))
    last = words.moment(max([*started, *(run.finished for run in runs if run.finished)]))
    same_day = last[:10] == first[:10]
    until = "" if last == first else f" to {last[11:] if same_day else last}"
    goes_on = "" if not running else " and on" if len(runs) == 1 else ", some still going on"
    return f"{said} · {'run' if len(runs) == 1 else 'runs'} of {first}{until}{goes_on}"


def _legend(runs: Sequence[RunInfo], labels: Sequence[str], styles: dict[str, LineStyle], view: View) -> str:
    cards = []
    for run, label in zip(runs, labels, strict=True):
        took = words.run_duration(run)
        known = (str(run.status), took, words.run_cost(run), "baseline" if run.id == view.baseline else "")
        about = " · ".join(part for part in known if part)
        cards.append(
            f'<li title="{escape(run.id)}">{_chip(run.id, styles[run.id])}<b>{escape(label)}</b>'
            f'<span class="state {run.status}">{escape(about)}</span></li>'
        )
    return f'<ul class="legend">{"".join(cards)}</ul>'


def _group_legend(key: LineKey, groups: Sequence[RunGroup], view: View) -> str:
    band = "with least and greatest" if view.band == "range" else "± the standard deviation"
    cards = []
    for group in groups:
        style, label = key.of(group.run_ids[0])
        many = counted(len(group.run_ids), "run")
        base = " · baseline" if view.baseline in group.run_ids else ""
        cards.append(
            f"<li>{_chip(group.run_ids[0], style)}<b>{escape(label)}</b>"
            f'<span class="state">mean of {many}, {band}{base}</span></li>'
        )
    return f'<ul class="legend">{"".join(cards)}</ul>'


def _notes(view: View, repeated: Sequence[str]) -> str:
    """What somebody wrote, letter by letter, how the lines were made, and what is left out."""
    smooth = f"Smoothed with weight {view.smoothing:g}; as recorded, faint behind." if view.smoothing else ""
    names = ", ".join(map(words.flat_text, repeated))
    left = f"Read from the output as well, and not shown again: {names}." if names else ""
    made = "".join(f'<p class="quiet">{escape(text)}</p>' for text in (smooth, left) if text)
    said = f'<section class="notes">{escape(view.notes)}</section>' if view.notes.strip() else ""
    return said + made


def _chip(run_id: str, style: LineStyle) -> str:
    return (
        f'<i class="chip {style.dash}" style="--light:{style.light};--dark:{style.dark}"'
        f' data-run="{escape(run_id)}"></i>'
    )


def _outputs(
    store: Store, runs: Sequence[RunInfo], labels: Sequence[str], styles: dict[str, LineStyle]
) -> str:
    columns = []
    for run, label in zip(runs, labels, strict=True):
        cells = cells_html(store.outputs(run.id), run.facts)
        columns.append(f"<article><h3>{_chip(run.id, styles[run.id])}{escape(label)}</h3>{cells}</article>")
    return f'<section><h2>Outputs</h2><div class="outputs">{"".join(columns)}</div></section>'
