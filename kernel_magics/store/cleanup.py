"""Making room: which runs and blobs would go, and then deleting them.

The trash is emptied. A run is deleted when it is older than wanted, or when the data folder is larger than
wanted, the oldest first; never one that runs, never one with the tag ``keep``. A run's age counts from its
end or from when its journals were last written to, whichever is later.

Edits of the runs that stay, each of which is a journal of its own, are put together
(:mod:`kernel_magics.store.compaction`): nothing of them is lost.

A blob is deleted when no journal that stays has its digest anywhere in its bytes: so a damaged journal, or
one of a newer version, keeps its blobs. While anything runs no blob is touched, and none that is younger than
a day, since a blob is written before a journal names it.
"""

from __future__ import annotations

import mmap
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kernel_magics import paths
from kernel_magics.errors import TracksideError
from kernel_magics.model import RunInfo, RunStatus, counted

from . import compaction, trash

if TYPE_CHECKING:
    from .store import Store

KEEP = "keep"
"""Runs with this tag are never deleted by a clean-up."""
FRESH_S = 86400.0
"""Blobs younger than this are left alone."""
_DIGEST = re.compile("[0-9a-f]{64}")
_HEX = re.compile(rb"[0-9a-f]{64,}")


@dataclass(frozen=True)
class Doomed:
    """A run that would go: its own bytes, and why."""

    run_id: str
    name: str
    size: int
    why: str


@dataclass(frozen=True)
class Scattered:
    """A run with edits in several journals, which can be one."""

    run_id: str
    journals: int
    saving: int


@dataclass
class Plan:
    """What a clean-up would do.

    Attributes:
        runs: would be deleted for good.
        trash: the same, of those that somebody has deleted.
        blobs: files that nothing refers to then.
        blob_bytes: of these.
        edits: would be put together.
        total: bytes of the data folder's runs, trash and blobs now.
        notes: what was left alone, and why.
    """

    runs: list[Doomed] = field(default_factory=list)
    trash: list[Doomed] = field(default_factory=list)
    blobs: list[Path] = field(default_factory=list)
    blob_bytes: int = 0
    edits: list[Scattered] = field(default_factory=list)
    total: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def saving(self) -> int:
        """Bytes that edits take less when they are together."""
        return sum(one.saving for one in self.edits)

    @property
    def freed(self) -> int:
        """Bytes that would be free."""
        return sum(one.size for one in (*self.runs, *self.trash)) + self.blob_bytes + self.saving


def plan(store: Store, older_than_s: float | None = None, quota: int | None = None) -> Plan:
    """What a clean-up would delete: what is in the trash, what is too old, what is too much.

    Args:
        older_than_s: seconds that a run may be old; ``None``: any.
        quota: bytes that runs and blobs may take; ``None``: any.
    """
    return _Planner(store).plan(older_than_s, quota)


def carry_out(store: Store, planned: Plan) -> int:
    """Deletes for good what was planned; the bytes that are free now.

    A run that is being written meanwhile, or has gone, is passed over.
    """
    freed = 0
    for one in planned.runs:
        try:
            trash.delete(store.data_dir, one.run_id)
        except TracksideError as error:
            planned.notes.append(error.message)
            continue
        trash.erase(store.data_dir, one.run_id)
        freed += one.size
    for one in planned.trash:
        trash.erase(store.data_dir, one.run_id)
        freed += one.size
    for blob in planned.blobs:
        if not _is_old(blob, time.time()):  # it has gone, or a run that began meanwhile needs it
            continue
        size = _size(blob)
        blob.unlink(missing_ok=True)
        freed += size
    return freed + _put_together(store.data_dir, planned)


def _put_together(data_dir: Path, planned: Plan) -> int:
    freed = 0
    for one in planned.edits:
        try:
            freed += compaction.compact(paths.runs_dir(data_dir) / one.run_id)
        except FileNotFoundError:
            continue  # it was deleted meanwhile
        except OSError as error:
            planned.notes.append(
                f"The edits of run {one.run_id} are as they were: {error.strerror or error}."
            )
    return freed


class _Planner:
    def __init__(self, store: Store) -> None:
        data = store.data_dir
        self._runs = store.runs()
        self._folders = {run.id: paths.runs_dir(data) / run.id for run in self._runs}
        self._trash = {run_id: trash.trash_dir(data) / run_id for run_id in trash.trashed(data)}
        self._sizes = {
            run_id: _size(folder) for run_id, folder in (*self._folders.items(), *self._trash.items())
        }
        self._blobs = {path.name: _size(path) for path in _files(paths.blobs_dir(data))}
        self._blob_dir = paths.blobs_dir(data)
        self._uses = {
            run_id: _mentioned(folder, trash.trash_dir(data) / run_id) & self._blobs.keys()
            if self._blobs
            else set()
            for run_id, folder in self._folders.items()
        }
        self._counts = Counter(digest for used in self._uses.values() for digest in used)
        self._busy = any(run.status == RunStatus.RUNNING for run in self._runs)
        self._now = time.time()

    def plan(self, older_than_s: float | None, quota: int | None) -> Plan:
        planned = Plan(total=sum(self._sizes.values()) + sum(self._blobs.values()))
        planned.trash = [Doomed(one, one, self._sizes[one], "in the trash") for one in self._trash]
        self._add_unused(planned)
        candidates = sorted((run for run in self._runs if self._may_go(run)), key=self._last)
        for run in candidates:
            if older_than_s is not None and self._now - self._last(run) > older_than_s:
                days = round((self._now - self._last(run)) / 86400)
                self._doom(planned, run, f"{counted(days, 'day')} old")
            elif quota is not None and planned.total - planned.freed > quota:
                self._doom(planned, run, "over the quota")
        gone = {one.run_id for one in planned.runs}
        planned.edits = [
            one for run_id in self._folders if run_id not in gone for one in self._scattered(run_id)
        ]
        if self._busy and self._blobs:
            planned.notes.append(
                "Something is running: artifacts and media are left alone until it has ended."
            )
        if quota is not None and planned.total - planned.freed > quota:
            planned.notes.append(
                "The quota cannot be kept: what is left runs, is tagged `keep`, or is fresh."
            )
        return planned

    def _scattered(self, run_id: str) -> Iterator[Scattered]:
        with suppress(FileNotFoundError):  # the run was deleted meanwhile
            edits = compaction.together(self._folders[run_id])
            if edits:
                yield Scattered(run_id, len(edits), compaction.saving(edits))

    def _may_go(self, run: RunInfo) -> bool:
        return run.status != RunStatus.RUNNING and KEEP not in run.tags

    def _last(self, run: RunInfo) -> float:
        written = []
        for path in self._folders[run.id].glob("*.journal"):
            with suppress(FileNotFoundError):  # the run was deleted meanwhile
                written.append(path.stat().st_mtime)
        return max([run.finished or run.created, *written])

    def _doom(self, planned: Plan, run: RunInfo, why: str) -> None:
        planned.runs.append(Doomed(run.id, run.name, self._sizes[run.id], why))
        self._counts.subtract(self._uses[run.id])
        self._add_unused(planned, self._uses[run.id])

    def _add_unused(self, planned: Plan, digests: Iterable[str] | None = None) -> None:
        if self._busy:
            return
        for digest in sorted(self._blobs if digests is None else digests):
            blob = self._blob_dir / digest
            # What begins with a dot was being written when its process died.
            if self._counts[digest] <= 0 and _is_old(blob, self._now):
                planned.blobs.append(blob)
                planned.blob_bytes += self._blobs[digest]


def _is_old(blob: Path, now: float) -> bool:
    try:
        return now - blob.stat().st_mtime > FRESH_S
    except FileNotFoundError:
        return False


def _mentioned(folder: Path, trashed: Path) -> set[str]:
    """Everything in a run's journals that could be a digest, also when it is deleted at this moment: it may
    come back out of the trash."""
    found: set[str] = set()
    for place in (folder, trashed):  # in this order: that is the way it goes
        for path in place.glob("*.journal"):
            with suppress(FileNotFoundError):
                found |= _digests(path)
    return found


def _digests(journal: Path) -> set[str]:
    found: set[str] = set()
    if not journal.stat().st_size:
        return found
    with journal.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for match in _HEX.finditer(data):
            text = match.group().decode()
            found.update(text[start : start + 64] for start in range(len(text) - 63))
    return found


def _files(folder: Path) -> list[Path]:
    try:
        names = [path for path in folder.iterdir() if path.is_file() and not path.is_symlink()]
    except FileNotFoundError:
        return []
    return [path for path in names if _DIGEST.fullmatch(path.name) or path.name.startswith(".incoming-")]


def _size(path: Path) -> int:
    """Bytes of a file, or of the files under a folder; 0 when it has gone."""
    try:
        if not path.is_dir():
            return path.stat().st_size
        return sum(entry.stat().st_size for entry in os.scandir(path) if entry.is_file())
    except FileNotFoundError:
        return 0
