"""Runs as a list: newest first, what tells them apart, what they came to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from kernel_magics.model import MetricSource, RunInfo
from kernel_magics.store import filters

from . import words
from .palette import LineStyle, line_style, list_slots, preferred_slot
from .table import columns_of_text

if TYPE_CHECKING:
    from kernel_magics.store.store import Store

MOST_METRICS = 4
MOST_KEYS = 5
_COMPARISON = re.compile(r"[=<>~]")


@dataclass(frozen=True)
class RunsListing:
    """A list of runs for a terminal and for a notebook."""

    text: str
    html: str

    def _repr_mimebundle_(self, **_selection: object) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.html}


def runs_listing(store: Store, runs: Sequence[RunInfo], note: str = "") -> RunsListing:
    """A line for each run: name, project, state, duration, the settings in which these runs differ, last
    metrics.

    Args:
        note: a sentence below the list.
    """
    keys, metrics = _differing_keys(runs), _metrics(store, runs)
    costs = [words.run_cost(run) for run in runs]
    cost_head = ["cost"] if any(words.price_source(run) for run in runs) else []
    heads = ["run", "id", "project", "status", "started", "duration", *cost_head, *keys, *metrics]
    lines = []
    for run, cost in zip(runs, costs, strict=True):
        config, summary = words.flatten(run.config), run.summary
        lines.append(
            [
                *(words.flat_text(run.name), run.id, words.flat_text(run.project), str(run.status)),
                *(words.moment(run.created), words.run_duration(run)),
                *([cost] if cost_head else []),
                *(words.value(config[key]) if key in config else "" for key in keys),
                *(words.value(summary[name]) if name in summary else "" for name in metrics),
            ]
        )
    heads = [words.flat_text(head) for head in heads]
    slots = list_slots(store.colours()) if runs else {}
    styles = [line_style(slots.get(run.id, preferred_slot(run.id))) for run in runs]
    rows = [_html_row(*row) for row in zip(runs, lines, styles, strict=True)]
    return RunsListing(_text(heads, lines, note), _html(heads, rows, note))


def where_hints(runs: Sequence[RunInfo], where: str) -> list[str]:
    """Sentences about why a filter may mean no run: fields that none of them has, whose names may be spelled
    wrongly; quotes around all of it, as a shell wants them."""
    expression = filters.parse(where)
    hints = [f"No run has {words.flat_text(name)}." for name in filters.unknown_fields(expression, runs)]
    if isinstance(expression, filters.Search) and _COMPARISON.search(expression.text):
        hints.append("What is in quotes is looked for as it stands; a filter has none around it.")
    return hints


def known_projects(store: Store) -> str:
    """A sentence, after a space, about the projects that have runs; ``""`` where none has."""
    names = sorted({words.flat_text(run.project) for run in store.runs() if run.project})
    some = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
    return f" Projects that have some: {some}." if some else ""


def _differing_keys(runs: Sequence[RunInfo]) -> list[str]:
    configs = [words.flatten(run.config) for run in runs]
    keys = dict.fromkeys(key for config in configs for key in config)
    differing = [key for key in keys if len({words.value(config.get(key, "")) for config in configs}) > 1]
    return differing[:MOST_KEYS]


def _metrics(store: Store, runs: Sequence[RunInfo]) -> list[str]:
    """The metrics that most of these runs logged."""
    often: dict[str, int] = {}
    for infos in store.metrics([run.id for run in runs]).values():
        for info in infos:
            if info.source == MetricSource.LOGGED:
                often[info.name] = often.get(info.name, 0) + 1
    return sorted(often, key=lambda name: -often[name])[:MOST_METRICS]


def _text(heads: Sequence[str], lines: Sequence[Sequence[str]], note: str) -> str:
    if not lines:
        return note
    return columns_of_text([heads, *lines]) + (f"\n\n{note}" if note else "")


_STYLE = """
.trackside-runs{font-variant-numeric:tabular-nums;border-collapse:collapse;font-size:13px;margin:4px 0}
.trackside-runs th,.trackside-runs td{text-align:left!important;padding:3px 16px 3px 6px;white-space:nowrap;
border-bottom:1px solid rgba(128,128,128,.25);background:none}
.trackside-runs thead th{font-weight:600}
.trackside-runs i{display:inline-block;width:16px;border-top:3px solid var(--light);margin-right:8px;
vertical-align:middle}
.trackside-runs i.dashed{border-top-style:dashed}.trackside-runs i.dotted{border-top-style:dotted}
[data-jp-theme-light=false] .trackside-runs i,.vscode-dark .trackside-runs i{border-top-color:var(--dark)}
.trackside-runs code{font-size:11px;opacity:.75;background:none;white-space:nowrap!important}
.trackside-runs .finished{color:#1a8f55}.trackside-runs .running{color:#2f81f7}
.trackside-runs .failed,.trackside-runs .killed{color:#d64541}
.trackside-runs .interrupted,.trackside-runs .unknown{color:#b7791f}
"""


def _html(heads: Sequence[str], rows: Sequence[str], note: str) -> str:
    if not rows:
        return f"<p>{escape(note)}</p>"
    body = "".join(rows)
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    table = f'<table class="trackside-runs"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f"<style>{_STYLE}</style>{table}" + (f"<p>{escape(note)}</p>" if note else "")


def _html_row(run: RunInfo, line: Sequence[str], style: LineStyle) -> str:
    name, run_id, project, status, *rest = (escape(cell) for cell in line)
    key = f'<i class="{style.dash}" style="--light:{style.light};--dark:{style.dark}"></i>'
    detail = escape(run.status_detail)
    cells = "".join(f"<td>{cell}</td>" for cell in rest)
    return (
        f'<tr data-run-id="{run_id}"><td>{key}<b>{name}</b></td>'
        f"<td><code>{run_id}</code></td><td>{project}</td>"
        f'<td class="{status}" title="{detail}">{status}</td>{cells}</tr>'
    )
