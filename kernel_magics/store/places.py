"""Where on the step axis something stands that has only a time: an event, a fault, a death."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import numpy as np

from . import queries
from .encoding import CHUNK, Points, unpack_chunk
from .schema import chunk_id
from .streams import Stream
from .windows import read_tail


def steps_at(sql: sqlite3.Connection, run_id: str, times: Sequence[float]) -> list[int | None]:
    """The step that a run had logged last at each of these times (seconds since the epoch).

    The longest of the run's logged metrics tells; ``None`` before its first point, and without one.

    Raises:
        UnknownRun: there is no such run.
    """
    queries.run_row(sql, run_id)
    streams = (stream for _run, stream in queries.streams(sql, [run_id]))
    logged = [stream for stream in streams if stream.source == "logged" and stream.n]
    if not logged:
        return [None] * len(times)
    longest = max(logged, key=lambda stream: stream.n)
    tail = read_tail(sql, longest.id) if longest.n % CHUNK else None
    return [_step_at(sql, longest, tail, time) for time in times]


def _step_at(sql: sqlite3.Connection, stream: Stream, tail: Points | None, time: float) -> int | None:
    if tail is not None and len(tail.step) and tail.axis("time")[0] <= time:
        return _last_before(tail, time)
    base = chunk_id(stream.id, 0)
    found = sql.execute(
        "SELECT data FROM chunk WHERE id BETWEEN ? AND ? AND time_lo <= ? ORDER BY id DESC LIMIT 1",
        (base, base + stream.n // CHUNK, time),
    ).fetchone()
    return None if found is None else _last_before(unpack_chunk(found[0]), time)


def _last_before(points: Points, time: float) -> int | None:
    before = np.flatnonzero(points.axis("time") <= time)
    return int(points.step[before[-1]]) if len(before) else None
