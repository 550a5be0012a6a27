"""The one thread a run has: what must happen now and then and must never keep ``log()`` waiting."""

from __future__ import annotations

import threading
import time
from typing import Callable, List, Optional


class Task:
    """Something to do every so often.

    Args:
        action: does it; gets no argument. One that raises is not done again.
        interval: seconds until the next time, asked after each.
    """

    def __init__(self, action: Callable[[], None], interval: Callable[[], float]) -> None:
        self.action = action
        self.interval = interval
        self.due = time.monotonic() + interval()


class Background:
    """Runs tasks in one daemon thread until :meth:`stop`, then a last action (closing the journal).

    The last action belongs to the thread because it may hang (a sync on a dead network file system), and
    because no thread can be started any more while the interpreter shuts down.
    """

    def __init__(
        self, tasks: List[Task], last: Callable[[], None], report: Callable[[Exception], None]
    ) -> None:
        self._tasks = tasks
        self._last = last
        self._report = report
        self._stopping = threading.Event()
        self._thread: Optional[threading.Thread] = None

    def start(self) -> None:
        """Raises:
        RuntimeError: no thread can be started (the interpreter shuts down, or the system refuses).
        """
        thread = threading.Thread(target=self._run, name="trackside", daemon=True)
        thread.start()
        self._thread = thread

    def stop(self, timeout: float) -> bool:
        """Ask the thread to end and wait up to ``timeout`` seconds; whether the last action is done."""
        self._stopping.set()
        if self._thread is None:
            self._last()
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _do(self, task: Task) -> None:
        try:
            task.action()
            task.due = time.monotonic() + task.interval()
        except Exception as error:  # noqa: BLE001 - the other tasks, and closing the journal, must go on
            self._tasks.remove(task)
            self._report(error)

    def _run(self) -> None:
        while True:
            now = time.monotonic()
            for task in list(self._tasks):
                if now >= task.due:
                    self._do(task)
            soonest = min((task.due for task in self._tasks), default=now + 3600)
            if self._stopping.wait(max(0.0, soonest - time.monotonic())):
                break
        self._last()
