"""Reading a journal: whole frames from any byte offset on, past damage, while it grows.

Stdlib only and Python 3.9.
"""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path
from typing import Iterator, List, NamedTuple, Tuple
from zlib import crc32

from kernel_magics.errors import JournalError
from kernel_magics.journal import format as fmt

CHUNK = 4 * 1024 * 1024
"""How much of a journal is read at a time, in bytes."""
_GIVE_UP = 2 * fmt.MAX_PAYLOAD
"""Bytes without one good frame after which the search lets the oldest go."""


class Frame(NamedTuple):
    """A frame that checked. ``offset`` is its first byte in the journal, ``end`` the byte after its last."""

    kind: int
    payload: bytes
    offset: int
    end: int


class Skipped(NamedTuple):
    """A damaged stretch of a journal, in bytes."""

    offset: int
    end: int


class Batch(NamedTuple):
    """What one read gave.

    Attributes:
        frames: in the journal's order.
        skipped: damaged stretches, disjoint and ascending.
        offset: where to go on reading: the byte after the last frame or stretch reported.
        tail: bytes after ``offset`` that make no frame yet: an append under way, or one cut short.
    """

    frames: List[Frame]
    skipped: List[Skipped]
    offset: int
    tail: int


_HEAD = fmt.FRAME_HEAD.size
_unpack_head = fmt.FRAME_HEAD.unpack_from


def scan(data: bytes, base: int = 0, *, at_end: bool = True) -> Batch:
    """All the frames in ``data``, a stretch of a journal that begins ``base`` bytes into it (not its header).

    Args:
        at_end: whether ``data`` reaches the journal's present end. If not, an incomplete frame is the cut of
            whoever read the stretch and no damage.
    """
    frames: List[Frame] = []
    skipped: List[Skipped] = []
    position, size = 0, len(data)
    while size - position >= fmt.FRAME_OVERHEAD:
        end = _frame_end(data, position, size)
        if end > 0:
            body = position + _HEAD
            frames.append(Frame(data[position + 6], data[body : end - 4], base + position, base + end))
            position = end
            continue
        if end == _INCOMPLETE and not at_end:
            break
        found = _next_frame(data, position + 1, size)
        if found < 0:
            break
        skipped.append(Skipped(base + position, base + found))
        position = found
    return Batch(frames, skipped, base + position, size - position)


_BAD = -1
_INCOMPLETE = -2


def _frame_end(data: bytes, position: int, size: int) -> int:
    """Where the frame at ``position`` ends; :data:`_BAD`; :data:`_INCOMPLETE` when the data ends first."""
    marker, length, _kind = _unpack_head(data, position)
    if marker != fmt.MARKER or length > fmt.MAX_PAYLOAD:
        return _BAD
    end = int(position + _HEAD + length + 4)
    if end > size:
        return _INCOMPLETE
    if crc32(data[position : end - 4]) != int.from_bytes(data[end - 4 : end], "little"):
        return _BAD
    return end


def _next_frame(data: bytes, start: int, size: int) -> int:
    """The first position from ``start`` on at which a whole frame checks, or -1."""
    last = size - fmt.FRAME_OVERHEAD
    while True:
        start = data.find(fmt.MARKER, start)
        if start < 0 or start > last:
            return -1
        if _frame_end(data, start, size) > 0:
            return start
        start += 1


def open_journal(path: Path) -> int:
    """A descriptor to read a journal from. Never waits: a pipe of that name would wait for a writer.

    Raises:
        JournalError: it is not a file.
        OSError: it cannot be opened.
    """
    flags = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, os.O_RDONLY | flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise JournalError(f"{path.name} is not a file, so it is no Trackside journal; it was left alone.")
    return descriptor


class JournalReader:
    """Reads one journal from an offset on, again and again while it grows.

    Args:
        path: the journal.
        offset: where to begin: 0, or a :attr:`Batch.offset` of an earlier reading.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.offset = offset

    def read(self, limit: int = CHUNK) -> Batch:
        """The frames that follow, from about ``limit`` bytes of the journal (more for one longer frame).

        An empty batch means that the journal has nothing new. :attr:`offset` moves on by itself.

        Raises:
            JournalError: not a journal, or from a newer version.
            OSError: the file cannot be read.
        """
        with FileIO(open_journal(self.path), "rb") as file:
            if self.offset < fmt.HEADER_SIZE:
                header = _read_exactly(file, 0, fmt.HEADER_SIZE)
                if len(header) < fmt.HEADER_SIZE:
                    return Batch([], [], 0, len(header))
                fmt.check_header(header, str(self.path))
                self.offset = fmt.HEADER_SIZE
            batch = self._read_on(file, limit)
        self.offset = batch.offset
        return batch

    def _read_on(self, file: FileIO, limit: int) -> Batch:
        while True:
            size = os.fstat(file.fileno()).st_size
            data = _read_exactly(file, self.offset, min(limit, max(size - self.offset, 0)))
            at_end = self.offset + len(data) >= size
            batch = scan(data, self.offset, at_end=at_end)
            if batch.offset > self.offset or at_end:
                return batch
            if len(data) >= _GIVE_UP:
                rest = self.offset + len(data) - fmt.MAX_PAYLOAD
                return Batch([], [Skipped(self.offset, rest)], rest, fmt.MAX_PAYLOAD)
            limit *= 2

    def batches(self, limit: int = CHUNK) -> Iterator[Batch]:
        """All that is there now, in batches; ends at the present end of the journal."""
        while True:
            batch = self.read(limit)
            if not batch.frames and not batch.skipped:
                return
            yield batch


def read_journal(path: Path) -> Tuple[List[Frame], List[Skipped], int]:
    """All frames of a (small) journal, its damaged stretches, and the length of its torn tail in bytes.

    Raises:
        JournalError: not a journal, or from a newer version.
    """
    reader = JournalReader(path)
    frames: List[Frame] = []
    skipped: List[Skipped] = []
    for batch in reader.batches():
        frames += batch.frames
        skipped += batch.skipped
    return frames, skipped, max(0, path.stat().st_size - reader.offset)


def _read_exactly(file: FileIO, offset: int, count: int) -> bytes:
    """``count`` bytes from ``offset``, or fewer where the file ends."""
    file.seek(offset)
    parts: List[bytes] = []
    while count > 0:
        part = file.read(count)
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
