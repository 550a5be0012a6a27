"""What one cell shows, for a page that was not there: what is whose, and how little says the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from kernel_magics.store.folding import Folder
from kernel_magics.tracking.capture import OutputWidgets
from kernel_magics.tracking.cell_host import Message

Shown = tuple[str, dict[str, Any]]
"""Type and content of a message."""

_SHOWS = frozenset({"stream", "display_data", "execute_result", "error", "clear_output"})
_WIDGETS = frozenset({"comm_msg", "comm_close"})
_ASKS = frozenset({"input_request", "input_done"})


@dataclass(frozen=True)
class Page:
    """A page that shows a notebook.

    Attributes:
        kernel: Jupyter Server's id of its kernel.
        notebook: the notebook's file.
        saved: when that was saved, in seconds since the epoch; 0.0 if it never was.
    """

    kernel: str | None
    notebook: str | None
    saved: float

    def is_mine(self, notebook: str | None, kernel: str | None) -> bool:
        """Whether a cell of that notebook or kernel may be this page's: notebooks are renamed."""
        return (kernel is not None and kernel == self.kernel) or (
            notebook is not None and notebook == self.notebook
        )


@dataclass(frozen=True)
class Cell:
    """One execution of one cell, as a page is told of it.

    Attributes:
        key: the request's ``msg_id``.
        session: of the front-end that asked.
    """

    key: str
    cell_id: str
    session: str | None
    running: bool
    execution_count: int | None


@dataclass(frozen=True)
class Part:
    """What came of one cell.

    Attributes:
        position: where to go on after it, in bytes of the source.
    """

    key: str
    position: int
    messages: Sequence[Shown]


class CellFilter:
    """Picks the messages that change what a cell shows, out of all that its kernel says in order."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._displays: set[str] = set()
        self._widgets = OutputWidgets()

    def shown(self, parent: str, kind: str, content: bytes) -> Shown | None:
        """The message, if it shows something in this cell: its own, or another's update of its displays.

        What goes into an ``ipywidgets.Output`` is shown by that widget, which the kernel gives back itself.

        Raises:
            ValueError: it is none.
        """
        if kind in _WIDGETS:
            self._widgets.watch(Message("", "", kind, content))
            return None
        if parent == self._key:
            if kind in _ASKS:
                return kind, _object(content)
            if kind in _SHOWS and self._widgets.target(parent) is None:
                return self._remember(kind, _object(content))
        if kind == "update_display_data":
            update = _object(content)
            return (kind, update) if _display_id(update) in self._displays else None
        return None

    def _remember(self, kind: str, content: dict[str, Any]) -> Shown:
        display = _display_id(content)
        if display is not None:
            self._displays.add(display)
        return kind, content


def _object(content: bytes) -> dict[str, Any]:
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError("the content of a message is an object")
    return found


def folded(messages: Iterable[Shown]) -> list[Shown]:
    """Messages that show what all of these show in the end; a question nobody has answered yet comes last."""
    folder, asked = Folder(), None
    for kind, content in messages:
        asked = (kind, content) if kind == "input_request" else None
        folder.add("", kind, content)
    return [*folder.messages(""), *([asked] if asked else [])]


def joined(messages: Iterable[Shown]) -> list[Shown]:
    """The same messages; adjacent text of one stream is one message."""
    found: list[Shown] = []
    for stream, some in groupby(map(_plain, messages), _stream):
        if stream is None:
            found += some
        else:
            texts = [content["text"] for _kind, content in some]
            found.append(("stream", {"name": stream, "text": "".join(texts)}))
    return found


def _plain(message: Shown) -> Shown:
    return folded([message])[0] if message[0] in ("cut", "stream") else message


def _stream(message: Shown) -> str | None:
    """The name of the stream that the message is of."""
    return message[1]["name"] if message[0] == "stream" else None


def _display_id(content: dict[str, Any]) -> str | None:
    transient = content.get("transient")
    display = transient.get("display_id") if isinstance(transient, dict) else None
    return display if isinstance(display, str) else None
