"""Whether an agent lives on another machine that sees the same folder: a home on NFS, two login nodes.

There its process is not seen and its socket cannot be reached, and it must not be taken for dead: a second
agent would write into its spool. Its lock tells, where locks reach across machines; where they do not, the
lock file's time does, which the agent renews.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path

from gpu_provisioner.agent.places import read_json

LOCK = "agent.lock"
BEAT_S = 30.0
"""So often a living agent renews the time of its lock file."""

_SILENT_S = 4 * BEAT_S


def elsewhere(folder: Path) -> str:
    """Name of the other machine on which the agent of ``folder`` lives, ``""`` if none does."""
    host = (read_json(folder / "agent.json") or {}).get("host")
    if not isinstance(host, str) or host == socket.gethostname():
        return ""
    return host if _is_locked(folder / LOCK) or _silent_s(folder) < _SILENT_S else ""


def not_here(host: str, here: str = "") -> str:
    """What is said to somebody who looks on this machine (or on ``here``) for an agent that lives on
    ``host``."""
    here = here or socket.gethostname()
    return f"its agent runs on {host}, and this is {here}, which sees the same folder but cannot reach it"


def _is_locked(path: Path) -> bool:
    """Whether anybody has the lock; where the file system has no locks, nobody does."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        # Shared: who looks at the same moment is not in the way.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def _silent_s(folder: Path) -> float:
    """Seconds since the agent last renewed the time of its lock file, all by the file server's clock."""
    try:
        with tempfile.NamedTemporaryFile(prefix=".now-", dir=folder) as now:
            return os.fstat(now.fileno()).st_mtime - (folder / LOCK).stat().st_mtime
    except OSError:
        return 0.0  # nobody can tell; an agent that may live is left alone
