"""What runs logged to look at, side by side in a page: one slider moves all runs to a step, offline.

All of it is untrusted: text is escaped, a picture is an ``<img>`` (in which SVG runs no script), and a page
has a frame of its own, without scripts and network.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import words

if TYPE_CHECKING:
    from kernel_magics.model import RunInfo
    from kernel_magics.store.store import Store

MOST_BYTES = 24_000_000
"""Of all media in a page. What is left out is said; the last steps are kept."""
MOST_ROWS = 200
"""Rows of a table that are shown."""
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
_WIDTH, _HEIGHT = 220, 90
_Item = Mapping[str, Any]


def media_html(
    store: Store, runs: Sequence[RunInfo], labels: Sequence[str], most_bytes: int = MOST_BYTES
) -> str:
    """A section with a row for each name and a column for each run; "" when the runs have nothing to see.

    Args:
        most_bytes: see :data:`MOST_BYTES`.
    """
    found = [store.media(run.id) for run in runs]
    kept, left = _within(found, most_bytes)
    steps = sorted({_step(item) for items in kept for item in items})
    if not steps:
        return ""
    names = dict.fromkeys(str(item.get("metric") or "") for items in kept for item in items)
    heads = "".join(f'<th scope="col">{escape(label)}</th>' for label in labels)
    rows = "".join(_row(name, kept, steps[-1]) for name in names)
    note = f'<p class="quiet">{left:,} earlier items are not in this page: it would be too large.</p>'
    last = len(steps) - 1
    slider = (
        f'<label class="steps">Step <input type="range" min="0" max="{last}" value="{last}"'
        f' data-steps="{escape(json.dumps(steps))}"{" disabled" if len(steps) == 1 else ""}'
        f' aria-label="Step of what is shown"> <output>{steps[-1]:,}</output></label>'
    )
    return (
        f'<section class="scroll media"><h2>Media</h2>{slider}{note if left else ""}'
        f"<table><thead><tr><td></td>{heads}</tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _step(item: _Item) -> int:
    return int(item.get("step") or 0)


def _within(found: Sequence[Sequence[_Item]], most: int) -> tuple[list[list[_Item]], int]:
    """The items of each run, without the earliest steps that would be too many bytes; and how many are left
    out."""
    sizes: dict[int, int] = {}
    for item in (item for items in found for item in items):
        sizes[_step(item)] = sizes.get(_step(item), 0) + int(item.get("size") or 0)
    total, first = 0, None
    for step in sorted(sizes, reverse=True):
        total += sizes[step]
        if first is not None and total > most:
            break
        first = step
    kept = [[item for item in items if _step(item) >= (first or 0)] for items in found]
    return kept, sum(map(len, found)) - sum(map(len, kept))


def _row(name: str, kept: Sequence[Sequence[_Item]], shown: int) -> str:
    ours = [[item for item in items if (item.get("metric") or "") == name] for items in kept]
    cells = "".join(_cell(items, shown) for items in ours)
    return f'<tr><th scope="row">{escape(words.flat_text(name))}</th>{cells}</tr>'


def _cell(items: Sequence[_Item], shown: int) -> str:
    """Every step of one run; of these the script shows the last that is not after the slider's."""
    by_step = {step: list(same) for step, same in groupby(sorted(items, key=_step), key=_step)}
    last = max((step for step in by_step if step <= shown), default=None)
    parts = []
    for step, same in by_step.items():
        figures = "".join(map(_figure, _latest(same)))
        hidden = "" if step == last else " hidden"
        parts.append(
            f'<div data-step="{step}"{hidden}><p class="quiet of">of step {step:,}</p>{figures}</div>'
        )
    return f"<td>{''.join(parts) or '<span class=quiet>–</span>'}</td>"


def _latest(items: Sequence[_Item]) -> Sequence[_Item]:
    """What was logged again at a step replaces what was there: the last list of items counts."""
    starts = [place for place, item in enumerate(items) if not item.get("index")]
    return items[starts[-1] :] if starts else items


def _figure(item: _Item) -> str:
    caption = str(item.get("caption") or "")
    said = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{_content(item)}{said}</figure>"


def _content(item: _Item) -> str:
    blob = item.get("blob")
    try:
        data = Path(str(blob)).read_bytes() if blob else None
    except OSError as error:
        return f'<p class="quiet">It cannot be read: {escape(error.strerror or "no such file")}.</p>'
    kind, mime = item.get("type"), str(item.get("mime") or "")
    if kind == "image" and data is not None and mime in _IMAGES:
        where = escape(f"{item.get('metric')} at step {_step(item)}")
        return f'<img alt="{where}" src="data:{mime};base64,{base64.b64encode(data).decode("ascii")}">'
    value = item.get("content") if data is None else _decoded(data)
    if kind == "table" and isinstance(value, Mapping):
        return _table(value)
    if kind == "histogram" and isinstance(value, Mapping):
        return _histogram(value)
    if kind == "html" and isinstance(value, str):
        whole = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">{value}'
        return f'<iframe class="html" sandbox="allow-same-origin" srcdoc="{escape(whole)}"></iframe>'
    return f'<p class="quiet">A page cannot show this: {escape(str(kind))}</p>'


def _decoded(data: bytes) -> Any:
    """Long texts and objects are kept as bytes; they mean the same."""
    text = data.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _table(table: Mapping[str, Any]) -> str:
    head = "".join(f"<th>{escape(words.value(name))}</th>" for name in _list(table.get("columns")))
    rows = _list(table.get("data"))
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(words.value(cell))}</td>' for cell in _list(row))}</tr>"
        for row in rows[:MOST_ROWS]
    )
    more = f'<p class="quiet">{MOST_ROWS:,} of {len(rows):,} rows</p>' if len(rows) > MOST_ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _histogram(histogram: Mapping[str, Any]) -> str:
    """Bars as wide as their bins; what lies outside of all bins is told beneath."""
    edges = [_number(one) for one in _list(histogram.get("edges"))]
    counts = [_number(one) for one in _list(histogram.get("counts"))]
    if len(edges) != len(counts) + 1 or not counts:
        return '<p class="quiet">An empty histogram.</p>'
    low, span, most = edges[0], edges[-1] - edges[0] or 1.0, max(1.0, *counts)
    scale = _WIDTH / span
    bars = "".join(
        f'<rect x="{(start - low) * scale:.2f}" width="{max(0.5, (stop - start) * scale):.2f}"'
        f' y="{_HEIGHT * (1 - count / most):.2f}" height="{_HEIGHT * count / most:.2f}"/>'
        for start, stop, count in zip(edges, edges[1:], counts, strict=False)
    )
    odd = ("nan", "posinf", "neginf", "below", "above")
    said = [f"{int(_number(histogram.get(name))):,} × {name}" for name in odd if _number(histogram.get(name))]
    beneath = ", ".join([f"{words.number(low)} … {words.number(edges[-1])}", *said])
    said_of_it = escape(f"histogram of {beneath}", quote=True)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img"'
        f' aria-label="{said_of_it}">{bars}</svg>'
        f'<p class="quiet">{escape(beneath)}</p>'
    )


def _number(value: object) -> float:
    """A finite number as a frame has it; 0 when it is none."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) <= sys.float_info.max else 0.0  # type: ignore[arg-type]
