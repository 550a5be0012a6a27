"""Cells that ran on another machine: from the home journals of its kernels."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gpu_provisioner import wire
from gpu_provisioner.absence import note_pages
from gpu_provisioner.home import home_folder, read_records
from gpu_provisioner.home_cells import HomeCell, HomeCells, Parents, message_type
from gpu_provisioner.leases import LIVE, LeaseBook
from gpu_provisioner.model import Lease
from gpu_provisioner.wire import Record

from .replay_cell import Cell, CellFilter, Page, Part, Shown, folded, joined


class HomeStreams:
    """The home journals of a data folder, each read once for all pages."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._book = LeaseBook(data_dir)
        self._lock = threading.Lock()
        self._known: dict[str, HomeCells] = {}
        self._leases: tuple[int, list[Lease]] = 0, []

    def since(self, saved: float) -> list[HomeCells]:
        """Those with a cell that may still run, or to which something was added after ``saved`` (seconds)."""
        found = []
        for lease in self._all():
            with suppress(OSError):
                changed = (home_folder(self.data_dir, lease.id) / "stream").stat().st_mtime
                if lease.state in LIVE or changed > saved:
                    with self._lock:
                        found.append(self._known.setdefault(lease.id, HomeCells(self.data_dir, lease.id)))
        return found

    def sizes(self) -> frozenset[tuple[str, int]]:
        """Changes whenever anything has come home; for whoever waits for that."""
        found = []
        for lease in self._all():
            if lease.state in LIVE:
                with suppress(OSError):
                    size = (home_folder(self.data_dir, lease.id) / "stream").stat().st_size
                    found.append((lease.id, size))
        return frozenset(found)

    def note_pages(self, before: frozenset[str], now: frozenset[str]) -> None:
        """Puts down in the folders of these leases that pages show their cells, or do so no more."""
        for lease_id in before ^ now:
            folder = home_folder(self.data_dir, lease_id)
            if folder.is_dir():
                note_pages(folder, lease_id in now)

    def _all(self) -> list[Lease]:
        """The leases; their files are read again when one was replaced."""
        try:
            changed = (self.data_dir / "leases").stat().st_mtime_ns
        except FileNotFoundError:
            return []
        if changed != self._leases[0]:
            self._leases = changed, self._book.all()
        return self._leases[1]


class StreamSource:
    """The remote cells of one page."""

    def __init__(self, streams: HomeStreams, page: Page) -> None:
        self._streams = streams
        self._page = page
        self._cells: dict[str, tuple[HomeCells, HomeCell]] = {}
        self._followed: dict[str, dict[str, CellFilter]] = {}
        self._read: dict[str, int] = {}
        self._settled: set[str] = set()
        """Cells that had ended, and whose outputs were home, when the notebook was saved."""

    def cells(self) -> list[Cell]:
        """All that the notebook as it was saved cannot have, in the order in which they began."""
        found = []
        for stream in self._streams.since(self._page.saved):
            for cell in stream.look():
                if self._concerns(stream, cell):
                    self._cells[cell.key] = stream, cell
                    session, running = cell.session, cell.end is None
                    found.append(Cell(cell.key, cell.cell_id, session, running, cell.execution_count))
        return found

    def has(self, key: str) -> bool:
        """Whether the cell is one of these."""
        return key in self._cells

    @property
    def leases(self) -> frozenset[str]:
        """Ids of the leases that have cells of the page."""
        return frozenset(stream.folder.name for stream, _ in list(self._cells.values()))

    def follow(self, key: str, after: int | None) -> Iterator[Part]:
        """What the cell has shown so far, after a position; :meth:`news` brings the rest."""
        stream, cell = self._cells[key]
        lease = stream.folder.name
        self._followed.get(lease, {}).pop(key, None)
        yield from self.news()  # so that all cells of a stream have been read to the same place
        picked = CellFilter(key)
        position = self._read.setdefault(lease, stream.position)
        messages = [
            shown
            for record in self._between(lease, cell.start, position)
            for shown in _shown({key: picked}, record).values()
            if after is None or record[0] > after
        ]
        self._followed.setdefault(lease, {})[key] = picked
        yield Part(key, position, joined(messages) if after is not None else folded(messages))

    def news(self) -> Iterator[Part]:
        """What has come of the cells that are followed."""
        for lease, followed in self._followed.items():
            stream = next(stream for stream, _ in self._cells.values() if stream.folder.name == lease)
            stream.look()
            begin, end = self._read[lease], stream.position
            found: dict[str, list[Shown]] = {}
            for record in self._between(lease, begin, end):
                for key, shown in _shown(followed, record).items():
                    found.setdefault(key, []).append(shown)
            self._read[lease] = end
            for key, messages in found.items():
                yield Part(key, end, joined(messages))

    def _between(self, lease: str, start: int, end: int) -> Iterator[Record]:
        if start >= end:
            return
        for batch in read_records(self._streams.data_dir, lease, start):
            for record in batch:
                if record[0] > end:
                    return
                yield record

    def _concerns(self, stream: HomeCells, cell: HomeCell) -> bool:
        if cell.key in self._settled or not self._page.is_mine(cell.notebook, cell.kernel_id):
            return False
        arrived = None if cell.key in self._cells else stream.arrived(cell)
        if arrived is not None and arrived < self._page.saved:
            self._settled.add(cell.key)
            return False
        return True


def _shown(followed: dict[str, CellFilter], record: Record) -> dict[str, Shown]:
    """What one record shows, by the cells that show it."""
    _, channel, parts = record
    if channel not in (wire.IOPUB, wire.STDIN) or len(parts) < 4:
        return {}
    found = {}
    try:
        kind, parent = message_type(parts), Parents().of(parts)
        for key, picked in followed.items():
            shown = picked.shown(parent, kind, parts[3])
            if shown is not None:
                found[key] = shown
    except (wire.WireError, ValueError, RecursionError):  # the far machine may send anything
        return {}
    return found
