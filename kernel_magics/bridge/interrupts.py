"""Ctrl-C while a remote cell runs, and why it waits a moment.

A restart or a shutdown of a kernel interrupts it first. Passed on at once, that interrupt would stop
the remote training that closing a notebook must leave alone. So a SIGINT is held for a moment and
dropped when ``shutdown_request`` follows. The control channel's ``interrupt_request`` needs nothing
of its own: ipykernel answers it by sending itself SIGINT.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from typing import Any, Callable, Iterator, Optional

HOLD_S = 0.3
"""Jupyter sends ``shutdown_request`` some milliseconds after the interrupt; people notice about 0.6 s."""
_NOT_SENT_YET_S = 0.05


class Watch:
    """SIGINT during one cell. Lives on that cell's event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fire: Callable[[], None]) -> None:
        self.sent = False
        """Whether the cell has been sent: an interrupt that overtook it would interrupt nothing."""
        self._loop = loop
        self._fire = fire
        self._timer: Optional[asyncio.TimerHandle] = None

    def on_signal(self, *_: Any) -> None:
        # A plain call_later from a signal handler wakes no selector.
        self._loop.call_soon_threadsafe(self._hold)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _hold(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(HOLD_S, self._end_of_hold)

    def _end_of_hold(self) -> None:
        if not self.sent:
            self._timer = self._loop.call_later(_NOT_SENT_YET_S, self._end_of_hold)
            return
        self._timer = None
        self._fire()


class Interrupts:
    """Passes Ctrl-C on to the remote kernel, unless the local kernel is being shut down."""

    def __init__(self, send: Callable[[], None]) -> None:
        self._send = send
        self.shutting_down = False

    @contextlib.contextmanager
    def passed_on(self) -> Iterator[Watch]:
        """While a remote cell runs in this thread, SIGINT is for that cell.

        ipykernel has just installed a handler that raises KeyboardInterrupt; raised inside its event
        loop, while we only wait, that would end the kernel. Subshells run in other threads, where
        Python allows no signal handler, and where ipykernel interrupts nothing either.
        """
        watch = Watch(asyncio.get_running_loop(), self._fire)
        if threading.current_thread() is not threading.main_thread():
            yield watch
            return
        before = signal.signal(signal.SIGINT, watch.on_signal)
        try:
            yield watch
        finally:
            signal.signal(signal.SIGINT, before)
            watch.stop()

    def _fire(self) -> None:
        if not self.shutting_down:
            self._send()
