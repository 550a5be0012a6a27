"""One holder per lease: a lock in the lease's folder, and a note of who has it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Set

from gpu_provisioner.agent.places import private_folder, process_birth, read_json, write_private
from gpu_provisioner.errors import LeaseHeld
from gpu_provisioner.model import Lease

HOLDER_NOTE = "holder.json"
"""In the lease's folder while somebody holds it: who."""

STAND_IN = "stand-in"
"""The role of a holder that only brings home what comes, until somebody wants the lease."""

_WANTED_NOTE = "wanted.json"
_YIELD_LIMIT_S = 10.0
_OWN_LIMIT_S = 2.0
"""How long a holder of this process, whose machine is gone, may need until it has let go."""
_POLL_S = 0.05


class LeaseLock:
    """The lease's lock, as long as it is open."""

    def __init__(self, handle: int, owner: Path) -> None:
        self._handle = handle
        self._owner = owner
        self._pid = os.getpid()
        self.closed = False
        _open_locks.add(self)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            _open_locks.discard(self)
            self._owner.unlink(missing_ok=True)
            os.close(self._handle)

    def forget(self) -> None:
        """In a forked child, which shares the lock and would keep it: close its own descriptor."""
        self.closed = True
        os.close(self._handle)


_open_locks: Set[LeaseLock] = set()


def _forget_inherited() -> None:
    for each in _open_locks:
        each.forget()
    _open_locks.clear()


os.register_at_fork(after_in_child=_forget_inherited)


def lock_lease(folder: Path, lease: Lease, role: str = "") -> LeaseLock:
    """Take the lease's lock, or say who has it. A stand-in lets go of it for anybody who wants it.

    Args:
        role: :data:`STAND_IN`, or "" for who works with the lease.
    """
    private_folder(folder)
    handle = os.open(folder / "holder.lock", os.O_RDWR | os.O_CREAT, 0o600)
    owner = folder / HOLDER_NOTE
    try:
        is_ours = _lock(handle) or (role != STAND_IN and _ask_for(handle, folder))
    except OSError:  # a file system without locks, a full one: whoever asked says what that means to him
        os.close(handle)
        raise
    if not is_ours:
        os.close(handle)
        raise LeaseHeld(
            f"The lease {lease.name!r} is held by {_describe(read_json(owner))}.",
            "release it there, or close that notebook's kernel",
        )
    me = {
        **_myself(),
        "notebook": os.environ.get("JPY_SESSION_NAME"),
        "since": time.time(),
        "role": role,
    }
    try:
        write_private(owner, json.dumps(me).encode())
    except OSError:
        os.close(handle)
        raise
    return LeaseLock(handle, owner)


def is_wanted(folder: Path) -> bool:
    """Whether a living process of this machine waits for the lease of that folder."""
    return _is_alive(read_json(folder / _WANTED_NOTE))


def _myself() -> Dict[str, Any]:
    """This process, as a note names it: after a reboot, or a while, its id is somebody else's."""
    return {"pid": os.getpid(), "host": socket.gethostname(), "birth": process_birth(os.getpid())}


def _is_mine(owner: Mapping[str, Any]) -> bool:
    """Whether a note names this process."""
    return all(owner.get(name) == value for name, value in _myself().items())


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _ask_for(handle: int, folder: Path) -> bool:
    """Wait until the stand-in that has the lock lets go, or a holder of this process that is ending; at once
    False when it is neither that has it.
    """
    note = folder / _WANTED_NOTE
    begun = time.monotonic()
    try:
        while time.monotonic() - begun < _YIELD_LIMIT_S:
            owner = read_json(folder / HOLDER_NOTE)  # none: it is taken or given up at this moment
            if owner is not None and owner.get("role") != STAND_IN:
                ending = _is_mine(owner) and time.monotonic() - begun < _OWN_LIMIT_S
                if not ending:
                    return False
            write_private(note, json.dumps(_myself()).encode())
            if _lock(handle):
                return True
            time.sleep(_POLL_S)
        return False
    finally:
        note.unlink(missing_ok=True)


def is_held(folder: Path) -> bool:
    """Whether a living process of this machine holds the lease of that folder.

    By the note, not by trying the lock: whoever tries it has it for a moment, and a holder that starts just
    then would be refused.
    """
    return _is_alive(read_json(folder / HOLDER_NOTE))


def is_worked_with(folder: Path) -> bool:
    """Whether it is held by somebody who works with it, and not only by a stand-in."""
    owner = read_json(folder / HOLDER_NOTE)
    return _is_alive(owner) and (owner or {}).get("role") != STAND_IN


def _is_alive(owner: Optional[Mapping[str, Any]]) -> bool:
    """Whether a note names a living process of this machine."""
    try:
        pid = int((owner or {}).get("pid", 0))
    except (TypeError, ValueError):
        return False
    here = (owner or {}).get("host") == socket.gethostname()
    birth = process_birth(pid) if here and pid > 0 else None
    return birth is not None and (owner or {}).get("birth") in (None, birth)


def is_held_elsewhere(folder: Path) -> bool:
    """Whether the note names a process of another machine, of which nothing is known here."""
    owner = read_json(folder / HOLDER_NOTE) or {}
    return "host" in owner and owner["host"] != socket.gethostname()


def _describe(owner: Optional[Mapping[str, Any]]) -> str:
    if not owner:
        return "another process"
    place = f" on {owner['host']}" if owner.get("host") != socket.gethostname() else ""
    notebook = f" ({owner['notebook']})" if owner.get("notebook") else ""
    since = time.strftime("%H:%M", time.localtime(owner.get("since", 0)))
    return f"process {owner.get('pid')}{place}{notebook} since {since}"
