"""The runs that there are: those of the index, without those that lie in the trash and that the index may not
have missed yet."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import replace

from kernel_magics.model import RunInfo

from . import queries, trash
from .current import CurrentIndex
from .states import StateWatch

_ALL = 1 << 53
"""Nobody has so many runs; SQLite's numbers end at 64 bits."""


class PresentRuns:
    """Asks for runs on behalf of a store; see there."""

    def __init__(self, index: CurrentIndex, states: StateWatch) -> None:
        self._index, self._states = index, states

    def newest(self, project: str | None, limit: int | None) -> list[RunInfo]:
        """Runs, newest first."""
        gone = trash.missing(self._index.data_dir)
        most = None if limit is None or limit > _ALL else limit + len(gone)
        found = self._index.ask(lambda sql: queries.runs(sql, self._states, project, most))
        return [run for run in found if run.id not in gone][:limit] if gone else found[:limit]

    def among(self, ids: Collection[str], project: str | None) -> list[RunInfo]:
        """Those of these ids that there are, newest first."""
        gone = trash.missing(self._index.data_dir)
        found = self._index.ask(lambda sql: queries.runs_by_id(sql, self._states, ids))
        return [run for run in found if run.id not in gone and project in (None, run.project)]

    def one(self, run_id: str) -> RunInfo:
        """A run with all its facts; raises :class:`UnknownRun`."""

        def look(sql: sqlite3.Connection) -> RunInfo:
            row = queries.run_row(sql, run_id)
            if trash.is_missing(self._index.data_dir, run_id):
                raise queries.unknown(run_id)
            (info,) = queries.runs_by_id(sql, self._states, [run_id])
            return replace(info, facts=queries.facts(sql, row))

        return self._index.ask(look, [run_id])

    def colours(self) -> list[tuple[str, int | None]]:
        """Every run, oldest first, with the number of its chosen style."""
        gone = trash.missing(self._index.data_dir)
        return [(run, chosen) for run, chosen in self._index.ask(_colours) if run not in gone]


def _colours(sql: sqlite3.Connection) -> list[tuple[str, int | None]]:
    return sql.execute(
        "SELECT run_id, json_extract(marks, '$.colour') FROM run ORDER BY IFNULL(created, 0), run_id"
    ).fetchall()
