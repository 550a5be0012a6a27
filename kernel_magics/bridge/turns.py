"""Whose turn it is in each shell thread: whether a cell runs there, and where Ctrl-C goes meanwhile."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from typing import Iterator

from kernel_magics.bridge.interrupts import Interrupts, Watch


class Turns:
    """Marks the shell threads (main and subshells) that run a cell."""

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts
        self._cells: Counter[int] = Counter()

    @property
    def cell_runs(self) -> bool:
        """Whether this thread is in the middle of a cell."""
        return self._cells[threading.get_ident()] > 0

    @contextlib.contextmanager
    def cell(self) -> Iterator[None]:
        """While a cell runs in this thread, here or there."""
        thread = threading.get_ident()
        self._cells[thread] += 1
        try:
            yield
        finally:
            self._cells[thread] -= 1

    @contextlib.contextmanager
    def wait(self) -> Iterator[Watch]:
        """While a handler of this thread waits for the remote kernel; Ctrl-C goes there."""
        with self._interrupts.passed_on() as watch:
            yield watch
