"""Journals into the index: what is new in each, in transactions that carry the offset with the data.

So an ingester that is killed at any instant goes on where its last transaction ended, and nothing counts
twice.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from kernel_magics.errors import JournalError

from .frames import read_batch, read_end
from .growth import Growth, Journal, Key
from .runs import RunState
from .schema import drop_run

BATCH = 8 * 1024 * 1024
"""Bytes of journals in one transaction, about."""
HEAD = 256 * 1024
"""Bytes of each journal that are read before any is read further, when there is much to do."""
KEPT_STATES = 64
"""Runs whose names and streams are kept in memory between two calls."""
_FILE_COST = 4096
"""What opening a journal counts for, in bytes: a transaction takes at most some 2,000 journals."""


class Ingester:
    """Brings an index up to date with the journals of a data folder.

    Args:
        sql: the index's writing connection; whoever made it holds the index's lock.
    """

    def __init__(self, sql: sqlite3.Connection, data_dir: Path) -> None:
        self._sql = sql
        self._states: dict[str, RunState] = {}
        self.growth = Growth(sql, data_dir)

    def ingest(
        self, run_ids: Collection[str] | None = None, deadline: float | None = None, *, heads: bool = False
    ) -> int:
        """Reads on in the journals that have grown (of these runs).

        Args:
            deadline: by :func:`time.monotonic`; what is not done then is left for the next call.
            heads: the beginning of every journal is read whatever the deadline, so that no run is missing.

        Returns:
            The bytes that are left.
        """
        journals = self._without_replaced(self.growth.journals(run_ids))
        much = sum(journal.behind for journal in journals) > BATCH
        for once in (True, False) if much else (False,):
            work = [journal for journal in journals if self.growth.is_open(journal)]
            until = None if heads and (once or not much) else deadline
            while work and (until is None or time.monotonic() < until):
                self._transaction(work, once)
        if len(self._states) > KEPT_STATES:
            self._states.clear()
        return sum(journal.behind for journal in journals if self.growth.is_open(journal))

    def remove_vanished(self) -> list[str]:
        """Takes runs whose folder is gone out of the index; answers which."""
        run_ids = self.growth.vanished()
        if run_ids:
            with self._commit() as number:
                for run_id in run_ids:
                    self._drop(run_id)
                    self._sql.execute("INSERT OR REPLACE INTO gone VALUES(?, ?)", (run_id, number))
        return run_ids

    def _without_replaced(self, journals: list[Journal]) -> list[Journal]:
        """A journal that has become shorter is not the file it was: its run is read anew."""
        replaced = {journal.run_id for journal in journals if journal.size < journal.offset}
        if not replaced:
            return journals
        with self._commit():
            for run_id in replaced:
                self._drop(run_id)
        kept = [journal for journal in journals if journal.run_id not in replaced]
        return kept + self.growth.journals(replaced)

    @contextmanager
    def _commit(self) -> Iterator[int]:
        """A transaction with a number that is higher than all before."""
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            number = self._sql.execute("SELECT value FROM meta WHERE key='commit'").fetchone()[0] + 1
            yield number
            self._sql.execute("UPDATE meta SET value=? WHERE key='commit'", (number,))
            self._sql.execute("COMMIT")
        except BaseException:
            self._states.clear()
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")
            raise

    def _transaction(self, work: list[Journal], once: bool) -> None:
        """Reads from the first journals of ``work`` and takes those that are done off it."""
        room, touched = BATCH, dict[str, RunState]()
        limit = HEAD if once else BATCH
        offsets: dict[Key, int] = {}
        with self._commit() as number:
            while work and room > 0:
                journal = work[0]
                before = journal.offset
                state = self._state(journal.run_id)
                if self._step(state, journal, min(limit, max(room, HEAD)), number):
                    touched[journal.run_id] = state
                    if once and journal.behind > HEAD:
                        self._look_ahead(state, journal)
                offsets[journal.key] = journal.offset
                room -= journal.offset - before + _FILE_COST
                if once or not journal.behind or self.growth.stuck.get(journal.key) == journal.size:
                    work.pop(0)
            for state in touched.values():
                state.save(number)
        self.growth.offsets.update(offsets)

    def _state(self, run_id: str) -> RunState:
        state = self._states.get(run_id)
        if state is None:
            state = self._states[run_id] = RunState(self._sql, run_id)
        return state

    def _step(self, state: RunState, journal: Journal, limit: int, number: int) -> bool:
        """Reads one batch of a journal; answers whether what the index says of the run has changed."""
        new = journal.key not in self.growth.offsets
        try:
            batch = read_batch(journal.path, journal.offset, limit)
        except FileNotFoundError:
            # Its run was deleted this moment, or its edits stand in another journal now.
            self.growth.stuck[journal.key] = journal.size
            return False
        except (JournalError, OSError) as error:
            changed = state.refuse(journal.writer, str(error))
            self._stuck(state, journal)
            return changed
        if batch.end > journal.offset or new:
            state.apply(journal.writer, batch, number)
        if batch.end <= journal.offset:
            self._stuck(state, journal)
            return new
        journal.offset = batch.end
        if not journal.behind:
            state.arrived(journal.writer)
        return True

    def _look_ahead(self, state: RunState, journal: Journal) -> None:
        """The newest data first: what the end of a long journal says is shown while it is being read."""
        try:
            state.look_ahead(journal.writer, read_end(journal.path, HEAD))
        except (JournalError, OSError):
            return  # reading it from its beginning will say why

    def _stuck(self, state: RunState, journal: Journal) -> None:
        self.growth.stuck[journal.key] = journal.size
        state.saw(journal.writer, journal.size)

    def _drop(self, run_id: str) -> None:
        self.growth.forget(run_id)
        self._states.pop(run_id, None)
        drop_run(self._sql, run_id)
