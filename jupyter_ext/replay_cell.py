"""What one cell shows, for a page that was not there: what is whose, and how little says the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence, Set
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


class CellFilters:
    """Picks the messages that change what some cells show, out of all that their kernel says in order.

    Args:
        starts: key of each cell to the position at which it begins: what stands before is not its own.
    """

    def __init__(self, starts: Mapping[str, int]) -> None:
        self._starts = dict(starts)
        self._displays: dict[str, dict[str, None]] = {}  # display id to the cells that show it
        self._widgets = OutputWidgets()

    @property
    def keys(self) -> Set[str]:
        """The cells."""
        return self._starts.keys()

    def drop(self, keys: Iterable[str]) -> None:
        """These cells are somebody else's now."""
        for key in keys:
            self._starts.pop(key, None)

    def shown(self, at: int, parent: str, kind: str, content: bytes) -> list[tuple[str, Shown]]:
        """The message at position ``at`` for each of the cells in which it shows something: the one that says
        it, or those whose display any cell updates.

        What goes into an ``ipywidgets.Output`` is shown by that widget, which the kernel gives back itself.

        Raises:
            ValueError: it is none.
        """
        if kind in _WIDGETS:
            self._widgets.watch(Message("", "", kind, content))
        elif kind == "update_display_data":
            update = _object(content)
            showing = self._displays.get(_display_id(update) or "", {})
            return [(key, (kind, update)) for key in showing if key in self._starts]
        elif at > self._starts.get(parent, at):
            if kind in _ASKS:
                return [(parent, (kind, _object(content)))]
            if kind in _SHOWS and self._widgets.target(parent) is None:
                return [(parent, self._remember(parent, kind, _object(content)))]
        return []

    def _remember(self, key: str, kind: str, content: dict[str, Any]) -> Shown:
        display = _display_id(content)
        if display is not None:
            self._displays.setdefault(display, {})[key] = None
        return kind, content


class Heard:
    """What a cell has shown so far, as a page is told of it.

    Args:
        whole: the page has nothing of it yet: it gets messages that show what all of these show in the end,
            and a question that nobody has answered yet comes last. Else it gets all of them, text joined.
    """

    def __init__(self, *, whole: bool) -> None:
        self._folder = Folder() if whole else None
        self._asked: Shown | None = None
        self._all: list[Shown] = []

    def add(self, shown: Shown) -> None:
        """The next message."""
        if self._folder is None:
            self._all.append(shown)
        else:
            self._asked = shown if shown[0] == "input_request" else None
            self._folder.add("", *shown)

    def messages(self) -> list[Shown]:
        """What to tell."""
        if self._folder is None:
            return joined(self._all)
        return [*self._folder.messages(""), *([self._asked] if self._asked else [])]


def _object(content: bytes) -> dict[str, Any]:
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError("the content of a message is an object")
    return found


def folded(messages: Iterable[Shown]) -> list[Shown]:
    """Messages that show what all of these show in the end; a question nobody has answered yet comes last."""
    heard = Heard(whole=True)
    for message in messages:
        heard.add(message)
    return heard.messages()


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
