"""Whether the wall clock can be believed: times on the record are those of the clock, jumps and all."""

from __future__ import annotations

import time
from typing import Any, Callable, Protocol

from kernel_magics.tracking.notices import notice

SMALLEST_S = 2.0
"""Less is a clock being put right, as a time server does it all day."""


class Events(Protocol):
    """The part of a ``Run`` that the watch needs."""

    def record_event(self, name: str, level: str = "info", detail: str = "", **more: Any) -> Any: ...


class ClockWatch:
    """Compares the wall clock with one that nobody can set. A jump is an event, the first also a warning.

    Args:
        run: where jumps are recorded.
        wall, steady: the clocks, in seconds.
    """

    def __init__(
        self, run: Events, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._run, self._wall, self._steady = run, wall, steady
        self._ahead = wall() - steady()
        self._told = False

    def look(self) -> None:
        """Record a jump since the last look. Small ones in one direction add up until they are one."""
        jump = self._wall() - self._steady() - self._ahead
        if abs(jump) < SMALLEST_S:
            return
        self._ahead += jump
        by = f"{abs(jump):,.0f} s {'forward' if jump > 0 else 'back'}"
        self._run.record_event("clock-jumped", "warning", f"The clock was set {by}.", seconds=jump)
        if not self._told:
            self._told = True
            notice(
                f"This machine's clock was set {by} while a run goes on. Times in its record are the clock's,"
                " before and after; steps are not touched. (Said once.)"
            )


def steady_clock() -> Callable[[], float]:
    """Seconds since boot, those asleep too where the system counts them: waking up is no jump."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic if boot is None else lambda: time.clock_gettime(boot)
