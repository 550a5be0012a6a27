"""Frames of a journal, many at a time: consecutive points of one layout are decoded as one array.

The same rules as :mod:`kernel_magics.journal.reader` (``docs/journal-format.md``), at a speed that a backlog
of
millions of points needs: every checksum is compared, but no Python object is made for a point.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

import numpy as np

from kernel_magics.journal import format as fmt
from kernel_magics.journal.reader import open_journal

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEAD = fmt.FRAME_HEAD.size
_POINTS_HEAD = HEAD + 4
"""Marker, length, kind and layout: the bytes in which all points frames of one layout agree."""
_FIRST_LOOK = 32
"""Frames that a stretch of equal layout is first looked at for; then eight times as many."""


class Frame(NamedTuple):
    """A frame that is not points. ``offset`` is of its payload, in the journal."""

    kind: int
    payload: bytes
    offset: int


@dataclass(frozen=True)
class PointsBlock:
    """Points frames of one layout, in the journal's order.

    Attributes:
        offset: int64[m], of each frame in the journal.
        step: int64[m].
        time: float64[m].
        values: float64[m, k] for the layout's k metrics.
    """

    layout: int
    offset: NDArray[np.int64]
    step: NDArray[np.int64]
    time: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass
class Batch:
    """What a stretch of a journal holds.

    Attributes:
        frames: all but points, in order.
        points: one block per layout.
        skipped: ``(offset, bytes)`` of damaged stretches.
        end: where to go on.
    """

    frames: list[Frame] = field(default_factory=list)
    points: list[PointsBlock] = field(default_factory=list)
    skipped: list[tuple[int, int]] = field(default_factory=list)
    end: int = 0


def read_batch(path: Path, offset: int, limit: int) -> Batch:
    """The frames from ``offset`` on, of about ``limit`` bytes (more when one frame is longer).

    Raises:
        JournalError: not a journal, or from a newer version.
        OSError: it cannot be read.
    """
    descriptor = open_journal(path)
    try:
        if offset < fmt.HEADER_SIZE:
            header = os.pread(descriptor, fmt.HEADER_SIZE, 0)
            if len(header) < fmt.HEADER_SIZE:
                return Batch(end=offset)
            fmt.check_header(header, path.name)
            offset = fmt.HEADER_SIZE
        while True:
            size = os.fstat(descriptor).st_size
            # No more than there is: a thousand small journals would each have a buffer of the whole limit.
            data = _read(descriptor, offset, min(limit, max(0, size - offset)))
            at_end = offset + len(data) >= size
            batch = parse(data, offset, at_end)
            if batch.end > offset or at_end:
                return batch
            limit = 2 * max(limit, fmt.FRAME_OVERHEAD)
    finally:
        os.close(descriptor)


def read_end(path: Path, limit: int) -> Batch:
    """The whole frames among the last ``limit`` bytes; what lies before the first of them counts as skipped.

    Raises:
        JournalError: it is not a file.
        OSError: it cannot be read.
    """
    descriptor = open_journal(path)
    try:
        offset = max(fmt.HEADER_SIZE, os.fstat(descriptor).st_size - limit)
        return parse(_read(descriptor, offset, limit), offset)
    finally:
        os.close(descriptor)


def parse(data: bytes, base: int, at_end: bool = True) -> Batch:
    """Frames of ``data``, which begins ``base`` bytes into a journal.

    Args:
        at_end: whether the journal ends with ``data``; else an incomplete frame is no damage but the cut.
    """
    batch = Batch()
    runs: dict[tuple[int, int], list[NDArray[np.void]]] = defaultdict(list)
    places: dict[tuple[int, int], list[NDArray[np.int64]]] = defaultdict(list)
    single: dict[tuple[int, int], list[int]] = defaultdict(list)
    position, size = 0, len(data)
    while size - position >= fmt.FRAME_OVERHEAD:
        end = frame_end(data, position, size)
        if end <= 0:
            if end == _INCOMPLETE and not at_end:
                break
            found = _next_frame(data, position + 1, size)
            if found < 0:
                break
            batch.skipped.append((base + position, found - position))
            position = found
            continue
        if data[position + 6] != fmt.Kind.POINTS or not _is_points(end - position):
            payload = data[position + HEAD : end - 4]
            batch.frames.append(Frame(data[position + 6], payload, base + position + HEAD))
            position = end
            continue
        length = end - position
        key = int.from_bytes(data[position + HEAD : position + HEAD + 4], "little"), length
        if data[position : position + _POINTS_HEAD] != data[end : end + _POINTS_HEAD]:
            single[key].append(position)
            position = end
            continue
        for run in _stretches(data, position, length):
            runs[key].append(run)
            places[key].append(base + position + np.arange(len(run), dtype=np.int64) * length)
            position += len(run) * length
    for key, found_at in single.items():
        runs[key].append(_gather(data, found_at, key[1]))
        places[key].append(np.array(found_at, np.int64) + base)
    batch.points = [_block(key[0], runs[key], places[key]) for key in runs]
    batch.end = base + position
    return batch


_BAD = -1
_INCOMPLETE = -2


def frame_end(data: bytes, position: int, size: int) -> int:
    """Where the whole and undamaged frame at ``position`` ends, else a negative number."""
    marker, length, _kind = fmt.FRAME_HEAD.unpack_from(data, position)
    if marker != fmt.MARKER or length > fmt.MAX_PAYLOAD:
        return _BAD
    end = int(position + HEAD + length + 4)
    if end > size:
        return _INCOMPLETE
    good = crc32(data[position : end - 4]) == int.from_bytes(data[end - 4 : end], "little")
    return end if good else _BAD


def _next_frame(data: bytes, start: int, size: int) -> int:
    last = size - fmt.FRAME_OVERHEAD
    while True:
        start = data.find(fmt.MARKER, start)
        if start < 0 or start > last:
            return -1
        if frame_end(data, start, size) > 0:
            return start
        start += 1


def _is_points(length: int) -> bool:
    values = length - fmt.FRAME_OVERHEAD - fmt.POINTS_HEAD.size
    return values >= 0 and values % 8 == 0


def _stretches(data: bytes, position: int, length: int) -> Iterator[NDArray[np.void]]:
    """Arrays of the points frames from ``position`` on that have the same layout; ends at the first other
    one."""
    look = _FIRST_LOOK
    while True:
        count = min(look, (len(data) - position) // length)
        if count <= 0:
            return
        frames = np.frombuffer(data, _points_dtype(length), count, position)
        good = _leading(data, position, length, frames)
        if good:
            yield frames[:good]
        if good < count:
            return
        position += count * length
        look *= 8


def _leading(data: bytes, position: int, length: int, frames: NDArray[np.void]) -> int:
    """How many of ``frames`` from the first on are of one layout and undamaged."""
    head = np.frombuffer(data, _HEAD_PARTS, 1, position)[0]
    alike = (frames["head8"] == head["head8"]) & (frames["head3"] == head["head3"])
    count = len(frames) if alike.all() else int(alike.argmin())
    starts = range(position, position + count * length, length)
    sums = np.fromiter((crc32(data[at : at + length - 4]) for at in starts), np.uint32, count)
    good = sums == frames["crc"][:count]
    return count if good.all() else int(good.argmin())


_HEAD_PARTS = np.dtype({"names": ["head8", "head3"], "formats": ["<u8", "<u4"], "offsets": [0, 7]})
"""The 11 bytes that agree, as two numbers that overlap in one byte."""


@lru_cache(maxsize=256)
def _points_dtype(length: int) -> np.dtype[np.void]:
    values = (length - fmt.FRAME_OVERHEAD - fmt.POINTS_HEAD.size) // 8
    return np.dtype(
        {
            "names": ["head8", "head3", "step", "time", "values", "crc"],
            "formats": ["<u8", "<u4", "<i8", "<f8", ("<f8", (values,)), "<u4"],
            "offsets": [0, 7, HEAD + 4, HEAD + 12, HEAD + 20, length - 4],
            "itemsize": length,
        }
    )


def _gather(data: bytes, positions: list[int], length: int) -> NDArray[np.void]:
    frames = b"".join([data[at : at + length] for at in positions])
    return np.frombuffer(frames, _points_dtype(length))


def _block(layout: int, runs: list[NDArray[np.void]], places: list[NDArray[np.int64]]) -> PointsBlock:
    offset = np.concatenate(places)
    step, time, values = (np.concatenate([run[name] for run in runs]) for name in ("step", "time", "values"))
    if np.any(offset[1:] < offset[:-1]):
        order = np.argsort(offset)
        offset, step, time, values = offset[order], step[order], time[order], values[order]
    return PointsBlock(layout, offset, step, time, values)


def _read(descriptor: int, offset: int, count: int) -> bytes:
    parts = []
    while count > 0:
        part = os.pread(descriptor, count, offset)
        if not part:
            break
        parts.append(part)
        offset += len(part)
        count -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
