"""The index file and who may touch it: reading connections, catching up, building anew."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from kernel_magics.errors import DataFolderError

from .growth import Growth
from .ingest import Ingester
from .schema import IngestLock, close_writer, discard, index_path, open_reader, open_writer

WAIT_S = 2.0
"""How long catching up waits for another process that ingests."""
_POLL_S = 0.02


class Index:
    """The index of one data folder.

    Args:
        path: where the index is, or shall be.
        ingest: whether this process may write it when nobody else does.
    """

    def __init__(self, data_dir: Path, path: Path | None = None, ingest: bool = True) -> None:
        self.data_dir = data_dir
        self.path = path or index_path(data_dir)
        self._may_ingest = ingest
        self._guard = threading.RLock()
        self._reader: sqlite3.Connection | None = None
        self._inode: int | None = None
        self._written_inode: int | None = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One view of the index that does not change while it is looked at."""
        with self._guard:
            sql = self._current_reader()
            sql.execute("BEGIN")
            try:
                yield sql
            finally:
                if sql.in_transaction:
                    sql.execute("ROLLBACK")

    def catch_up(self, run_ids: Collection[str] | None = None, limit_s: float | None = None) -> int:
        """Ingests what is new, or waits for the process that does; answers the bytes that are left.

        Args:
            run_ids: only these runs' journals.
            limit_s: stop after about so many seconds, but not before every journal has been begun.
        """
        deadline = None if limit_s is None else time.monotonic() + limit_s
        wait_until = time.monotonic() + WAIT_S
        while True:
            if self._may_ingest:
                with self.writing() as sql:
                    if sql is not None:
                        ingester = Ingester(sql, self.data_dir)
                        if run_ids is None:
                            ingester.remove_vanished()
                        return ingester.ingest(run_ids, deadline, heads=True)
            left = self.behind(run_ids)
            now = time.monotonic()
            if (
                not left
                or not self._may_ingest
                or now > wait_until
                or (deadline is not None and now > deadline)
            ):
                return left
            time.sleep(_POLL_S)

    def behind(self, run_ids: Collection[str] | None = None) -> int:
        """Bytes of journals that the index does not have."""
        with self.reading() as sql:
            journals = Growth(sql, self.data_dir).journals(run_ids)
        return sum(journal.behind or 1 for journal in journals)

    def rebuild(self) -> None:
        """Throws the index away and builds it anew from the journals.

        Raises:
            DataFolderError: another process is writing it; that one has been asked to build it anew.
        """
        self.mark_damaged()
        if not self._may_ingest or not self._rebuilt_here():
            self._wait_for_rebuild()

    def mark_damaged(self) -> None:
        """Whoever ingests next builds the index anew."""
        self._mark.parent.mkdir(parents=True, exist_ok=True)
        self._mark.touch()

    def close(self) -> None:
        """Closes the reading connection; can be called again."""
        with self._guard:
            if self._reader is not None:
                self._reader.close()
                self._reader, self._inode = None, None

    @property
    def _mark(self) -> Path:
        return self.path.with_suffix(".damaged")

    def is_damaged(self) -> bool:
        """Whether somebody has found the index damaged."""
        return self._mark.exists()

    def is_replaced(self) -> bool:
        """Whether the file that :meth:`writing` opened is deleted or replaced: nobody reads it any more."""
        return self._inode_on_disk() != self._written_inode

    def _inode_on_disk(self) -> int | None:
        try:
            return self.path.stat().st_ino
        except OSError:
            return None

    def _reset_if_damaged(self) -> None:
        """Deletes an index that somebody found damaged; only for who holds the lock."""
        if self.is_damaged():
            discard(self.path)
            self._mark.unlink(missing_ok=True)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection | None]:
        """The writing connection, or ``None`` while another process has it."""
        lock = IngestLock(self.path)
        if not lock.acquire():
            yield None
            return
        try:
            self._reset_if_damaged()
            sql = open_writer(self.path, self.data_dir)
            self._written_inode = self._inode_on_disk()
            try:
                yield sql
            finally:
                close_writer(sql, self.path)
        finally:
            lock.release()

    def _rebuilt_here(self) -> bool:
        with self.writing() as sql:
            if sql is None:
                return False
            Ingester(sql, self.data_dir).ingest()
            return True

    def _wait_for_rebuild(self) -> None:
        end = time.monotonic() + 5 * WAIT_S
        while self._mark.exists():
            if time.monotonic() > end:
                raise DataFolderError(
                    "The index is damaged and is waiting to be built anew; what was recorded is safe.",
                    remedy="trackside rebuild",
                )
            time.sleep(_POLL_S)
        while self._is_in_the_making() and time.monotonic() < end:
            time.sleep(_POLL_S)

    def _is_in_the_making(self) -> bool:
        try:
            return self.behind() > 0
        except sqlite3.OperationalError:  # its files are being replaced at this moment
            self.close()
            return True

    def _current_reader(self) -> sqlite3.Connection:
        """The reading connection, made anew when the index has been replaced."""
        inode = self._inode_on_disk()
        if self._reader is not None and inode != self._inode:
            self.close()
        if self._reader is None:
            self._reader = open_reader(self.path)
            on_disk = self._reader.execute("PRAGMA database_list").fetchone()[2]
            self._inode = inode if on_disk else None
        return self._reader
