"""Calling off, from another thread, what is being got: the carriers it waits for are ended, and its next step
is not begun.

It is kept in a context variable, so that no function in between has to pass it on. Threads that are started
in between do not have it: what they wait for ends by its own limits.
"""

from __future__ import annotations

import contextlib
import threading
from contextvars import ContextVar
from typing import Callable, Iterator, Optional, Set

from gpu_provisioner.errors import ProvisionError

Stop = Callable[[], None]


class CalledOff(ProvisionError):
    """Somebody called it off. What had been rented has been given back, or an error says that it was not."""


class CallOff:
    """One thing that is under way and may be called off, once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stops: Set[Stop] = set()
        self._called = False

    @property
    def is_called(self) -> bool:
        return self._called

    def call(self) -> None:
        """Call it off: from any thread, any number of times; only the first does something."""
        with self._lock:
            stops = () if self._called else tuple(self._stops)
            self._called = True
        for stop in stops:
            stop()

    def check(self) -> None:
        """Raises ``CalledOff`` once it was called off."""
        if self._called:
            raise CalledOff("It was called off.")

    def add(self, stop: Stop) -> None:
        """``stop`` ends, from another thread, what is waited for now; called at once if it comes too late."""
        with self._lock:
            self._stops.add(stop)
            late = self._called
        if late:
            stop()

    def remove(self, stop: Stop) -> None:
        """It is not waited for any more. May be called again."""
        with self._lock:
            self._stops.discard(stop)

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        """What this thread does now is what may be called off."""
        token = _heard.set(self)
        try:
            yield
        finally:
            _heard.reset(token)


_heard: ContextVar[Optional[CallOff]] = ContextVar("trackside_call_off", default=None)


def current() -> Optional[CallOff]:
    """What calls off what this thread does; ``None`` where nothing does."""
    return _heard.get()


def check() -> None:
    """Raises ``CalledOff`` when what this thread does was called off."""
    heard = _heard.get()
    if heard is not None:
        heard.check()


@contextlib.contextmanager
def out_of_reach() -> Iterator[None]:
    """What this thread does now must be done, also when the rest was called off: giving back, above all."""
    token = _heard.set(None)
    try:
        yield
    finally:
        _heard.reset(token)
