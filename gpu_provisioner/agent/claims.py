"""Which GPU has a Trackside kernel, for every user of a machine to see, from the moment it is promised.

NVML shows a GPU as used only once a program has allocated memory on it. So an agent binds one Unix socket per
GPU in Linux' abstract namespace (unix(7)): a name that only one process can have, that all users can read in
``/proc/net/unix``, and that vanishes with the process, however it ends. Other systems and other network
namespaces (containers) do not see it; there NVML alone decides.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path
from typing import Iterable, List, Set

_PREFIX = "trackside-gpu-"


class GpuTaken(Exception):
    """Another kernel has claimed this GPU; the argument is its UUID."""


class Claims:
    """GPUs claimed by this process, until closed."""

    def __init__(self, uuids: Iterable[str]) -> None:
        self._sockets: List[socket.socket] = []
        if not sys.platform.startswith("linux"):
            return
        for uuid in uuids:
            claim = socket.socket(socket.AF_UNIX)
            try:
                claim.bind(f"\0{_PREFIX}{uuid}")
            except OSError as error:
                claim.close()
                self.close()
                if error.errno == errno.EADDRINUSE:
                    raise GpuTaken(uuid) from None
                raise
            self._sockets.append(claim)

    def close(self) -> None:
        """Give the GPUs free. May be called again."""
        while self._sockets:
            self._sockets.pop().close()


def claimed_gpus() -> Set[str]:
    """UUIDs that agents of any user on this machine have claimed."""
    try:
        lines = os.fsdecode(Path("/proc/net/unix").read_bytes()).splitlines()
    except OSError:
        return set()
    names = (line.rpartition(" ")[2] for line in lines)
    return {name[len(_PREFIX) + 1 :] for name in names if name.startswith(f"@{_PREFIX}")}
