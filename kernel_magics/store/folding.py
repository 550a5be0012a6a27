"""Recorded iopub messages to nbformat outputs: what a front end would show in the end.

Rules of the Jupyter messaging protocol: adjacent text of one stream is joined (``\\r`` is kept),
``update_display_data`` changes every display of that id, in whichever cell, ``clear_output(wait=True)``
clears when the next output comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Output = dict[str, Any]
_OUTPUTS = frozenset({"stream", "display_data", "execute_result", "error"})


class Folder:
    """Folds the messages of one run, cell by cell, in the order in which they were recorded."""

    def __init__(self) -> None:
        self._outputs: dict[str, list[Output]] = {}
        self._clear: set[str] = set()
        self._displays: dict[str, list[Output]] = {}

    def outputs(self, cell: str) -> list[Output]:
        """The outputs of a cell after the messages so far."""
        return self._outputs.setdefault(cell, [])

    def add(self, cell: str, kind: str, content: Mapping[str, Any]) -> None:
        """One message. Kinds that show nothing in the cell itself (comms, widgets, input) pass."""
        outputs = self.outputs(cell)
        if kind == "update_display_data":
            self._update(content)
        elif kind == "clear_output":
            if content.get("wait"):
                self._clear.add(cell)
            else:
                self._clear.discard(cell)
                outputs.clear()
        elif kind == "cut":
            self._append(cell, {"output_type": "stream", "name": "stderr", "text": _cut(content)})
        elif kind in _OUTPUTS:
            self._append(cell, _output(kind, content))
            display = _display_id(content)
            if display is not None:
                self._displays.setdefault(display, []).append(outputs[-1])

    def _append(self, cell: str, output: Output) -> None:
        outputs = self.outputs(cell)
        if cell in self._clear:
            self._clear.discard(cell)
            outputs.clear()
        last = outputs[-1] if outputs else None
        joins = last is not None and output["output_type"] == last["output_type"] == "stream"
        if last is not None and joins and last["name"] == output["name"]:
            last["text"] += output["text"]
        else:
            outputs.append(output)

    def _update(self, content: Mapping[str, Any]) -> None:
        for output in self._displays.get(_display_id(content) or "", ()):
            output["data"] = _mapping(content.get("data"))
            output["metadata"] = _mapping(content.get("metadata"))


def _output(kind: str, content: Mapping[str, Any]) -> Output:
    if kind == "stream":
        return {
            "output_type": kind,
            "name": str(content.get("name", "stdout")),
            "text": str(content.get("text", "")),
        }
    if kind == "error":
        traceback = content.get("traceback")
        lines = [str(line) for line in traceback] if isinstance(traceback, list) else []
        return {
            "output_type": kind,
            "ename": str(content.get("ename", "")),
            "evalue": str(content.get("evalue", "")),
            "traceback": lines,
        }
    output = {
        "output_type": kind,
        "data": _mapping(content.get("data")),
        "metadata": _mapping(content.get("metadata")),
    }
    return (
        {**output, "execution_count": content.get("execution_count")} if kind == "execute_result" else output
    )


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _display_id(content: Mapping[str, Any]) -> str | None:
    display = _mapping(content.get("transient")).get("display_id")
    return display if isinstance(display, str) else None


def _cut(content: Mapping[str, Any]) -> str:
    messages, size = int(content.get("messages") or 0), int(content.get("bytes") or 0)
    limit = int(content.get("limit") or 0)
    return (
        f"\n[Trackside left out {messages:,} messages of {size:,} bytes here:"
        f" a cell's record ends at {limit:,} bytes.]\n"
    )
