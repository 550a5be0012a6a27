"""Leases on disk: ``<data>/leases/<id>.json``, 0600, replaced in one step.

The debt is written down before it is incurred: a lease is saved, then the machine is asked for. Whatever
crashes in between, the file says what to look for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import os
import socket
import time
from pathlib import Path
from typing import Any, Iterator, List

from gpu_provisioner.agent.places import is_lease_id, private_folder, read_json, write_private
from gpu_provisioner.errors import LeaseError
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.wire import to_json

_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOCK_LIMIT_S = 20.0
_LOOK_S = 0.02

LIVE = (LeaseState.PLANNED, LeaseState.STARTING, LeaseState.READY)


def owner_of(data_dir: Path) -> str:
    """What an agent says about who began it: ``host:data folder``."""
    return f"{socket.gethostname()}:{Path(data_dir).absolute()}"


class LeaseBook:
    """The leases of one data folder. Any number of processes may use it at once."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = Path(data_dir)
        self._folder = self.data_dir / "leases"

    def save(self, lease: Lease) -> Lease:
        """Write the lease; the same lease is returned.

        Raises:
            LeaseError: the data folder cannot be written. What was only planned was not rented.
        """
        path = self._path(lease.id)
        try:
            private_folder(self._folder)
            write_private(path, to_json(lease.to_json()))
        except OSError as error:
            is_planned = lease.state == LeaseState.PLANNED and not lease.handle
            raise LeaseError(
                f"The lease cannot be written down ({path}: {error.strerror})"
                + (", so nothing was rented." if is_planned else "."),
                "free some disk space"
                if error.errno in _FULL
                else "make that folder writable, or set TRACKSIDE_DIR to another one",
            ) from None
        return lease

    def _save_over(self, lease: Lease) -> Lease:
        """Write the lease, on a full disk into the room its file has already: that it is over must not be
        lost, or a machine that went back is looked for and reported as lost."""
        try:
            return self.save(lease)
        except LeaseError:
            if not _written_in_place(self._path(lease.id), to_json(lease.to_json())):
                raise
        return lease

    def load(self, lease_id: str) -> Lease:
        """The lease as it was last saved. ``LeaseError`` when there is none."""
        data = read_json(self._path(lease_id))
        if data is None:
            raise LeaseError(f"No lease {lease_id!r} in {self._folder}.", "%gpu_status")
        return Lease.from_json(data)

    def all(self) -> List[Lease]:
        """Every lease, newest first; damaged files are left out."""
        found: List[Lease] = []
        for path in self._folder.glob("*.json"):
            if not is_lease_id(path.stem):
                continue
            data = read_json(path)
            try:
                if data is not None:
                    found.append(Lease.from_json(data))
            except (KeyError, TypeError, ValueError):
                continue
        return sorted(found, key=lambda lease: lease.created, reverse=True)

    def live(self) -> List[Lease]:
        """Leases that may still hold a machine."""
        return [lease for lease in self.all() if lease.state in LIVE]

    def update(self, lease_id: str, **changes: Any) -> Lease:
        """Read, change and write one lease; nobody else's change is lost."""
        with self.exclusive():
            return self.save(dataclasses.replace(self.load(lease_id), **changes))

    def finish(self, lease_id: str, state: LeaseState, detail: str) -> Lease:
        """Put down that the lease is over. One that is over stays so; why it was lost may become clearer."""
        with self.exclusive():
            lease = self.load(lease_id)
            if lease.state == state == LeaseState.LOST:
                return self._save_over(dataclasses.replace(lease, detail=detail))
            if lease.state not in LIVE:
                return lease
            over = dataclasses.replace(lease, state=state, detail=detail, released=time.time())
            return self._save_over(over)

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the folder's lock: between "is it free" and "it is mine" nobody else decides."""
        try:
            private_folder(self._folder)
            handle = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise LeaseError(
                f"The leases cannot be written ({self._folder}: {error.strerror}), so nothing was done.",
                "make that folder writable, or set TRACKSIDE_DIR to another one",
            ) from None
        try:
            self._lock(handle)
            yield
        finally:
            os.close(handle)

    def _lock(self, handle: int) -> None:
        """Others have it for milliseconds; what a machine that went down left locked on a file server is not
        waited for."""
        deadline = time.monotonic() + _LOCK_LIMIT_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LeaseError(
                        f"Somebody has had the lock of the leases ({self._folder}/.lock) for "
                        f"{_LOCK_LIMIT_S:.0f} s: a process that hangs, or one of a machine that went down "
                        "while its file server did not. Nothing was done.",
                        f"end what `fuser {self._folder}/.lock` names, on that machine",
                    ) from None
                time.sleep(_LOOK_S)
            except OSError as error:
                raise LeaseError(
                    f"The data folder {self.data_dir} is on a file system without locks ({error.strerror}), "
                    "so two notebooks could rent the same GPU. Nothing was done.",
                    "set TRACKSIDE_DIR to a folder on another file system",
                ) from None

    def _path(self, lease_id: str) -> Path:
        if not is_lease_id(lease_id):
            raise LeaseError(f"{lease_id!r} is not the id of a lease.", "%gpu_status")
        return self._folder / f"{lease_id}.json"


def _written_in_place(path: Path, content: bytes) -> bool:
    """Whether ``content`` fitted into the blocks that the file has; else the file is as it was.

    Not in one step: who reads just then may find no lease for a moment.
    """
    try:
        handle = os.open(path, os.O_WRONLY)
    except OSError:
        return False
    try:
        known = os.fstat(handle)
        if len(content) > known.st_blocks * 512:
            return False
        # Padded to what is there, and cut afterwards: a reader never finds the end of the old text.
        written = os.pwrite(handle, content.ljust(known.st_size), 0)
        os.ftruncate(handle, len(content))
        return written >= len(content)
    except OSError:
        return False
    finally:
        os.close(handle)
