"""Somebody gives back a lease that another is bringing up, and that one hears of it at once."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from pathlib import Path
from typing import Iterator, Optional

from gpu_provisioner import calling_off
from gpu_provisioner.agent.places import read_json, write_private
from gpu_provisioner.errors import LeaseError, ProvisionError
from gpu_provisioner.home import home_folder
from gpu_provisioner.leases import LIVE, LeaseBook
from gpu_provisioner.model import Lease

GIVE_BACK_NOTE = "give-back.json"
"""In the lease's home folder: who wants it to be given back by whoever brings it up."""

_LOOK_S = 0.3


class GivenBack(LeaseError):
    """Somebody else gave the lease back while it was being started.

    Attributes:
        why: what its lease says, such as "released by the user, before its kernel ran".
    """

    def __init__(self, lease: Lease, why: str) -> None:
        super().__init__(f"{lease.name!r} was given back while it was being started: {why}.")
        self.why = why


def ask_to_give_back(lease: Lease, book: LeaseBook, by: str, limit_s: float) -> Optional[Lease]:
    """Have whoever brings the lease up give it back: the lease, which is over then.

    Returns:
        ``None`` when that has not happened within ``limit_s``: its process may hang, or be of an old version.
    """
    note = home_folder(book.data_dir, lease.id) / GIVE_BACK_NOTE
    try:
        write_private(note, json.dumps({"by": by}).encode())
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            now = book.load(lease.id)
            if now.state not in LIVE:
                return now
            time.sleep(_LOOK_S)
    except OSError:  # the folder is gone, or its disk is full: it has to do without
        return None
    finally:
        note.unlink(missing_ok=True)
    return None


@contextlib.contextmanager
def called_off_with(book: LeaseBook, lease: Lease) -> Iterator[None]:
    """What this thread does now for a lease is called off when somebody gives that back, and by who may call
    it off anyway.

    Raises:
        GivenBack: it was given back meanwhile.
    """
    outer, call_off, done = calling_off.current(), calling_off.CallOff(), threading.Event()
    said = ""

    def watch() -> None:
        nonlocal said
        while not done.wait(_LOOK_S):
            said = _said(book, lease.id)
            if said:
                call_off.call()
                return

    if outer is not None:
        outer.add(call_off.call)
    watcher = threading.Thread(target=watch, daemon=True, name="trackside-lease-watch")
    watcher.start()
    try:
        with call_off.heard():
            yield
    except ProvisionError:
        if said:
            raise GivenBack(lease, said) from None
        raise
    finally:
        done.set()
        if outer is not None:
            outer.remove(call_off.call)


def _said(book: LeaseBook, lease_id: str) -> str:
    """Why the lease is to be given back, or was; ``""`` while nobody says so."""
    note: Path = home_folder(book.data_dir, lease_id) / GIVE_BACK_NOTE
    asked = read_json(note)
    if asked is not None:
        return f"released by {asked.get('by')}, before its kernel ran"
    try:
        lease = book.load(lease_id)
    except LeaseError:  # its file is being replaced, or the disk does not answer now: that is nobody's word
        return ""
    return "" if lease.state in LIVE else lease.detail or "it is over"
