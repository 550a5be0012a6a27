"""What becomes of a leased machine and its kernel, as its stream tells, and what of it the lease says."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Dict, List, Mapping

from gpu_provisioner import obituary
from gpu_provisioner.errors import ProvisionError
from gpu_provisioner.leases import LIVE, LeaseBook
from gpu_provisioner.model import Lease, LeaseState

log = logging.getLogger("trackside.holder")


class Fate:
    """Known to the holder of the lease alone, who guards it.

    Attributes:
        started: whether a kernel has been ready.
        failure: why none will be, a sentence, or ``""``.
        lost_reason: what was lost with the agent, and what is kept, or ``""`` while it lives.
        released_by: how it was ended in order: "released by the user", or ``""``.
        gives_back: whether the agent ended of its own accord, and its machine has not gone back yet.
    """

    def __init__(self, lease: Lease, data_dir: Path) -> None:
        self.lease = lease
        self._data_dir = data_dir
        self.started = False
        self.failure = ""
        self.lost_reason = ""
        self.released_by = ""
        self.gives_back = False

    def learn(self, event: Mapping[str, Any]) -> None:
        """An event of the stream."""
        kind = event.get("type")
        if kind == "kernel-started":
            self.started = True
        elif kind == "kernel-died" and not self.started:
            self.failure = f"The kernel ended before it was ready: {event.get('reason')}."
        elif kind == "agent-died":
            self.lost_reason = obituary.told_by_heir(event)
        elif kind == "stopping":
            self.released_by = obituary.stopped(event.get("by"))
            self.gives_back = bool(event.get("release"))

    def write_down(self, event: Mapping[str, Any]) -> None:
        """Put into the lease what people look for there; after :meth:`learn`."""
        kind = event.get("type")
        if kind == "agent-died":
            self.lose(self.lost_reason)
        elif kind in ("idle-warning", "idle-over"):
            self.note(str(event.get("text")) if kind == "idle-warning" else "")

    def vanished(self, detail: str, epoch: int, arrived: float) -> List[Dict[str, Any]]:
        """The agent is gone for good and could not say so: the events that it would have sent.

        Args:
            epoch: of the kernel that went with it.
            arrived: when the last of the stream came (seconds since the epoch).
        """
        self.lost_reason = obituary.vanished(detail, arrived)
        died = {"type": "kernel-died", "epoch": epoch, "returncode": None, "signal": None, "reason": detail}
        return [died, {"type": "agent-died", "reason": detail, "time": None, "told": self.lost_reason}]

    def note(self, text: str) -> None:
        """For the panel and ``%gpu_status``: between two cells there is no output to show it in."""
        try:
            self.lease = LeaseBook(self._data_dir).update(self.lease.id, detail=text)
        except ProvisionError as error:
            log.warning("%s", error)

    def lose(self, why: str, only_live: bool = False) -> None:
        """The lease is lost. ``only_live``: of one that is over already it is known better why."""
        try:
            book = LeaseBook(self._data_dir)
            if not only_live or book.load(self.lease.id).state in LIVE:
                book.finish(self.lease.id, LeaseState.LOST, why)
        except ProvisionError as error:
            # A full disk; whoever looks at the leases next finds out by himself.
            log.warning("%s", error)
