"""Lines that break at moments nobody has chosen."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
from collections.abc import Callable

import psutil


def nothing() -> None:
    """What is done before a kill unless the test says more."""


class Breaker:
    """Kills what carries a line, again and again at random moments, from a thread of its own.

    Args:
        lines: the carriers that live now; all of them are killed.
        times: so many kills, and then no more.
        pauses: the shortest and the longest time between them, in seconds.
        before: called at the begin of each pause, to have something to break.
    """

    def __init__(
        self,
        lines: Callable[[], list[psutil.Process]],
        times: int,
        pauses: tuple[float, float] = (0.02, 0.3),
        before: Callable[[], None] = nothing,
    ) -> None:
        self.kills = 0
        self._lines, self._times, self._pauses, self._before = lines, times, pauses, before
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Breaker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while self.kills < self._times:
            self._before()
            if self._stop.wait(random.uniform(*self._pauses)):
                return
            for carrier in self._lines():
                with contextlib.suppress(psutil.NoSuchProcess):
                    carrier.send_signal(signal.SIGKILL)
                    self.kills += 1
