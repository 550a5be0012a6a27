"""What the agent keeps: the spool, and the journals and blobs that go into it."""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path
from typing import Callable, Dict, List, Sequence

from gpu_provisioner import wire
from gpu_provisioner.agent.files import FileTail
from gpu_provisioner.agent.places import read_json, write_private
from gpu_provisioner.agent.spool import NoRoom, Spool
from gpu_provisioner.wire import Buffer

_BLOB_BYTES_A_TURN = 8 << 20
_ALL = 1 << 62


class Keeper:
    """Takes records and never drops one.

    When the quota is reached or the disk is full, :attr:`full` is true: the loop then leaves the kernel's
    iopub alone, and the kernel waits at its next output until somebody has fetched what is here.

    Args:
        folder: of the agent.
        quota_bytes: of the spool.
        on_full: called with :attr:`full` when that changes.
    """

    def __init__(self, folder: Path, quota_bytes: int, on_full: Callable[[bool], None]) -> None:
        self._folder = folder
        self._quota_bytes = quota_bytes
        self._on_full = on_full
        state = read_json(folder / "state.json") or {}
        self.spool = Spool(folder / "spool")
        self.acked = 0
        """Offset up to which everything is home."""
        self.full = False
        self.trouble = ""
        """What keeps the spool from being written, as a sentence; it cannot be told in the spool."""
        self.epoch: int = int(state.get("epoch", 1))
        """Of the last kernel; a later agent reads it."""
        self.grew_at = time.monotonic()
        self._files = FileTail(folder / "data", state.get("files"))
        self._saved: Dict[str, object] = {}
        self._unspooled: List[Sequence[Buffer]] = []

    def keep(self, *pieces: Buffer) -> None:
        """Put whole records, in pieces, into the spool, or hold them until the disk takes them."""
        self.grew_at = time.monotonic()
        if self._unspooled:
            self._unspooled.append(pieces)
            return
        try:
            self.spool.append(*pieces)
        except NoRoom as error:
            print(f"the spool cannot be written: {error}", file=sys.stderr, flush=True)
            self._unspooled.append(error.left)
            self.trouble = (
                f"{socket.gethostname()} cannot keep what the kernel says in {self._folder} "
                f"({error.strerror}): it waits at its next output until there is room, and nothing is lost."
            )
            self._set_full(True)
            return
        if not self.full and self.spool.held_bytes > self._quota_bytes:
            self._set_full(True)
            self.notice(
                f"{self.spool.held_bytes / 2**30:.1f} GiB of output wait on the machine and nobody "
                "fetches them; the kernel pauses at its next output until somebody does."
            )

    def notice(self, text: str) -> None:
        self.keep(wire.encode_event("notice", text=text))

    def scan_files(self, thorough: bool = False) -> None:
        """Spool what the journals have gained, and a share of the waiting blobs (all, if thorough)."""
        if self._unspooled:
            return
        for record in self._files.journal_records(thorough):
            self.keep(record)
        for record in self._files.blob_records(_ALL if thorough else _BLOB_BYTES_A_TURN):
            self.keep(record)

    @property
    def has_more_files(self) -> bool:
        return self._files.has_blobs_waiting and not self.full

    def acknowledge(self, offset: int) -> None:
        self.acked = max(self.acked, min(offset, self.spool.end))
        self.spool.free(self.acked)

    def resume_at(self, boundary: int) -> None:
        """Everything before ``boundary``, which lies ahead of the spool's end, is home already."""
        self.spool.begin_at(boundary)
        self.acked = boundary

    @property
    def is_all_home(self) -> bool:
        return self.acked >= self.spool.end and not self._unspooled

    def keep_house(self) -> bool:
        """Try again what the disk refused, and save the positions; True when the folder had been deleted."""
        if self.full:
            self._retry()
        deleted = self.spool.restore_folder()
        if deleted:
            (self._folder / "data").mkdir(mode=0o700, exist_ok=True)
            self._saved = {}
        state = {"epoch": self.epoch, "files": dict(self._files.positions)}
        if state != self._saved:
            self._saved = state
            try:
                write_private(self._folder / "state.json", json.dumps(state).encode())
            except OSError as error:
                print(f"the positions cannot be saved: {error}", file=sys.stderr, flush=True)
        return deleted

    def _set_full(self, full: bool) -> None:
        if self.full != full:
            self.full = full
            self._on_full(full)

    def _retry(self) -> None:
        pending, self._unspooled = self._unspooled, []
        for index, pieces in enumerate(pending):
            self.keep(*pieces)
            if self._unspooled:
                self._unspooled.extend(pending[index + 1 :])
                return
        if self.trouble:
            self.trouble = ""
            self.notice(f"There is room again on {socket.gethostname()}; the kernel goes on.")
        if self.spool.held_bytes <= self._quota_bytes:
            self._set_full(False)
