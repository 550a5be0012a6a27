"""Whose turn it is in each shell thread while a handler waits for the remote kernel.

A handler that waits keeps ipykernel's lock of its shell. ipykernel 7.4 therefore dispatches comm
messages beside it, as it does beside an asynchronous cell, and publishes no status for them. Beside a
cell that is right; beside a mere wait of ours the front-end would miss the ``idle`` that lets it send
the next change of a slider.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from typing import Iterator

from kernel_magics.bridge.interrupts import Interrupts, Watch


class Turns:
    """Marks the shell threads (main and subshells) that run a cell or wait for an answer."""

    def __init__(self, interrupts: Interrupts) -> None:
        self._interrupts = interrupts
        self._cells: Counter[int] = Counter()
        self._waits: Counter[int] = Counter()

    @property
    def cell_runs(self) -> bool:
        """Whether this thread is in the middle of a cell."""
        return self._cells[threading.get_ident()] > 0

    @property
    def is_taken(self) -> bool:
        """Whether a handler of this thread waits for the remote kernel."""
        return self._waits[threading.get_ident()] > 0

    @contextlib.contextmanager
    def cell(self) -> Iterator[None]:
        """While a cell runs in this thread, here or there."""
        with _counted(self._cells):
            yield

    @contextlib.contextmanager
    def wait(self) -> Iterator[Watch]:
        """While a handler of this thread waits for the remote kernel; Ctrl-C goes there."""
        with _counted(self._waits), self._interrupts.passed_on() as watch:
            yield watch


@contextlib.contextmanager
def _counted(counter: Counter[int]) -> Iterator[None]:
    thread = threading.get_ident()
    counter[thread] += 1
    try:
        yield
    finally:
        counter[thread] -= 1
