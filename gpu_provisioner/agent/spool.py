"""The spool: everything the kernel said, on the agent's disk until it is home.

Append-only segment files, each named by the offset of its first byte, each beginning with a whole record. An
offset counts bytes since the agent began; it is sequence number, acknowledgement and resume point in one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, List, Sequence, Tuple

from gpu_provisioner.outflow import Outflow
from gpu_provisioner.wire import Buffer, RecordReader

SEGMENT_BYTES = 16 << 20
_STEP_BYTES = 256 << 10
"""A longer record is written in such steps, and what is written goes out meanwhile."""


class NoRoom(OSError):
    """The disk did not take everything; ``left`` are the pieces it did not take."""

    def __init__(self, error: OSError, left: Sequence[Buffer]) -> None:
        super().__init__(error.errno, error.strerror)
        self.left = left


class Spool:
    """One agent's spool. Not thread-safe: the agent's loop owns it.

    Args:
        folder: of the segments; what a former agent left there is continued.
        segment_bytes: a segment that has grown past this is closed.
    """

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segments: List[Tuple[int, int, Path]] = []
        """(offset of the first byte, file descriptor, path), oldest first."""
        self.end = 0
        self._torn = False
        """Whether it ends within a record."""
        self.meanwhile: Callable[[], None] = _wait
        """Called between the steps in which a long record is written."""
        folder.mkdir(mode=0o700, exist_ok=True, parents=True)
        for path in sorted(folder.glob("*.spool")):
            self._segments.append((int(path.stem), os.open(path, os.O_RDWR | os.O_APPEND), path))
        if self._segments:
            self._cut_torn_record()

    @property
    def start(self) -> int:
        """Offset of the oldest byte still here."""
        return self._segments[0][0] if self._segments else self.end

    @property
    def held_bytes(self) -> int:
        return self.end - self.start

    def begin_at(self, offset: int) -> None:
        """Go on at ``offset``, ahead of the end: what lies between is home, but was lost here with a machine
        that went down. The older segments are deleted, for they are home as well.
        """
        for _, handle, path in self._segments:
            os.close(handle)
            path.unlink(missing_ok=True)
        self._segments.clear()
        self.end, self._torn = offset, False
        self._open_segment()

    def append(self, *pieces: Buffer) -> None:
        """Write whole records, however cut into pieces, at the end.

        Raises:
            NoRoom: the disk is full, the quota is reached. What is left is to be appended before all else.
        """
        left = Outflow()
        left.put(*pieces)
        try:
            if not self._torn and self._is_long():
                self._open_segment()
            self._torn = True
            while left:
                written = os.writev(self._segments[-1][1], left.next(_STEP_BYTES))
                self.end += written
                left.drop(written)
                if left:
                    self.meanwhile()
        except OSError as error:
            raise NoRoom(error, left.take()) from error
        self._torn = False

    def locate(self, offset: int) -> Tuple[int, int, int]:
        """``(file descriptor, position in it, bytes from there)`` of the segment that holds ``offset``."""
        for index in range(len(self._segments) - 1, -1, -1):
            first, handle, _ = self._segments[index]
            if first <= offset:
                following = self._segments[index + 1][0] if index + 1 < len(self._segments) else self.end
                return handle, offset - first, following - offset
        raise LookupError(offset)

    def free(self, upto: int) -> None:
        """Delete segments of which every byte is before ``upto`` (it is home).

        The last one stays: its name tells a later agent where the spool ended.
        """
        while len(self._segments) > 1 and self._segments[1][0] <= upto:
            _, handle, path = self._segments.pop(0)
            os.close(handle)
            path.unlink(missing_ok=True)

    def restore_folder(self) -> bool:
        """Make the folder again if somebody deleted it; True when that was so.

        Segments that are open keep their bytes, and new ones find a folder.
        """
        if self._folder.is_dir():
            return False
        self._folder.mkdir(mode=0o700, parents=True)
        return True

    def close(self) -> None:
        for _, handle, _ in self._segments:
            os.close(handle)
        self._segments.clear()

    def _is_long(self) -> bool:
        """Whether the next record begins a new segment."""
        return not self._segments or self.end - self._segments[-1][0] >= self._segment_bytes

    def _open_segment(self) -> None:
        path = self._folder / f"{self.end:020d}.spool"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
        self._segments.append((self.end, handle, path))

    def _cut_torn_record(self) -> None:
        """A killed agent may have left half a record at the end; it was never sent to anybody. After a power
        failure some file systems end a file in zeros; no record begins with them: each has a part.
        """
        first, handle, _ = self._segments[-1]
        reader = RecordReader(first)
        at = 0
        self.end = first
        while True:
            piece = os.pread(handle, 1 << 20, at)
            if not piece:
                break
            at += len(piece)
            for end, _, parts in reader.feed(piece):
                if not parts:
                    os.ftruncate(handle, self.end - first)
                    return
                self.end = end
        os.ftruncate(handle, self.end - first)


def _wait() -> None:
    """Nothing is to be done meanwhile."""
