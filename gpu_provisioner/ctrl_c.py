"""Ctrl-C must not come between something that was taken and the name by which it can be given back."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import Any, Iterator, List


@contextlib.contextmanager
def ctrl_c_waits() -> Iterator[None]:
    """A Ctrl-C that comes meanwhile is heard at the end. Other threads than the main one never hear any."""
    is_main = threading.current_thread() is threading.main_thread()
    # None: a handler that is not Python's, and could not be put back.
    if not is_main or signal.getsignal(signal.SIGINT) is None:
        yield
        return
    came: List[Any] = []
    former = signal.signal(signal.SIGINT, lambda *heard: came.append(heard))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)
        if came and callable(former):
            former(*came[-1])
