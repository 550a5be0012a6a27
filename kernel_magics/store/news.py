"""What has changed in an index since somebody last looked."""

from __future__ import annotations

import sqlite3

from . import queries
from .model import Changes
from .states import State, StateWatch


class News:
    """Remembers the index's last transaction that was looked at, and the states of the runs that were
    open."""

    def __init__(self, states: StateWatch) -> None:
        self._state_of = states
        self._commit = 0
        self._states: dict[str, State] = {}

    def skip(self, sql: sqlite3.Connection) -> None:
        """What there is now is known."""
        self._commit, self._states = queries.last_commit(sql), queries.open_runs(sql, self._state_of)

    def forget(self) -> None:
        """Another index has taken this one's place: all of it is news."""
        self._commit = 0

    def is_newer(self, sql: sqlite3.Connection) -> bool:
        """Whether there were transactions since the last look."""
        return queries.last_commit(sql) != self._commit

    def look(self, sql: sqlite3.Connection) -> Changes:
        """What has changed since the last look; a run whose process has died counts as changed."""
        last = queries.last_commit(sql)
        since = self._commit if last >= self._commit else 0  # less: the index was built anew
        changes = queries.changes(sql, since)
        changes.runs.update(self.died(sql))
        self._commit = last
        return changes

    def died(self, sql: sqlite3.Connection) -> set[str]:
        """Runs whose state has changed though their journals have not."""
        states = queries.open_runs(sql, self._state_of)
        before, self._states = self._states, states
        return {run_id for run_id, state in states.items() if before.get(run_id, state) != state}
