"""The stream of a lease as it comes home: its bytes become records, and its files go where they belong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

from gpu_provisioner import wire
from gpu_provisioner.home import HomeJournal
from gpu_provisioner.home_files import HomeFiles
from gpu_provisioner.wire import Record


@dataclass
class Batch:
    """Records that have become whole.

    Attributes:
        records: all but the files', in order.
        events: the contents of those that are events.
        foreign: what is wrong with one that no agent of ours sends; what stands beside it is no less true.
    """

    records: List[Record] = field(default_factory=list)
    events: List[Dict[str, Any]] = field(default_factory=list)
    foreign: Optional[wire.WireError] = None


class Incoming:
    """Begins behind the last whole record that the home journal has.

    Raises:
        OSError: it cannot be read.
    """

    def __init__(self, journal: HomeJournal, files: HomeFiles) -> None:
        self._journal, self._files = journal, files
        boundary, part = journal.unfinished()
        self._reader = wire.RecordReader(boundary)
        self._reader.feed(part)
        journal.boundary, self._fed = boundary, boundary + len(part)

    @property
    def position(self) -> int:
        """Offset behind the last whole record."""
        return self._reader.position

    def go_on_at(self, offset: int) -> None:
        """What comes next has this offset; where that is not the next byte, a record begins there."""
        if offset != self._fed:
            self._fed = offset
            self._reader = wire.RecordReader(offset)

    def take(self, data: wire.Buffer) -> Optional[Batch]:
        """The records that are whole with these bytes, ``None`` if none is; files among them are applied."""
        whole = self._reader.feed(data)
        self._fed += len(data)
        self._journal.boundary = self._reader.position
        if not whole:
            return None
        batch = Batch()
        for record in whole:
            if record[1] == wire.FILE:
                self._files.apply(record)
                continue
            try:
                if record[1] == wire.EVENT:
                    batch.events.append(wire.event_of(record[2]))
            except wire.WireError as error:
                batch.foreign = error
            else:
                batch.records.append(record)
        return batch

    def passed_on(self) -> None:
        """Whoever the records were for has them."""
        self._files.passed(self._reader.position)
