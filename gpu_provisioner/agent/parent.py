"""The kernel's own promise not to outlive its agent, also when the supervisor was killed together with it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
"""prctl(2), Linux only."""

_LOOK_S = 1.0
_GRACE_S = 3.0


def end_with(agent: int) -> None:
    """Have this process end when its parent, process ``agent``, has ended.

    On Linux the system sends SIGTERM at once. A thread looks after it everywhere: should the process live on
    (SIGTERM is ignored, or this is not Linux), it ends its whole group 3 s later.
    """
    if sys.platform.startswith("linux"):
        try:
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        except (OSError, AttributeError):
            pass  # a libc without it: the thread remains
    if os.getppid() != agent:  # It ended before the system was told.
        os.kill(os.getpid(), signal.SIGKILL)
    threading.Thread(target=_watch, args=(agent,), daemon=True, name="trackside-parent").start()


def _watch(agent: int) -> None:
    while os.getppid() == agent:
        time.sleep(_LOOK_S)
    # The supervisor, if it lives, asks first and writes down why.
    time.sleep(_GRACE_S)
    os.killpg(os.getpgrp(), signal.SIGKILL)
