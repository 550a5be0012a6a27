"""How tests wait: for a condition here, and in cells and scripts for the word of the test.

A cell that waits blocks in the kernel of the operating system and polls nothing, so that it goes on at once
however busy the machine is, and never before its time. What travels as source runs on Python 3.9.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_LOOK_EVERY_S = 0.02

UNTIL_KILLED = "import signal\nwhile True: signal.pause()\n"
"""A cell that does nothing until its process ends."""

UNTIL_INTERRUPTED = "import time\nwhile True: time.sleep(0.05)\n"
"""A cell that an interrupt ends. Short sleeps: a signal that falls between CPython's look for signals and a
system call is seen when that call ends, so that a call without an end would miss it now and then."""


def eventually(condition: Callable[[], Any], timeout: float = 30.0) -> Any:
    """The condition's value as soon as it is true; its last one when time (in seconds) is up."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(_LOOK_EVERY_S)


def wait_for(condition: Callable[[], Any], what: str = "", timeout: float = 30.0) -> Any:
    """The condition's value as soon as it is true; fails when it is not within ``timeout`` seconds."""
    value = eventually(condition, timeout)
    if not value:
        raise AssertionError(f"not within {timeout:.0f} s: {what or condition}")
    return value


def last_for(seconds: float) -> None:
    """Let real time pass: only where time itself is the subject, as in how long a fault lasts."""
    time.sleep(seconds)


class Gate:
    """Closed until :meth:`open`: whoever comes to it before waits, whoever comes after goes through.

    It is a lock on a file: cells and scripts ask for a share of what the test holds alone. There is no moment
    to miss, any number may wait, and when the test dies they go on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    @property
    def wait(self) -> str:
        """A line of source that waits."""
        return f"import fcntl; fcntl.flock(open({str(self.path)!r}), fcntl.LOCK_SH)"

    def open(self) -> None:
        """May be called twice."""
        if not self._file.closed:
            fcntl.flock(self._file, fcntl.LOCK_UN)  # closing alone does not, while a fork has the file too
            self._file.close()


class Turnstile:
    """Lets a cell take so many steps and no more: a named pipe, from which every step takes a byte.

    For one cell, and for a flow that has to go on while something happens to it, however fast the machine is.
    When the test has closed it, or is dead, every step is free.
    """

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._pipe = os.open(path, os.O_RDWR)

    @property
    def ready(self) -> str:
        """A line of source that comes once, before the steps."""
        return f"turnstile = open({str(self.path)!r}, 'rb', buffering=0)"

    step = "turnstile.read(1)"
    """Source of a step."""

    def let(self, steps: int = 1) -> None:
        os.write(self._pipe, b"." * steps)

    def close(self) -> None:
        """May be called twice."""
        if self._pipe >= 0:
            os.close(self._pipe)
            self._pipe = -1
