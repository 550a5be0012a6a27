"""Questions to the index, each one statement or a few; SQL stands beside the method that needs it."""

from __future__ import annotations

import gc
import json
import math
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from kernel_magics.errors import UnknownRun, typed_here
from kernel_magics.model import MetricInfo, MetricSource, RunInfo, RunStatus

from .lazy import mappings, mappings_later
from .model import Changes, MetricSummary
from .states import State
from .streams import STREAM_COLUMNS, Stream

_MANY = 500
"""Values in one ``IN (…)``; SQLite allows at least 999."""
_READ = "(SELECT json_group_object(writer, MAX(offset, seen)) FROM journal WHERE journal.run=run.id)"
"""Up to where the index holds each journal of a run, in bytes; a torn tail counts as read."""
_RUN = (
    "run_id, name, project, state, detail, grp, tags, created, finished,"
    " config, summary, light, extremes, error, CASE WHEN state IS NULL THEN writers END, changed, marks,"
    f" CASE WHEN state IS NULL THEN {_READ} END"
)
_SOURCES = ("logged", "inferred", "system")
"""The order in which a metric is looked for when nobody names a source."""
_STATUSES = {str(status): status for status in RunStatus}
_new = object.__new__

StateOf = Callable[[str, str, str, str | None, int], State]
"""Run id, then as JSON its writers, up to where each is read, and short facts, then the number of the last
change; the state of a run without a finish."""


def run_row(sql: sqlite3.Connection, run_id: str) -> int:
    """The row of a run.

    Raises:
        UnknownRun: there is none.
    """
    found = sql.execute("SELECT id FROM run WHERE run_id=?", (run_id,)).fetchone()
    if found is None:
        raise unknown(run_id)
    return int(found[0])


def unknown(run_id: str) -> UnknownRun:
    """What is said of a run that there is not."""
    return UnknownRun(
        f"There is no run {run_id} in this data folder.", remedy=typed_here("%runs --all", "trackside ls")
    )


def runs(
    sql: sqlite3.Connection, state_of: StateOf, project: str | None = None, limit: int | None = None
) -> list[RunInfo]:
    """Runs, newest first, with their short facts only."""
    with _many_objects():
        rows = sql.execute(
            f"SELECT {_RUN} FROM run WHERE ?1 IS NULL OR project=?1"
            " ORDER BY created DESC, run_id DESC LIMIT ?2",
            (project, -1 if limit is None else limit),
        ).fetchall()
        return _run_infos(rows, state_of)


@contextmanager
def _many_objects() -> Iterator[None]:
    """Without the garbage collector: nothing of a listing is garbage while it is made, and looking through it
    again and again takes a sixth of the time that ten thousand runs take."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def runs_by_id(sql: sqlite3.Connection, state_of: StateOf, run_ids: Collection[str]) -> list[RunInfo]:
    """Those of these runs that there are, newest first, with their short facts only."""
    rows = list(_in(sql, f"SELECT {_RUN} FROM run WHERE run_id IN", run_ids))
    return sorted(_run_infos(rows, state_of), key=lambda run: (run.created, run.id), reverse=True)


def edited(sql: sqlite3.Connection, run_ids: Collection[str]) -> dict[str, float]:
    """When each of these runs that there are was changed last, in seconds since the epoch; 0.0 for never."""
    rows = _in(sql, "SELECT run_id, edited FROM run WHERE run_id IN", run_ids)
    return {run_id: when or 0.0 for run_id, when in rows}


def facts(sql: sqlite3.Connection, row: int) -> dict[str, Any]:
    """All facts of a run."""
    found = sql.execute("SELECT facts FROM facts WHERE run=?", (row,)).fetchone()
    return json.loads(found[0]) if found else {}


def _run_infos(rows: Sequence[tuple[Any, ...]], state_of: StateOf) -> list[RunInfo]:
    """Runs of rows of the columns :data:`_RUN`. A listing has thousands: everything here is counted."""
    objects = [mappings([row[column] for row in rows]) for column in (9, 10, 11)]
    extremes_of = mappings_later([row[12] for row in rows])
    found = []
    for row, config, summary, light, extremes in zip(rows, *objects, extremes_of, strict=True):
        run_id, name, project, status, detail, group, tags, created, finished = row[:9]
        if status is None:
            state = _open_state(state_of, (run_id, row[14], row[17], row[11], row[15]))
            status, detail, finished = state.status, state.detail, state.finished
        else:
            status = _STATUSES[status]
        info = _new(RunInfo)
        info.__dict__.update(  # a frozen dataclass sets its fields one by one: 2 µs a run
            id=run_id,
            name=name or run_id,
            project=project or "",
            status=status,
            status_detail=detail,
            group=group,
            tags=tuple(json.loads(tags)) if tags and tags != "[]" else (),
            created=created or 0.0,
            finished=finished,
            config=config,
            summary=summary,
            facts=light,
            error=json.loads(row[13]) if row[13] else None,
            notes="",
            colour=None,
            pinned=False,
            archived=False,
            extremes=extremes,
        )
        if row[16]:
            info.__dict__.update(json.loads(row[16]))
        found.append(info)
    return found


def _open_state(state_of: StateOf, row: Sequence[Any]) -> State:
    """``row`` is as :data:`StateOf` takes it; without writers nothing but the run's id is known."""
    run_id, writers, read, light, changed = row
    return State(RunStatus.UNKNOWN) if writers is None else state_of(run_id, writers, read, light, changed)


def open_runs(sql: sqlite3.Connection, state_of: StateOf) -> dict[str, State]:
    """The present state of every run that has not said how it ended."""
    rows = sql.execute(
        f"SELECT run_id, writers, {_READ}, light, changed FROM run"
        " WHERE state IS NULL AND writers IS NOT NULL"
    )
    return {row[0]: _open_state(state_of, row) for row in rows}


def streams(sql: sqlite3.Connection, run_ids: Collection[str]) -> Iterator[tuple[str, Stream]]:
    """All streams of these runs with their run's id, in the order of the writers and of definition."""
    columns = ", ".join(f"s.{column}" for column in STREAM_COLUMNS)
    rows = _in(
        sql,
        f"SELECT run.run_id, {columns} FROM run JOIN stream s ON s.run = run.id"
        " JOIN journal j ON j.id = s.journal WHERE run.run_id IN",
        run_ids,
        " ORDER BY run.id, j.began, j.writer, s.id",
    )
    for run_id, *rest in rows:
        yield run_id, Stream(*rest)


def metric_streams(
    sql: sqlite3.Connection, run_ids: Sequence[str], metric: str, source: str | None = None
) -> dict[str, tuple[float, list[Stream]]]:
    """When each of these runs began, and its streams (one per writer) of a metric, of the source that has it:
    logged before inferred before system.

    Raises:
        UnknownRun: there is no such run.
    """
    columns = ", ".join(f"s.{column}" for column in STREAM_COLUMNS)
    rows = _in(
        sql,
        f"SELECT run.run_id, run.created, {columns} FROM run"
        " LEFT JOIN stream s ON s.run = run.id AND s.name = ? LEFT JOIN journal j ON j.id = s.journal"
        " WHERE run.run_id IN",
        run_ids,
        " ORDER BY j.began, j.writer, s.id",
        (metric,),
    )
    began: dict[str, float] = {}
    found: dict[str, dict[str, list[Stream]]] = {}
    for run_id, created, *rest in rows:
        began[run_id] = float(created or 0.0)
        by_source = found.setdefault(run_id, {})
        if rest[0] is not None:
            stream = Stream(*rest)
            by_source.setdefault(stream.source, []).append(stream)
    for run_id in run_ids:
        if run_id not in began:
            raise unknown(run_id)
    order = _SOURCES if source is None else (str(source),)
    return {
        run_id: (began[run_id], next((found[run_id][one] for one in order if one in found[run_id]), []))
        for run_id in run_ids
    }


def metrics(sql: sqlite3.Connection, run_ids: Collection[str]) -> dict[str, list[MetricInfo]]:
    """The metrics of each run, in the order in which they were first seen."""
    found: dict[str, dict[tuple[str, str], MetricInfo]] = {run_id: {} for run_id in run_ids}
    for run_id, stream in streams(sql, run_ids):
        key = stream.name, stream.source
        known = found[run_id].get(key)
        said = known or MetricInfo(stream.name, MetricSource(stream.source))
        found[run_id][key] = replace(
            said, unit=said.unit or stream.unit, better=said.better or stream.better, x=said.x or stream.x
        )
    return {run_id: list(infos.values()) for run_id, infos in found.items()}


def summaries(sql: sqlite3.Connection, run_ids: Collection[str]) -> dict[str, list[MetricSummary]]:
    """What each metric of each run came to; metrics without points are left out."""
    parts: dict[str, dict[tuple[str, str], list[Stream]]] = {run_id: {} for run_id in run_ids}
    for run_id, stream in streams(sql, run_ids):
        if stream.n:
            parts[run_id].setdefault((stream.name, stream.source), []).append(stream)
    return {run_id: [_summary(part) for part in found.values()] for run_id, found in parts.items()}


def _summary(parts: list[Stream]) -> MetricSummary:
    newest = max(parts, key=lambda stream: stream.last_time or 0.0)
    low = min(
        (part for part in parts if part.low is not None), key=lambda part: part.low or 0.0, default=None
    )
    high = max(
        (part for part in parts if part.high is not None), key=lambda part: part.high or 0.0, default=None
    )
    better = next((part.better for part in parts if part.better), None)
    best = low if better == "lower" else high if better == "higher" else None
    return MetricSummary(
        name=newest.name,
        source=MetricSource(newest.source),
        count=sum(part.n for part in parts),
        last=math.nan if newest.last is None else newest.last,
        last_step=newest.last_step or 0,
        min=low.low if low else None,
        min_step=low.low_step if low else None,
        max=high.high if high else None,
        max_step=high.high_step if high else None,
        best=None if best is None else best.low if better == "lower" else best.high,
        best_step=None if best is None else best.low_step if better == "lower" else best.high_step,
        unit=next((part.unit for part in parts if part.unit), None),
        better=better,
    )


def last_commit(sql: sqlite3.Connection) -> int:
    """The number of the index's last transaction; 0 for an empty index."""
    found = sql.execute("SELECT value FROM meta WHERE key='commit'").fetchone()
    return int(found[0]) if found else 0


def changes(sql: sqlite3.Connection, since: int) -> Changes:
    """What transactions after number ``since`` have changed."""
    metric_rows = sql.execute(
        "SELECT run.run_id, s.name FROM stream s JOIN run ON run.id = s.run WHERE s.changed > ?", (since,)
    ).fetchall()
    new = sql.execute(
        "SELECT DISTINCT run.run_id FROM stream s JOIN run ON run.id = s.run WHERE s.added > ?", (since,)
    )
    runs_changed = sql.execute("SELECT run_id FROM run WHERE changed > ?", (since,))
    removed = sql.execute("SELECT run_id FROM gone WHERE changed > ?", (since,))
    return Changes(
        runs={row[0] for row in runs_changed},
        metrics={(run_id, name) for run_id, name in metric_rows},
        new_metrics={row[0] for row in new},
        removed={row[0] for row in removed},
    )


def _in(
    sql: sqlite3.Connection,
    select: str,
    values: Collection[str],
    rest: str = "",
    before: tuple[Any, ...] = (),
) -> Iterator[tuple[Any, ...]]:
    """Rows of ``select … IN (values) rest``, a few hundred values at a time; ``before`` are parameters of
    ``select``."""
    remaining = list(dict.fromkeys(values))
    while remaining:
        some, remaining = remaining[:_MANY], remaining[_MANY:]
        yield from sql.execute(f"{select} ({','.join('?' * len(some))}){rest}", (*before, *some)).fetchall()
