"""Everything that happened to the compared runs as a table in a page, also what has no place on any chart."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from . import words
from .marks import Happened

MOST_EVENTS = 200
"""Rows; of runs that report without end the newest."""


def events_html(found: Sequence[Happened], labels: Sequence[str]) -> str:
    """A section with a row for each event, oldest first; "" when nothing was reported."""
    rows = [(event, label) for one, label in zip(found, labels, strict=True) for event in one.events]
    if not rows:
        return ""
    rows.sort(key=lambda row: float("inf") if row[0]["time"] is None else float(row[0]["time"]))
    body = []
    for event, label in rows[-MOST_EVENTS:]:
        when = "–" if event["time"] is None else words.moment(event["time"])
        step = "–" if event["step"] is None else f"{event['step']:,}"
        detail = escape(words.flat_text(event["detail"]))
        cells = (
            escape(when),
            step,
            escape(label),
            f"<b>{escape(words.flat_text(event['name']))}</b> {detail}",
        )
        body.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    left = len(rows) - len(body)
    note = f'<p class="quiet">{left:,} earlier events are not shown.</p>' if left else ""
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("time", "step", "run", "what"))
    table = f"<thead><tr>{heads}</tr></thead><tbody>{''.join(body)}</tbody>"
    return (
        f'<section class="scroll events"><h2>Events</h2>{note}'
        f'<table class="trackside-table">{table}</table></section>'
    )
