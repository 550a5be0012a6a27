"""Points into the index: an open tail per stream, sealed chunks, and the pyramid of summaries above them.

A stream is one metric of one source in one journal. Every 4096 points become a chunk; every two chunks, and
every two summaries of a level, get a summary of the next level. What is stored depends only on the journal,
never on how its points were divided into batches, so an index built anew answers the same.
"""

from __future__ import annotations

import math
import sqlite3
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .buckets import coarsen, summarise
from .encoding import (
    CHUNK,
    IndexDamage,
    Points,
    joined,
    pack_buckets,
    pack_chunk,
    pack_raw,
    unpack_buckets,
    unpack_raw,
)
from .schema import TAIL_BITS, chunk_id, node_id, tail_id

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .buckets import Buckets

TOP_LEVEL = 20
"""The summaries of this level are the coarsest; one stands for four thousand million points."""
BUCKETS = 66
"""Most buckets of a summary: 64 cells, and one more at each end that the points do not fill."""
AXES = ("step", "time")


@dataclass
class Stream:
    """What the index knows of one stream; the fields are columns of the table ``stream``.

    ``last`` is ``None`` for NaN: SQLite stores NaN as NULL. ``low`` and ``high`` are of the finite values.
    """

    id: int
    run: int
    journal: int
    name: str
    source: str
    unit: str | None = None
    better: str | None = None
    x: str | None = None
    n: int = 0
    last: float | None = None
    last_step: int | None = None
    last_time: float | None = None
    low: float | None = None
    low_step: int | None = None
    high: float | None = None
    high_step: int | None = None
    step_lo: float | None = None
    step_hi: float | None = None
    time_lo: float | None = None
    time_hi: float | None = None
    added: int = 0
    changed: int = 0


STREAM_COLUMNS = tuple(column.name for column in fields(Stream))
_SAVE = f"UPDATE stream SET {', '.join(f'{column}=?' for column in STREAM_COLUMNS[5:])} WHERE id=?"


def describe(stream: Stream, content: Mapping[str, Any]) -> bool:
    """Takes over how a metric is meant from a frame about it; answers whether that was not known."""
    before = stream.unit, stream.better, stream.x
    for key in ("unit", "x"):
        if content.get(key) is not None:
            setattr(stream, key, str(content[key]))
    if content.get("better") in ("lower", "higher"):
        stream.better = content["better"]
    return before != (stream.unit, stream.better, stream.x)


def save_streams(connection: sqlite3.Connection, streams: list[Stream]) -> None:
    """Writes what has changed in ``streams``."""
    rows = [(*(getattr(stream, column) for column in STREAM_COLUMNS[5:]), stream.id) for stream in streams]
    connection.executemany(_SAVE, rows)


@dataclass(frozen=True)
class Extremes:
    """What the columns of a block of points come to, computed for all of them at once."""

    low: list[float]
    low_at: list[int]
    high: list[float]
    high_at: list[int]
    last: list[float]


def extremes(columns: NDArray[np.float64]) -> Extremes:
    """Of float64[k, m]; ±Inf as low and high where no value is finite."""
    finite = np.isfinite(columns)
    if finite.all():
        low = high = columns
    else:
        low, high = np.where(finite, columns, np.inf), np.where(finite, columns, -np.inf)
    low_at, high_at = low.argmin(axis=1), high.argmax(axis=1)
    every = np.arange(len(columns))
    return Extremes(
        low[every, low_at].tolist(),
        low_at.tolist(),
        high[every, high_at].tolist(),
        high_at.tolist(),
        columns[:, -1].tolist(),
    )


def note_extremes(stream: Stream, block: Extremes, column: int, step: NDArray[np.int64]) -> None:
    """Brings minimum and maximum of ``stream`` up to date."""
    low, high = block.low[column], block.high[column]
    if low != np.inf and (stream.low is None or low < stream.low):
        stream.low, stream.low_step = low, int(step[block.low_at[column]])
    if high != -np.inf and (stream.high is None or high > stream.high):
        stream.high, stream.high_step = high, int(step[block.high_at[column]])


def note_span(stream: Stream, step: tuple[float, float], time: tuple[float, float]) -> None:
    """Brings the range of the x axes up to date."""
    if stream.step_lo is None:
        stream.step_lo, stream.step_hi = step
        stream.time_lo, stream.time_hi = time
        return
    assert stream.step_hi is not None and stream.time_lo is not None and stream.time_hi is not None
    stream.step_lo, stream.step_hi = min(stream.step_lo, step[0]), max(stream.step_hi, step[1])
    stream.time_lo, stream.time_hi = min(stream.time_lo, time[0]), max(stream.time_hi, time[1])


class PointSink:
    """Appends points to streams, inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection
        self._tails: dict[int, list[tuple[int, int]]] = {}  # stream -> (start, points) of its tail's rows

    def forget(self) -> None:
        """The transaction was rolled back: nothing remembered is certain."""
        self._tails.clear()

    def append(self, stream: Stream, points: Points) -> None:
        """Adds points to the stream's end; ``stream.n`` grows."""
        filled = stream.n % CHUNK
        first_chunk = stream.n // CHUNK
        stream.n += len(points.value)
        if filled + len(points.value) < CHUNK:
            self._extend_tail(stream.id, filled, points)
            return
        whole = joined([self._take_tail(stream.id), points]) if filled else points
        sealed = len(whole.value) // CHUNK
        for number in range(sealed):
            chunk = whole.part(number * CHUNK, (number + 1) * CHUNK)
            self._seal(stream.id, first_chunk + number, chunk)
        if len(whole.value) > sealed * CHUNK:
            self._extend_tail(stream.id, 0, whole.part(sealed * CHUNK))

    def _rows_of_tail(self, stream: int) -> list[tuple[int, int]]:
        rows = self._tails.get(stream)
        if rows is None:
            found = self._sql.execute(
                "SELECT id, length(data) FROM tail WHERE id BETWEEN ? AND ? ORDER BY id", tail_range(stream)
            )
            rows = [(row & ((1 << TAIL_BITS) - 1), size // 24) for row, size in found]
            self._tails[stream] = rows
        return rows

    def _extend_tail(self, stream: int, filled: int, points: Points) -> None:
        """Adds a row, after merging it with rows that are not much longer: few rows, each point written few
        times."""
        rows = self._rows_of_tail(stream) if filled else self._tails.setdefault(stream, [])
        start = filled
        while rows and rows[-1][1] <= 2 * len(points.value):
            start = rows.pop()[0]
            row = tail_id(stream, start)
            data = self._sql.execute("SELECT data FROM tail WHERE id=?", (row,)).fetchone()[0]
            points = joined([unpack_raw(data), points])
            self._sql.execute("DELETE FROM tail WHERE id=?", (row,))
        self._sql.execute("INSERT INTO tail VALUES(?, ?)", (tail_id(stream, start), pack_raw(points)))
        rows.append((start, len(points.value)))

    def _take_tail(self, stream: int) -> Points:
        found = self._sql.execute(
            "SELECT data FROM tail WHERE id BETWEEN ? AND ? ORDER BY id", tail_range(stream)
        ).fetchall()
        self._sql.execute("DELETE FROM tail WHERE id BETWEEN ? AND ?", tail_range(stream))
        self._tails[stream] = []
        return joined([unpack_raw(data) for (data,) in found])

    def _seal(self, stream: int, index: int, points: Points) -> None:
        step, time = points.axis("step"), points.axis("time")
        step_e, by_step = summarise(step, points.value, "step", BUCKETS)
        time_e, by_time = summarise(time, points.value, "time", BUCKETS)
        self._sql.execute(
            "INSERT INTO chunk VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                chunk_id(stream, index),
                *(step_e, float(step.min()), float(step.max())),
                *(time_e, float(time.min()), float(time.max())),
                *(pack_buckets(by_step), pack_buckets(by_time), pack_chunk(points)),
            ),
        )
        level = 0
        while (index + 1) % 2 == 0 and level < TOP_LEVEL:
            for axis in AXES:
                self._summarise_level(stream, axis, level, index)
            level, index = level + 1, index >> 1

    def _summarise_level(self, stream: int, axis: str, level: int, last: int) -> None:
        """The summary of the two of ``level`` that end with number ``last``."""
        rows = read_level(self._sql, stream, axis, level, last - 1, last)
        finest = max(row.exponent for row in rows)
        exponent, merged = coarsen([row.buckets for row in rows], finest, BUCKETS)
        data = merged.tobytes()
        self._sql.execute(
            "INSERT INTO node VALUES(?, ?, ?, ?, ?, ?)",
            (
                *(node_id(stream, axis, level + 1, last >> 1), exponent),
                *(min(row.low for row in rows), max(row.high for row in rows)),
                *(zlib.crc32(data), data),
            ),
        )


def tail_range(stream: int) -> tuple[int, int]:
    """First and last possible row of a stream's open tail."""
    return tail_id(stream, 0), tail_id(stream + 1, 0) - 1


class Summary(NamedTuple):
    """A summary of ``2**level`` chunks: its number within the level, exponent, least and greatest x.

    ``buckets`` are empty when they were not asked for.
    """

    number: int
    exponent: int
    low: float
    high: float
    buckets: Buckets | bytes


class Wanted(NamedTuple):
    """Which summaries come with their buckets: those within ``low`` and ``high`` that are fine enough."""

    exponent: int | None = 1 << 20
    low: float = -math.inf
    high: float = math.inf


def read_level(  # noqa: PLR0913 - a place in the pyramid has this many coordinates
    connection: sqlite3.Connection,
    stream: int,
    axis: str,
    level: int,
    first: int,
    last: int,
    wanted: Wanted = Wanted(),  # noqa: B008 - immutable
) -> list[Summary]:
    """Summaries ``first`` to ``last`` of a level; level 0 are the chunks' own."""
    if level == 0:
        rows = connection.execute(
            f"SELECT id, {axis}_e, {axis}_lo, {axis}_hi,"
            f" CASE WHEN {axis}_e <= ? AND {axis}_lo >= ? AND {axis}_hi <= ? THEN by_{axis} END"
            " FROM chunk WHERE id BETWEEN ? AND ? ORDER BY id",
            (*wanted, chunk_id(stream, first), chunk_id(stream, last)),
        ).fetchall()
        base = chunk_id(stream, 0)
        return [
            Summary(row - base, e, low, high, b"" if data is None else unpack_buckets(data))
            for row, e, low, high, data in rows
        ]
    base = node_id(stream, axis, level, 0)
    rows = connection.execute(
        "SELECT id, e, lo, hi, crc, CASE WHEN e <= ? AND lo >= ? AND hi <= ? THEN buckets END"
        " FROM node WHERE id BETWEEN ? AND ? ORDER BY id",
        (*wanted, base + first, base + last),
    ).fetchall()
    for *_row, crc, data in rows:
        if data is not None and zlib.crc32(data) != crc:
            raise IndexDamage("a checksum does not fit")
    return [Summary(row - base, e, low, high, data or b"") for row, e, low, high, _crc, data in rows]
