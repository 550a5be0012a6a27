"""Who writes: this process as a journal's first frame names it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional


def writer_identity(writer_id: str, role: str, environ: Optional[Mapping[str, str]] = None) -> Dict[str, Any]:
    """The ``writer`` of a run frame.

    Args:
        role: ``main`` (made the run; its finish is the run's), ``member`` (a fork, a subprocess, a rank that
            joined) or ``agent`` (speaks for a process that died).
        environ: where torchrun's ``RANK`` and ``WORLD_SIZE`` and the bridge's variables are read from.
    """
    environ = os.environ if environ is None else environ
    own = _stat(os.getpid())
    identity: Dict[str, Any] = {
        "id": writer_id,
        "pid": os.getpid(),
        "ancestors": ancestors(os.getpid()),
        "host": host_name(),
        "rank": _number(environ.get("RANK")),
        "world_size": _number(environ.get("WORLD_SIZE")),
        "role": role,
        "began": time.time(),
    }
    if own is not None:
        identity["start_ticks"] = own.start_ticks
    if environ.get("TRACKSIDE_ROLE") == "remote":
        identity["lease"] = environ.get("TRACKSIDE_LEASE", "")
    return identity


def host_name() -> str:
    """This machine's name."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    return os.environ.get("COMPUTERNAME", "")


def ancestors(pid: int, limit: int = 16) -> List[int]:
    """Ids of the parent, its parent and so on (Linux ``proc(5)``; elsewhere of the parent only)."""
    found: List[int] = []
    while len(found) < limit:
        stat = _stat(pid)
        if stat is None or stat.parent <= 1:
            break
        found.append(stat.parent)
        pid = stat.parent
    if not found and os.getppid() > 1:
        found.append(os.getppid())
    return found


def start_ticks(pid: int) -> Optional[int]:
    """When the process began, in clock ticks since boot: tells it from a later one with the same id.

    ``None`` when there is no such process, or no ``/proc`` to ask.
    """
    stat = _stat(pid)
    return None if stat is None else stat.start_ticks


class _Stat(NamedTuple):
    """Fields 4 and 22 of ``/proc/<pid>/stat`` (proc(5))."""

    parent: int
    start_ticks: int


def _stat(pid: int) -> Optional[_Stat]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        # pid (command) state ppid …; the command may hold spaces and brackets.
        fields = text[text.rindex(")") + 2 :].split()
        return _Stat(int(fields[1]), int(fields[19]))
    except (OSError, ValueError, IndexError):
        return None


def _number(text: Optional[str]) -> Optional[int]:
    return int(text) if text is not None and text.isdigit() else None
