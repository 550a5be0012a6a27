"""One-line notices in the output of the running cell: they appear, change and go."""

from __future__ import annotations

import contextlib
import html
import threading
import time
import uuid
from typing import Any, Dict, Iterator, List, Mapping, Optional

from kernel_magics.bridge.ipykernel_names import LocalKernel

_PATIENCE_S = 3.0
"""A shorter outage is nobody's business."""


class Notices:
    """Says in the running cell that the line is down, and takes it back when it is up again."""

    def __init__(self, kernel: LocalKernel, patience_s: float = _PATIENCE_S) -> None:
        self._kernel = kernel
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._running: List[Mapping[str, Any]] = []
        self._timer: Optional[threading.Timer] = None
        self._shown: Optional[str] = None
        self._unsaid: List[str] = []
        self.machine = ""

    @contextlib.contextmanager
    def during(self, request: Mapping[str, Any]) -> Iterator[None]:
        """While the cell of ``request`` runs, notices go into its output."""
        with self._lock:
            self._running.append(request)
        self._say_unsaid()
        try:
            yield
        finally:
            with self._lock:
                self._running.remove(request)

    def line_is_down(self) -> None:
        """Callable from any thread, any number of times."""
        with self._lock:
            if self._timer is None and self._shown is None:
                self._timer = threading.Timer(self._patience_s, self._show_down, [time.localtime()])
                self._timer.daemon = True
                self._timer.start()

    def line_is_up(self) -> None:
        """Callable from any thread, any number of times."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            shown, self._shown = self._shown, None
        if shown is not None:
            self._publish("update_display_data", "", shown)

    @property
    def cell_runs(self) -> bool:
        """Whether a cell runs there whose output a notice can go to."""
        return bool(self._running)

    def say(self, text: str) -> None:
        """A notice that stays: in the running cell, else in the next one. Callable from any thread."""
        with self._lock:
            self._unsaid.append(text)
            events = self._kernel.shell.events
            if not self._running and self._before_local_cell not in events.callbacks["pre_run_cell"]:
                events.register("pre_run_cell", self._before_local_cell)
        if self.cell_runs:
            self._say_unsaid()

    def _before_local_cell(self, _info: Any) -> None:
        """IPython's hook: a cell is about to run here."""
        self._kernel.shell.events.unregister("pre_run_cell", self._before_local_cell)
        for text in self._take_unsaid():
            self._kernel.shell.display_pub.publish(_data(text))

    def _say_unsaid(self) -> None:
        for text in self._take_unsaid():
            self._publish("display_data", text, uuid.uuid4().hex)

    def _take_unsaid(self) -> List[str]:
        with self._lock:
            unsaid, self._unsaid = self._unsaid, []
        return unsaid

    def _show_down(self, since: time.struct_time) -> None:
        with self._lock:
            if self._timer is None:
                return
            self._timer = None
            self._shown = uuid.uuid4().hex
        where = self.machine or "the GPU machine"
        text = (
            f"No line to {where} since {time.strftime('%H:%M:%S', since)}. The cell goes on there, "
            "its output is kept and comes when the line is back. Trying again."
        )
        self._publish("display_data", text, self._shown)

    def _publish(self, msg_type: str, text: str, display_id: str) -> None:
        parent = self._running[-1] if self._running else None
        if parent is None and msg_type == "display_data":
            return
        content = {
            "data": _data(text),
            "metadata": {},
            "transient": {"display_id": display_id},
        }
        self._kernel.publish(msg_type, content, parent)


def _data(text: str) -> Dict[str, str]:
    markup = f"<div style='opacity:0.7'>{html.escape(text)}</div>" if text else ""
    return {"text/plain": text, "text/html": markup}
