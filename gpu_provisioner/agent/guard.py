"""The agent's hold on its supervisor: it is told what to end, and replaced when it was killed.

The first supervisor is the agent's parent, forked while the agent was small. A later one is a small Python of
its own: a fork of the grown agent would keep its sockets open beyond its death.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Optional

from gpu_provisioner.agent.whereabouts import BEAT_S

_BOOT = (
    "import sys; sys.path[:] = [sys.argv[1]] + [p for p in sys.path if p]; "
    "from gpu_provisioner.agent.supervisor import stand_in; sys.exit(stand_in(sys.argv[2:]))"
)

WELL = 0
"""Told instead of a process group: the agent ends as it should."""


class Guard:
    """Keeps a supervisor for this process.

    Args:
        parent: process id of the first one.
        pipe: write end of its pipe.
        folder, runtime: see :func:`gpu_provisioner.agent.supervisor.supervise`.
        lock: descriptor of the folder's lock, which the supervisor holds as well.
    """

    def __init__(self, parent: int, pipe: int, folder: Path, runtime: Path, lock: int) -> None:
        self._parent, self._pipe = parent, pipe
        self._folder, self._runtime, self._lock = folder, runtime, lock
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._group: Optional[int] = None
        self._renewed = time.monotonic()

    def tell(self, group: int) -> None:
        """The process group of the kernel that has just started, or :data:`WELL`."""
        self._group = group
        try:
            os.write(self._pipe, f"{group}\n".encode())
        except BrokenPipeError:
            pass  # It was killed; the next look replaces it and tells it.

    def look(self) -> None:
        """Replace a supervisor that is gone. Called every second or so."""
        self._renew_lock()
        if self._lives():
            return
        print("the supervisor was killed; another one takes its place", file=sys.stderr, flush=True)
        os.close(self._pipe)
        reader, self._pipe = os.pipe()
        payload = str(Path(__file__).parent.parent.parent)
        told = [payload, str(reader), str(os.getpid()), str(self._folder), str(self._runtime)]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, *told],
                stdin=subprocess.DEVNULL,
                cwd="/",
                pass_fds=(reader, self._lock),
                start_new_session=True,
            )
        except OSError as error:  # no more processes; tried again at the next look
            print(f"there is no supervisor now: {error}", file=sys.stderr, flush=True)
        finally:
            os.close(reader)
        if self._group is not None:
            self.tell(self._group)

    def _renew_lock(self) -> None:
        """For other machines that see this folder, and perhaps not its locks."""
        if time.monotonic() - self._renewed > BEAT_S:
            self._renewed = time.monotonic()
            with contextlib.suppress(OSError):  # the folder was deleted, or its server does not answer
                os.utime(self._lock)

    def _lives(self) -> bool:
        if self._process is None:
            return os.getppid() == self._parent
        return self._process.poll() is None
