"""Cells that ran on another machine: from the home journals of its kernels."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from gpu_provisioner import wire
from gpu_provisioner.absence import note_pages
from gpu_provisioner.home import home_folder, read_records
from gpu_provisioner.home_cells import HomeCell, HomeCells, Parents, message_type
from gpu_provisioner.leases import LIVE, LeaseBook
from gpu_provisioner.model import Lease
from gpu_provisioner.wire import Record

from .replay_cell import Cell, CellFilters, Heard, Page, Part, Shown, joined


class HomeStreams:
    """The home journals of a data folder, each read once for all pages."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._book = LeaseBook(data_dir)
        self._lock = threading.Lock()
        self._known: dict[str, HomeCells] = {}
        self._leases: tuple[frozenset[tuple[str, int, int, int]], list[Lease]] = frozenset(), []

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
        now = self._signature()
        if now != self._leases[0]:
            self._leases = now, self._book.all()
        return self._leases[1]

    def _signature(self) -> frozenset[tuple[str, int, int, int]]:
        """Of each lease file its name, and what changes with it. The folder's own time is not enough: of two
        changes within one tick of the file system's clock it shows only that there was one."""
        found = []
        with suppress(OSError), os.scandir(self.data_dir / "leases") as entries:
            for entry in entries:
                with suppress(OSError):  # replaced between the two calls
                    facts = entry.stat()
                    found.append((entry.name, facts.st_ino, facts.st_mtime_ns, facts.st_size))
        return frozenset(found)


class StreamSource:
    """The remote cells of one page."""

    def __init__(self, streams: HomeStreams, page: Page) -> None:
        self._streams = streams
        self._page = page
        self._cells: dict[str, tuple[HomeCells, HomeCell]] = {}
        self._followed: dict[str, list[CellFilters]] = {}
        self._read: dict[str, int] = {}
        self._parents = Parents()
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

    def follow(self, wanted: Mapping[str, int | None]) -> Iterator[Part]:
        """What these cells have shown so far, each after a position; :meth:`news` brings the rest.

        A stream is read once for all of its cells that are wanted, from where the first of them begins.
        """
        by_lease: dict[str, dict[str, int]] = {}
        for key in wanted:
            stream, cell = self._cells[key]
            by_lease.setdefault(stream.folder.name, {})[key] = cell.start
        for lease, starts in by_lease.items():
            self._leave(lease, starts)
        yield from self.news()  # so that all cells of a stream have been read to the same place
        for lease, starts in by_lease.items():
            yield from self._read_so_far(lease, starts, wanted)

    def _leave(self, lease: str, keys: Iterable[str]) -> None:
        groups = self._followed.get(lease, [])
        for group in groups:
            group.drop(keys)
        self._followed[lease] = [group for group in groups if group.keys]

    def _read_so_far(
        self, lease: str, starts: Mapping[str, int], wanted: Mapping[str, int | None]
    ) -> Iterator[Part]:
        group = CellFilters(starts)
        heard = {key: Heard(whole=wanted[key] is None) for key in starts}
        position = self._read.setdefault(lease, self._stream(lease).position)
        for at, key, shown in self._shown(lease, min(starts.values()), position, [group]):
            if at > (wanted[key] or 0):
                heard[key].add(shown)
        self._followed.setdefault(lease, []).append(group)
        for key in starts:
            yield Part(key, position, heard.pop(key).messages())

    def news(self) -> Iterator[Part]:
        """What has come of the cells that are followed."""
        for lease, groups in self._followed.items():
            stream = self._stream(lease)
            stream.look()
            begin, end = self._read.setdefault(lease, stream.position), stream.position
            found: dict[str, list[Shown]] = {}
            for _at, key, shown in self._shown(lease, begin, end, groups):
                found.setdefault(key, []).append(shown)
            self._read[lease] = end
            for key, messages in found.items():
                yield Part(key, end, joined(messages))

    def _stream(self, lease: str) -> HomeCells:
        return next(stream for stream, _ in self._cells.values() if stream.folder.name == lease)

    def _shown(
        self, lease: str, start: int, end: int, groups: Sequence[CellFilters]
    ) -> Iterator[tuple[int, str, Shown]]:
        """Position, cell and message of all that one of these shows from a part of a stream."""
        for record in self._between(lease, start, end):
            for key, shown in shown_in(groups, self._parents, record):
                yield record[0], key, shown

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


def shown_in(groups: Sequence[CellFilters], parents: Parents, record: Record) -> list[tuple[str, Shown]]:
    """What one record shows, by the cells that show it."""
    at, channel, parts = record
    if channel not in (wire.IOPUB, wire.STDIN) or len(parts) < 4:
        return []
    try:
        parent, kind = parents.of(parts), message_type(parts)
        return [found for group in groups for found in group.shown(at, parent, kind, parts[3])]
    except (wire.WireError, ValueError, RecursionError):  # the far machine may send anything
        return []
