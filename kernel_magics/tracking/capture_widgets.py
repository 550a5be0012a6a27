"""The state of a cell's widgets when it ends, so that the record can show them again without a kernel."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any, Dict, Iterable, List

from kernel_magics.tracking.cell_host import Message

MAX_STATE_BYTES = 8 * 1024 * 1024
MAX_INSIDE_BYTES = 1024 * 1024
_OUTPUT_TYPES = ("stream", "display_data", "execute_result", "error")


def widget_state(view_ids: Iterable[str]) -> bytes:
    """The ``application/vnd.jupyter.widget-state+json`` object of these widgets and all they refer to.

    ``missing`` names the widgets that cannot be shown again, and ``reason`` says why: they were closed,
    they belong to no ipywidgets, or their state is too big.
    """
    state: Dict[str, Any] = {}
    missing: List[str] = []
    reasons = set()
    for view_id in view_ids:
        try:
            state.update(_dependencies(view_id))
        except _Gone as gone:
            missing.append(view_id)
            reasons.add(str(gone))
    result: Dict[str, Any] = {"version_major": 2, "version_minor": 0, "state": state}
    if missing:
        result.update(missing=missing, reason="; ".join(sorted(reasons)))
    text = json.dumps(result, default=repr).encode()
    if len(text) <= MAX_STATE_BYTES:
        return text
    reason = f"its state has {len(text):,} bytes, more than {MAX_STATE_BYTES:,}"
    result.update(state={}, missing=[*state, *missing], reason=reason)
    return json.dumps(result).encode()


class _Gone(Exception):
    """A widget that cannot be shown again; says why."""


def _dependencies(view_id: str) -> Dict[str, Any]:
    module = sys.modules.get("ipywidgets.widgets.widget")  # never imported by us: who has widgets has it
    if module is None:
        raise _Gone("ipywidgets is not loaded")
    alive: Any = getattr(module, "_instances", None)  # ipywidgets 8
    if alive is None:
        alive = getattr(module.Widget, "widgets", {})  # ipywidgets 7
    widget = alive.get(view_id)
    if widget is None:
        raise _Gone("it was closed before the cell ended")
    from ipywidgets.embed import dependency_state

    try:
        return dict(dependency_state([widget], drop_defaults=False))
    except Exception as error:  # a widget's own code may raise anything
        raise _Gone(f"its state could not be read ({type(error).__name__}: {error})") from error


class WidgetOutputs:
    """What the ``Output`` widgets of a cell show, as nbformat outputs.

    Only a front-end writes that into the widget's own state; without one, or before it has answered, the
    kernel does not know it.
    """

    def __init__(self) -> None:
        self._shown: Dict[str, List[Dict[str, Any]]] = {}
        self._clear_next: Dict[str, bool] = {}
        self._room = MAX_INSIDE_BYTES
        self._lock = threading.RLock()

    def seen(self, widget_id: str, message: Message) -> None:
        """A message that this widget shows."""
        with self._lock:
            shown = self._shown.setdefault(widget_id, [])
            if message.type == "clear_output":
                if json.loads(message.content).get("wait"):
                    self._clear_next[widget_id] = True
                else:
                    shown.clear()
            elif message.type in _OUTPUT_TYPES and len(message.content) <= self._room:
                self._room -= len(message.content)
                if self._clear_next.pop(widget_id, False):
                    shown.clear()
                _append(shown, message.type, json.loads(message.content))

    def put_into(self, state: bytes) -> bytes:
        """A widget state with these outputs in place, where the kernel's own state has none."""
        with self._lock:
            if not self._shown:
                return state
            whole = json.loads(state)
            for widget_id, outputs in self._shown.items():
                model = whole["state"].get(widget_id)
                if model is not None and not model["state"].get("outputs"):
                    model["state"].update(outputs=outputs, msg_id="")
            return json.dumps(whole).encode()


def _append(shown: List[Dict[str, Any]], kind: str, content: Dict[str, Any]) -> None:
    content.pop("transient", None)
    last = shown[-1] if shown else {}
    if kind == "stream" and last.get("output_type") == "stream" and last["name"] == content["name"]:
        last["text"] += content["text"]
    else:
        shown.append({"output_type": kind, **content})
