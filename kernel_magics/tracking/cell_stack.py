"""Which executions run under which request: cells may run cells (``run_cell``, ``%run x.ipynb``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from kernel_magics.tracking.cell_record import TrackedCell


@dataclass
class Body:
    """What IPython's ``ExecutionInfo`` says about a cell, for a body that is none."""

    raw_cell: str
    store_history: bool = False
    cell_id: Optional[str] = None


@dataclass
class Running:
    """One execution. ``info`` is IPython's, and tells executions apart."""

    info: Any
    cell: Optional[TrackedCell] = None


class Stacks:
    """The executions of every request, outermost first."""

    def __init__(self) -> None:
        self._of: Dict[str, List[Running]] = {}

    def push(self, key: str, info: Any) -> Running:
        """An execution begins under the request ``key``."""
        running = Running(info)
        self._of.setdefault(key, []).append(running)
        return running

    def tracked(self, key: str) -> Optional[TrackedCell]:
        """The tracked cell that is running under this request."""
        return next((running.cell for running in self._of.get(key, ()) if running.cell is not None), None)

    def depth(self, key: str) -> int:
        """How many executions run under this request."""
        return len(self._of.get(key, ()))

    def pop(self, key: str, info: Optional[Any]) -> Optional[Running]:
        """The execution that ended, ``None`` when it had not begun here; those it left open are dropped.

        ``post_run_cell`` also comes for cells that had no ``pre_run_cell`` (empty ones), and without an
        ``info`` when an exception left IPython.
        """
        stack = self._of.get(key, [])
        if info is None and stack:
            info = stack[-1].info
        if not any(running.info is info for running in stack):
            return None
        running = stack.pop()
        while running.info is not info:
            running = stack.pop()
        if not stack:
            del self._of[key]
        return running
