"""The live line of ``%gpu_provision``: one display, as text and as HTML, that tells how far it has come."""

from __future__ import annotations

import html
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

Publish = Callable[..., Any]
"""``display_pub.publish(data, transient=…, update=…)``."""


@dataclass(frozen=True)
class Step:
    """One stage: what happens, and since when (seconds of :func:`time.monotonic`)."""

    text: str
    began: float


class Progress:
    """Shows the stages of getting a kernel, the last one live, by updating one display.

    Args:
        publish: IPython's ``display_pub.publish``.
        title: what is being done ("a100 or cpu").
    """

    def __init__(self, publish: Publish, title: str) -> None:
        self._publish = publish
        self._title = title
        self._display_id = uuid.uuid4().hex
        self._began = time.monotonic()
        self._steps: List[Step] = []
        self._shown = False

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    def step(self, text: str) -> None:
        """A new stage has begun, or the running one has news (the same words before the colon)."""
        subject = text.split(":")[0]
        if self._steps and self._steps[-1].text.split(":")[0] == subject:
            self._steps[-1] = Step(text, self._steps[-1].began)
        else:
            self._steps.append(Step(text, time.monotonic()))
        self._show("running", "")

    def ready(self, text: str) -> None:
        """All done."""
        self._show("ready", f"{text} Ready after {self.elapsed_s:.1f} s.")

    def failed(self, told: str = "") -> None:
        """It did not work; the error is shown by whoever raises it, or, where nobody does, by ``told``."""
        self._show("failed", told)

    def _show(self, state: str, last: str) -> None:
        lines = _lines(self._steps, state)
        data = {
            "text/plain": "\n".join(
                [self._title, *(f"  {mark} {text}" for mark, text in lines), last]
            ).rstrip(),
            "text/html": _html(self._title, lines, last),
        }
        transient: Dict[str, Any] = {"display_id": self._display_id}
        self._publish(data, transient=transient, update=self._shown)
        self._shown = True


def _lines(steps: Sequence[Step], state: str) -> List[Tuple[str, str]]:
    marks = ["✓"] * len(steps)
    if marks and state != "ready":
        marks[-1] = "…" if state == "running" else "✗"
    return [(mark, step.text) for mark, step in zip(marks, steps, strict=True)]


def _html(title: str, lines: Sequence[Tuple[str, str]], last: str) -> str:
    left = "style='text-align:left'"
    rows = "".join(f"<tr><td>{mark}</td><td {left}>{html.escape(text)}</td></tr>" for mark, text in lines)
    end = f"<div><b>{html.escape(last)}</b></div>" if last else ""
    return (
        "<div class='trackside-progress' style='font-size:0.95em'>"
        f"<div><b>{html.escape(title)}</b></div><table style='margin:0'>{rows}</table>{end}</div>"
    )


class StatusDisplay:
    """One display of a table and what else there is to say, as it becomes known.

    Args:
        publish: IPython's ``display_pub.publish``.
        table: of :func:`status_table`.
    """

    def __init__(self, publish: Publish, table: Dict[str, str]) -> None:
        self._publish, self._table = publish, table
        self._display_id = uuid.uuid4().hex
        self._shown: Optional[Tuple[str, ...]] = None

    def show(self, paragraphs: Sequence[str]) -> None:
        """The table and these paragraphs; nothing happens if they are those of before."""
        if self._shown == tuple(paragraphs):
            return
        text = "\n".join([self._table["text/plain"], *paragraphs])
        more = "".join(f"<div style='margin-top:0.5em'>{html.escape(each)}</div>" for each in paragraphs)
        data = {"text/plain": text, "text/html": self._table["text/html"] + more}
        transient = {"display_id": self._display_id}
        self._publish(data, transient=transient, update=self._shown is not None)
        self._shown = tuple(paragraphs)


def status_table(
    leases: Sequence[Any],
    current: Optional[str],
    down_since: Optional[float],
    being_got: Optional[str] = None,
) -> Dict[str, str]:
    """The live leases as a table, as text and as HTML.

    Args:
        current: id of the one this notebook's cells run on; ``down_since``: when the line to it broke.
        being_got: what is being got for it in the background, as typed.
    """
    where = next((lease.name for lease in leases if lease.id == current), None)
    head = f"Cells of this notebook run on {where!r}." if where else "Cells of this notebook run here."
    if down_since is not None:
        head += f" No line to it since {_clock(down_since)}; it is tried again."
    if being_got is not None:
        head += f" {being_got} is being got for it: %gpu_attach waits for it, %gpu_release calls it off."
    rows = [
        (
            lease.name,
            lease.device,
            lease.machine or lease.target,
            str(lease.state),
            f"since {_clock(lease.created)}",
            price_text(lease.usd_per_hour, lease.price_as_of),
            Path(lease.notebook).name if lease.notebook else "",
        )
        for lease in leases
    ]
    return _table(head, ("name", "device", "machine", "state", "", "price", "notebook"), rows)


class OffersTable:
    """One display that shows what is known, and changes as slow targets answer.

    Args:
        publish: IPython's ``display_pub.publish``.
        asked: what was asked for, as typed.
    """

    def __init__(self, publish: Publish, asked: Sequence[str]) -> None:
        self._publish, self._asked = publish, asked
        self._display_id = uuid.uuid4().hex
        self._shown = False

    def show(self, surveys: Sequence[Any]) -> None:
        """The answers to each request so far (:class:`gpu_provisioner.catalog.Survey`)."""
        table = _offers(list(zip(self._asked, surveys, strict=True)))
        self._publish(table, transient={"display_id": self._display_id}, update=self._shown)
        self._shown = True


def _offers(surveys: Sequence[Tuple[str, Any]]) -> Dict[str, str]:
    """What the targets offer for each request, and what those that offer nothing have."""
    rows: List[Tuple[str, ...]] = []
    for text, survey in surveys:
        for offer in survey.offers:
            price = price_text(offer.usd_per_hour, offer.price_as_of)
            rows.append((text, offer.target, offer.device, offer.detail, price))
        rows += [(text, target, "–", inventory, "") for target, inventory in survey.inventories]
        rows += [(text, problem.target, "?", problem.message, "") for problem in survey.problems]
        rows += [(text, target, "…", "no answer yet", "") for target in survey.waiting]
    return _table("Nothing is rented by looking.", ("asked", "target", "device", "", "price"), rows)


def price_text(usd_per_hour: Optional[float], as_of: Optional[str]) -> str:
    """``≈ $2.70/h (2026-09-20)``, or nothing where no price is known."""
    if usd_per_hour is None:
        return ""
    return f"≈ ${usd_per_hour:.2f}/h" + (f" ({as_of})" if as_of else "")


def _table(head: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Dict[str, str]:
    widths = [max(len(cell) for cell in column) for column in zip(columns, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (columns, *rows)
    ]
    cells = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    names = "".join(f"<th style='text-align:left'>{html.escape(name)}</th>" for name in columns)
    table = f"<table><thead><tr>{names}</tr></thead><tbody>{cells}</tbody></table>" if rows else ""
    text = "\n".join([head, *(f"  {line}" for line in lines)]) if rows else head
    return {"text/plain": text, "text/html": f"<div>{html.escape(head)}</div>{table}"}


def _clock(seconds: float) -> str:
    same_day = time.strftime("%F", time.localtime(seconds)) == time.strftime("%F")
    return time.strftime("%H:%M" if same_day else "%F %H:%M", time.localtime(seconds))
