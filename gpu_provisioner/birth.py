"""A process is started in a session of its own, and no Ctrl-C that is meant for a cell reaches it on the way.

Between fork and ``setsid`` a child is in our process group still, where Jupyter sends its interrupts, and
dies of one before it is anything. And our own ``KeyboardInterrupt`` must not come between a process that
was started and the name by which it can be ended.
"""

from __future__ import annotations

import os
import subprocess
from typing import Callable

from gpu_provisioner.ctrl_c import ctrl_c_waits

Start = Callable[[], "subprocess.Popen[bytes]"]


def born(start: Start) -> subprocess.Popen[bytes]:
    """The process that ``start`` starts, with ``start_new_session``; another one as long as a Ctrl-C ended it
    before it had its session.

    Raises:
        KeyboardInterrupt: in the main thread, and then no process is left.
    """
    process = None
    try:
        with ctrl_c_waits():
            process = start()
            while not _has_its_session(process):
                _end(process)
                process = start()
    except BaseException:
        if process is not None:
            process.kill()
            _end(process)
        raise
    return process


def _has_its_session(process: subprocess.Popen[bytes]) -> bool:
    """Whether it came so far; of one that did not, the zombie has our session still."""
    try:
        return os.getsid(process.pid) == process.pid
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
