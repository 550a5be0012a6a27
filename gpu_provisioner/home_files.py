"""The files of a stream: brought home piece by piece as they come, and again from where it went wrong."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Callable, Optional

from gpu_provisioner import wire
from gpu_provisioner.arrivals import Arrivals
from gpu_provisioner.home import HomeJournal
from gpu_provisioner.home_disk import HomeDisk
from gpu_provisioner.wire import Record

_CHECKPOINT_BYTES = 16 << 20

log = logging.getLogger("trackside.holder")


class HomeFiles:
    """Applies the file records of one home journal.

    Args:
        journal: where the records are kept; it remembers how far they have been applied.
        disk: waits for room.
        goes_on: whether it is worth waiting for room.
    """

    def __init__(
        self, data_dir: Path, journal: HomeJournal, disk: HomeDisk, goes_on: Callable[[], bool]
    ) -> None:
        self._journal, self._disk, self._goes_on = journal, disk, goes_on
        self._arrivals = Arrivals(data_dir, journal.folder / "blobs")
        self._behind: Optional[int] = None
        """Offset from which on nothing is home, because something failed there."""

    def catch_up(self, stop: int) -> None:
        """Apply what a former holder may have left undone, up to the offset ``stop``."""
        self._apply_again(self._journal.applied, stop)

    def apply(self, record: Record) -> None:
        """Bring one piece of a file home; after a failure, everything from there on again."""
        end, _, parts = record
        if self._behind is not None:
            self._apply_again(self._behind, end)
            return
        try:
            self._disk.write(lambda: self._arrivals.apply(parts), self._goes_on)
        except wire.WireError as error:
            log.error("refused: %s", error)
        except OSError as error:
            log.warning("a file did not come home yet: %s", error)
            self._behind = end - len(wire.encode_record(wire.FILE, parts))

    def passed(self, position: int) -> None:
        """Every record up to ``position`` has been applied; now and then that is put down."""
        if self._behind is None and position - self._journal.applied > _CHECKPOINT_BYTES:
            self.checkpoint(position)

    def checkpoint(self, position: int) -> None:
        """Put down how far the files are home. Without room for it the next holder applies more of them
        again, which changes nothing."""
        try:
            self._journal.sync()
            self._arrivals.sync()
            self._journal.mark_applied(self._behind if self._behind is not None else position)
        except OSError as error:
            log.warning("how far the files are home could not be put down: %s", error)

    def _apply_again(self, start: int, stop: int) -> None:
        """Apply the file records from ``start`` to ``stop``; :attr:`_behind` tells how far."""
        self._behind = None
        for batch in self._journal.records(start):
            for end, channel, parts in batch:
                if end > stop or self._behind is not None:
                    return
                if channel == wire.FILE:
                    self.apply((end, channel, parts))
