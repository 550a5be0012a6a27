"""Recorded iopub messages, folded: what a front end would show in the end, as nbformat or as few messages.

Rules of the Jupyter messaging protocol: adjacent text of one stream is joined (``\\r`` is kept),
``update_display_data`` changes every display of that id, in whichever cell, ``clear_output(wait=True)``
clears when the next output comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernel_magics.model import counted

Output = dict[str, Any]
Shown = tuple[str, dict[str, Any]]
"""Type and content of a message that shows something."""
_OUTPUTS = frozenset({"stream", "display_data", "execute_result", "error"})


class Folder:
    """Folds the messages of one run, cell by cell, in the order in which they were recorded.

    Args:
        adopts: an update of a display that none of these cells made (another run did, or a cell that was not
            tracked) is shown by the cell that updates, as a display of its own; else it changes nothing here.
    """

    def __init__(self, *, adopts: bool = False) -> None:
        self._adopts = adopts
        self._shown: dict[str, list[Shown]] = {}
        self._more: dict[str, list[str]] = {}  # text that follows a cell's last stream, joined when asked for
        self._clear: set[str] = set()
        self._displays: dict[str, list[dict[str, Any]]] = {}

    def outputs(self, cell: str) -> list[Output]:
        """The outputs of a cell after the messages so far, as nbformat has them."""
        return [_output(kind, content) for kind, content in self._of(cell)]

    def messages(self, cell: str) -> list[Shown]:
        """Messages that show the same; display ids are kept, and what is to be cleared by the next output."""
        clear: list[Shown] = [("clear_output", {"wait": True})] if cell in self._clear else []
        return [*self._of(cell), *clear]

    def add(self, cell: str, kind: str, content: Mapping[str, Any]) -> None:
        """One message. Kinds that show nothing in the cell itself (comms, widgets, input) pass."""
        if kind == "update_display_data":
            self._update(cell, content)
        elif kind == "clear_output":
            if content.get("wait"):
                self._clear.add(cell)
            else:
                self._empty(cell)
        elif kind == "cut":
            self._append(cell, "stream", {"name": "stderr", "text": _cut(content)})
        elif kind in _OUTPUTS:
            self._append(cell, kind, _checked(kind, content))
            display = _display_id(content)
            if display is not None:
                last = self._of(cell)[-1][1]
                last["transient"] = {"display_id": display}
                self._displays.setdefault(display, []).append(last)

    def _of(self, cell: str) -> list[Shown]:
        shown = self._shown.setdefault(cell, [])
        if cell in self._more:
            shown[-1][1]["text"] += "".join(self._more.pop(cell))
        return shown

    def _empty(self, cell: str) -> None:
        self._clear.discard(cell)
        self._more.pop(cell, None)
        self._shown[cell] = []

    def _append(self, cell: str, kind: str, content: dict[str, Any]) -> None:
        if cell in self._clear:
            self._empty(cell)
        shown = self._shown.setdefault(cell, [])
        last_kind, last = shown[-1] if shown else ("", {})
        if kind == last_kind == "stream" and last["name"] == content["name"]:
            self._more.setdefault(cell, []).append(content["text"])
        else:
            self._of(cell).append((kind, content))

    def _update(self, cell: str, content: Mapping[str, Any]) -> None:
        display = _display_id(content) or ""
        if self._adopts and display and display not in self._displays:
            self.add(cell, "display_data", content)
        for shown in self._displays.get(display, ()):
            shown["data"] = _mapping(content.get("data"))
            shown["metadata"] = _mapping(content.get("metadata"))


def _output(kind: str, content: Mapping[str, Any]) -> Output:
    return {"output_type": kind, **{key: value for key, value in content.items() if key != "transient"}}


def _checked(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a message as the protocol wants it, whatever was recorded."""
    if kind == "stream":
        return {"name": str(content.get("name", "stdout")), "text": str(content.get("text", ""))}
    if kind == "error":
        traceback = content.get("traceback")
        lines = [str(line) for line in traceback] if isinstance(traceback, list) else []
        return {
            "ename": str(content.get("ename", "")),
            "evalue": str(content.get("evalue", "")),
            "traceback": lines,
        }
    shown = {"data": _mapping(content.get("data")), "metadata": _mapping(content.get("metadata"))}
    return {**shown, "execution_count": content.get("execution_count")} if kind == "execute_result" else shown


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _display_id(content: Mapping[str, Any]) -> str | None:
    display = _mapping(content.get("transient")).get("display_id")
    return display if isinstance(display, str) else None


def _count(value: object) -> int:
    """A count as a frame has it; 0 when it is none."""
    return value if type(value) is int and 0 <= value < 1 << 63 else 0


def _cut(content: Mapping[str, Any]) -> str:
    messages, size, limit = (_count(content.get(key)) for key in ("messages", "bytes", "limit"))
    return (
        f"\n[Trackside left out {counted(messages, 'message')} of {counted(size, 'byte')} here:"
        f" a cell's record ends at {limit:,} bytes.]\n"
    )
