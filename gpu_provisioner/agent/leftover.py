"""What an agent that was killed together with its supervisor may have left running: its kernel's group."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from gpu_provisioner.agent.places import boot_id, process_birth, read_json
from gpu_provisioner.agent.supervisor import end_group

_END_LIMIT_S = 5.0


def end_leftover(folder: Path) -> None:
    """End the process group of the dead agent's last kernel, and wait until it has ended.

    Only a group that is surely that kernel's: its leader was born when ``agent.json`` says, or a member
    carries the lease in its environment. (A process id is used again, an id of a living group is not.)
    """
    facts = read_json(folder / "agent.json") or {}
    group = facts.get("kernel")
    if not isinstance(group, int) or group <= 1 or not _is_ours(group, facts):
        return
    end_group(group)
    deadline = time.monotonic() + _END_LIMIT_S
    while _members(group) and time.monotonic() < deadline:
        time.sleep(0.02)


def how_it_ended(folder: Path) -> Dict[str, Any]:
    """What is known of an agent that left no word: ``reason``, a clause; after a restart of the machine also
    ``restarted``, when it began anew, and ``last_word``, when the agent last wrote anything (seconds since
    the epoch by that machine's clock, ``None`` where nothing tells).
    """
    facts = read_json(folder / "agent.json") or {}
    birth, host = str(facts.get("birth") or ""), facts.get("host")
    now = boot_id()
    if isinstance(host, str) and host != socket.gethostname():
        return {"reason": f"{host}, where it ran, has given no sign of it for minutes"}
    if now is None or not birth:
        return {"reason": "the machine was restarted, or its supervisor was killed as well"}
    if birth.startswith(now):
        return {"reason": "killed together with its supervisor"}
    times = {"restarted": _boot_time(), "last_word": _last_word(folder)}
    return {"reason": "the machine was restarted", **times}


def _boot_time() -> Optional[float]:
    """When this machine was started: ``btime`` in ``/proc/stat`` (proc(5))."""
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return None
    return next((float(line.split()[1]) for line in lines if line.startswith("btime ")), None)


def _last_word(folder: Path) -> Optional[float]:
    """When the spool or a journal last grew: what was on the disk when the machine went down."""
    files = [*folder.glob("spool/*.spool"), *folder.glob("data/runs/*/*.journal")]
    return max((path.stat().st_mtime for path in files), default=None)


def _is_ours(group: int, facts: Mapping[str, Any]) -> bool:
    born: Optional[str] = facts.get("kernel_birth")
    if boot_id() is None:
        # Nothing here tells one process from a later one with its id; the kernel ends itself.
        return False
    if born is not None and process_birth(group) == born:
        return True
    mark = f"TRACKSIDE_LEASE={facts.get('lease')}".encode()
    return any(mark in _environment(pid) for pid in _members(group))


def _members(group: int) -> List[int]:
    """Living processes of a process group (proc(5), ``stat``)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(its_group) == group and state not in "ZX":
            found.append(int(path.parent.name))
    return found


def _environment(pid: int) -> List[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
