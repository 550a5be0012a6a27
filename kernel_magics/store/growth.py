"""Which journals have bytes that the index does not have."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from kernel_magics import paths
from kernel_magics.model import is_run_id

Key = tuple[str, str]
"""Run id, writer id."""
_TICK_NS = 2_000_000_000
"""A folder that has changed as recently may change again without showing it (clocks of file systems are
coarse)."""


@dataclass
class Journal:
    """A journal that has grown.

    Attributes:
        offset: the index holds what lies before.
        size: bytes, when it was looked at.
    """

    run_id: str
    writer: str
    path: Path
    offset: int
    size: int
    modified: float

    @property
    def key(self) -> Key:
        """Run id and writer id."""
        return self.run_id, self.writer

    @property
    def behind(self) -> int:
        """Bytes not read yet."""
        return max(0, self.size - self.offset)


class Growth:
    """Compares the data folder with an index. ``offsets`` and ``stuck`` are kept current by who ingests."""

    def __init__(self, sql: sqlite3.Connection, data_dir: Path) -> None:
        self.runs_dir = paths.runs_dir(data_dir)
        self._folders: dict[str, tuple[int, list[str]]] = {}
        self.offsets: dict[Key, int] = {}
        self.stuck: dict[Key, int] = {}
        rows = sql.execute(
            "SELECT run_id, writer, offset, seen FROM journal JOIN run ON run.id = journal.run"
        )
        for run_id, writer, offset, seen in rows:
            self.offsets[run_id, writer] = offset
            self.stuck[run_id, writer] = seen

    def journals(self, run_ids: Collection[str] | None = None) -> list[Journal]:
        """The journals that have grown (of these runs), those written to last first."""
        found = []
        for run_id in sorted(run_ids) if run_ids is not None else self._run_folders():
            for writer in self._writers(run_id):
                path = self.runs_dir / run_id / f"{writer}.journal"
                try:
                    status = os.stat(path)  # noqa: PTH116 - once per journal and look; Path costs thrice as much
                except OSError:
                    continue
                journal = Journal(
                    *(run_id, writer, path),
                    *(max(0, self.offsets.get((run_id, writer), 0)), status.st_size, status.st_mtime),
                )
                if self.is_open(journal) or journal.size < journal.offset:
                    found.append(journal)
        found.sort(key=lambda journal: journal.modified, reverse=True)
        return found

    def is_open(self, journal: Journal) -> bool:
        """Whether there is anything to read in it."""
        if journal.key not in self.offsets:
            return True
        return journal.behind > 0 and self.stuck.get(journal.key) != journal.size

    def vanished(self) -> list[str]:
        """Runs of the index whose folder is gone."""
        return sorted({run_id for run_id, _writer in self.offsets} - set(self._run_folders()))

    def forget(self, run_id: str) -> None:
        """The run is no longer in the index."""
        self._folders.pop(run_id, None)
        for key in [key for key in self.offsets if key[0] == run_id]:
            del self.offsets[key]
            self.stuck.pop(key, None)

    def _run_folders(self) -> list[str]:
        try:
            with os.scandir(self.runs_dir) as entries:
                return [entry.name for entry in entries if is_run_id(entry.name) and entry.is_dir()]
        except FileNotFoundError:
            return []

    def _writers(self, run_id: str) -> list[str]:
        """Names of the run's journals; the folder is listed again only when it has changed."""
        folder = self.runs_dir / run_id
        try:
            changed = folder.stat().st_mtime_ns
            known = self._folders.get(run_id)
            if known is not None and known[0] == changed:
                return known[1]
            # A name that is no text, or has control characters in it, is no writer's.
            found = (path.stem for path in folder.iterdir() if path.suffix == ".journal")
            names = sorted(name for name in found if name.isprintable())
        except OSError:
            return []
        if time.time_ns() - changed > _TICK_NS:
            self._folders[run_id] = changed, names
        return names
