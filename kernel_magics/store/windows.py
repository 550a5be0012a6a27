"""Windows: from the pyramid of a stream to at most two buckets a pixel, at a cost that does not grow with the
stream.

From the coarsest summaries down: a summary that lies between the two x and is fine enough is used as it is;
any other is replaced by the four below it; below the chunks' own summaries are the points.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .buckets import FINEST, empty, exponent_for, merge, one_each, reduce_points
from .encoding import CHUNK, Points, joined, unpack_chunk, unpack_raw
from .model import Window
from .schema import chunk_id
from .streams import TOP_LEVEL, Stream, Wanted, read_level, tail_range

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .buckets import Buckets

RAW_PER_PIXEL = 2
"""Up to so many points a pixel are given as they are."""


@dataclass(frozen=True)
class Span:
    """A stretch of an axis, both ends included. ``axis`` is ``step`` or ``time`` (seconds since the
    epoch)."""

    axis: str
    start: float = -math.inf
    stop: float = math.inf


def read_chunks(sql: sqlite3.Connection, stream: int, first: int, last: int) -> Iterator[tuple[int, Points]]:
    """Chunks ``first`` to ``last`` of a stream, with their numbers."""
    base = chunk_id(stream, 0)
    rows = sql.execute(
        "SELECT id, data FROM chunk WHERE id BETWEEN ? AND ? ORDER BY id", (base + first, base + last)
    )
    for row, data in rows:
        yield row - base, unpack_chunk(data)


def read_tail(sql: sqlite3.Connection, stream: int) -> Points:
    """The points after the last sealed chunk."""
    rows = sql.execute("SELECT data FROM tail WHERE id BETWEEN ? AND ? ORDER BY id", tail_range(stream))
    return joined([unpack_raw(data) for (data,) in rows])


def read_points(sql: sqlite3.Connection, stream: Stream) -> Points:
    """Every point of a stream, in the order of logging."""
    parts = [points for _number, points in read_chunks(sql, stream.id, 0, stream.n // CHUNK)]
    return joined([*parts, read_tail(sql, stream.id)])


def read_series(sql: sqlite3.Connection, streams: Sequence[Stream]) -> Points:
    """Points of several writers by time; each writer's own order is kept even when its clock jumped back."""
    parts = [read_points(sql, stream) for stream in streams]
    whole = joined(parts)
    if len(parts) < 2:
        return whole
    clocks = np.concatenate([np.maximum.accumulate(part.axis("time")) for part in parts])
    order = np.argsort(clocks, kind="stable")
    return Points(whole.step[order], whole.time[order], whole.value[order])


@dataclass
class Reduction:
    """Buckets of width ``2**exponent`` or finer, in the order of logging, and how many points they are."""

    parts: list[Buckets | bytes]
    points: int
    raw: list[tuple[NDArray[np.float64], NDArray[np.float64]]]
    summarised: bool


def reduce_stream(sql: sqlite3.Connection, stream: Stream, span: Span, exponent: int | None) -> Reduction:
    """One stream between two x as buckets of width ``2**exponent`` or finer; ``None``: only its points."""
    chunks = stream.n // CHUNK
    descent = _Descent(sql, stream.id, span.axis, Wanted(exponent, span.start, span.stop))
    down: list[int] = []
    for level in range(min(TOP_LEVEL, chunks.bit_length()), -1, -1):
        down = descent.level(level, [*down, *_roots(chunks, level)])
    raw: list[tuple[int, Points]] = []
    for first, last in _ranges(down):
        raw += read_chunks(sql, stream.id, first, last)
    if stream.n % CHUNK:
        raw.append((chunks, read_tail(sql, stream.id)))
    cut = [(number, *_cut(points, span)) for number, points in raw]
    found: list[tuple[int, Buckets | bytes]] = [*descent.found]
    if exponent is not None:
        found += [(number, reduce_points(x, values, exponent)) for number, x, values in cut]
        found.sort(key=lambda part: part[0])
    points = descent.points + sum(len(x) for _number, x, _values in cut)
    buckets = [part for _number, part in found]
    return Reduction(buckets, points, [(x, values) for _number, x, values in cut], bool(descent.found))


def _roots(chunks: int, level: int) -> range:
    """Summaries of a level that none of a higher level covers."""
    above = chunks >> (level + 1) if level < TOP_LEVEL else 0
    return range(above << 1, chunks >> level)


@dataclass
class _Descent:
    """The way down the pyramid; ``found`` holds what was fine enough, with the number of its first chunk."""

    sql: sqlite3.Connection
    stream: int
    axis: str
    wanted: Wanted
    found: list[tuple[int, Buckets | bytes]] = field(default_factory=list)
    points: int = 0

    def level(self, level: int, numbers: Iterable[int]) -> list[int]:
        """Looks at summaries of one level; answers the numbers below (or chunks) that must be looked at."""
        wanted, down = self.wanted, list[int]()
        for first, last in _ranges(numbers):
            rows = read_level(self.sql, self.stream, self.axis, level, first, last, wanted)
            for number, _exponent, low, high, buckets in rows:
                if len(buckets):
                    self.found.append((number << level, buckets))
                    self.points += CHUNK << level
                elif high < wanted.low or low > wanted.high:
                    continue
                elif level:
                    down += (2 * number, 2 * number + 1)
                else:
                    down.append(number)
        return down


def _ranges(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as ranges ``(first, last)`` without gaps."""
    first = last = -1
    for number in sorted(numbers):
        if first >= 0 and number == last + 1:
            last = number
            continue
        if first >= 0:
            yield first, last
        first = last = number
    if first >= 0:
        yield first, last


def _cut(points: Points, span: Span) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x = points.axis(span.axis)
    if span.start == -math.inf and span.stop == math.inf:
        return x, points.value
    inside = (x >= span.start) & (x <= span.stop)
    return x[inside], points.value[inside]


def window(
    sql: sqlite3.Connection, streams: Sequence[Stream], span: Span, exponent: int, width: int
) -> tuple[bool, Buckets]:
    """The streams of one metric of one run (one per writer) as buckets; whether each is a point."""
    parts = [reduce_stream(sql, stream, span, exponent) for stream in streams]
    points = sum(part.points for part in parts)
    if points > RAW_PER_PIXEL * width:
        return False, merge([bucket for part in parts for bucket in part.parts], exponent)
    if any(part.summarised for part in parts):
        parts = [reduce_stream(sql, stream, span, None) for stream in streams]
    raw = [pair for part in parts for pair in part.raw]
    if not raw:
        return True, empty()
    return True, one_each(np.concatenate([x for x, _ in raw]), np.concatenate([values for _, values in raw]))


def common_exponent(bounds: Sequence[tuple[float, float]], width: int, axis: str) -> int:
    """The width of the cells for charts of several runs with one x axis: ``bounds`` are of each run."""
    if not bounds:
        return FINEST[axis]
    low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
    return exponent_for(high - low, width, axis)


def as_window(run: str, metric: str, x_kind: str, origin: float, reduced: tuple[bool, Buckets]) -> Window:
    """Buckets as the store gives them out; ``origin`` is taken off every x."""
    raw, buckets = reduced
    columns: dict[str, Any] = {
        name: np.ascontiguousarray(buckets[name]) for name in ("min", "max", "first", "last")
    }
    counts: dict[str, Any] = {
        name: np.ascontiguousarray(buckets[name]) for name in ("count", "nan", "posinf", "neginf")
    }
    return Window(
        run=run,
        metric=metric,
        x_kind=x_kind,
        raw=raw,
        points=int(buckets["count"].sum()),
        x=np.ascontiguousarray(buckets["x_last"]) - origin,
        **columns,
        **counts,
    )
