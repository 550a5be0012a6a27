"""The home journal of a kernel: the agent's spool as far as it has come home.

``<data>/kernels/<lease>/stream``.

The same bytes as in the spool: records one after the other. Its length is the resume point. ``stream.times``
beside it says by this machine's clock when what came: the far clock may be another.
"""

from __future__ import annotations

import json
import os
import struct
import time
from pathlib import Path
from typing import Iterator, List, Mapping, Tuple

from gpu_provisioner.agent.places import private_folder, read_json, write_private
from gpu_provisioner.wire import Buffer, Record, RecordReader

_PIECE = 1 << 20
_MARK = struct.Struct("!Qd")
"""One entry of ``stream.times``: an offset, and when the byte there came (seconds since the epoch)."""
_MARK_EVERY_S = 1.0


def home_folder(data_dir: Path, lease_id: str) -> Path:
    return Path(data_dir) / "kernels" / lease_id


class HomeJournal:
    """Appends what arrives, and remembers up to where its file records have been applied.

    Only the holder of the lease may open one. ``stream.json`` beside it holds ``base``, the spool offset of
    the file's first byte (0 unless the beginning was lost before it came home), and ``applied``, a record
    boundary before which everything has been applied and is on the disk; ``next`` and ``aside`` while the
    file is replaced by one that begins at ``next``: once the old one is called ``aside``, that counts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = private_folder(folder)
        self._handle = os.open(folder / "stream", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.base, self.applied = _beginning(folder)
        self.end = self.base + os.fstat(self._handle).st_size
        self.boundary = self.applied
        """Offset behind the last whole record, as far as whoever reads the records has told."""
        self._times = os.open(folder / "stream.times", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._marked_at = 0.0

    def append(self, data: Buffer) -> None:
        """Write all of ``data``, or none of it and raise ``OSError`` (disk full)."""
        if abs(time.time() - self._marked_at) > _MARK_EVERY_S:
            self._mark_time(time.time())
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._handle, view) :]
        except OSError:
            os.ftruncate(self._handle, self.end - self.base)
            raise
        self.end += len(data)

    def _mark_time(self, now: float) -> None:
        size = os.fstat(self._times).st_size
        try:
            whole = os.write(self._times, _MARK.pack(self.end, now)) == _MARK.size
        except OSError:
            whole = False  # when something came is not worth losing what came
        if not whole or size % _MARK.size:
            os.ftruncate(self._times, size - size % _MARK.size)
        self._marked_at = now

    def sync(self) -> None:
        """Have the disk take everything; only then may it be acknowledged."""
        os.fdatasync(self._handle) if hasattr(os, "fdatasync") else os.fsync(self._handle)

    def begin_at(self, offset: int) -> None:
        """The far side has nothing before ``offset`` any more: start anew there; the old file stays.

        The intention is put down first, for there may be no room left to put down the deed: whoever opens the
        journal next then knows where the file begins.

        Raises:
            OSError: the disk is full. May be tried again; the journal is whole.
        """
        aside, fresh = self._free_name(), self.folder / "stream.fresh"
        self._put_down({"base": self.base, "applied": self.applied, "next": offset, "aside": aside.name})
        handle = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
        (self.folder / "stream").rename(aside)
        fresh.rename(self.folder / "stream")
        os.close(self._handle)
        self._handle = handle
        self.base = self.applied = self.end = self.boundary = offset
        self.mark_applied(offset)

    def _free_name(self) -> Path:
        """For what was home so far. Who was killed in an older version before he could put down the new
        beginning has left such a file already."""
        name, number = self.folder / f"stream.{self.base}", 0
        while name.exists():
            number += 1
            name = self.folder / f"stream.{self.base}.{number}"
        return name

    def cut(self, offset: int) -> None:
        """Forget what lies behind ``offset``: a part of a record of which nobody has the end any more."""
        os.ftruncate(self._handle, offset - self.base)
        self.end = offset
        # What comes there now comes later than the marks say, and marks are searched as ascending ones.
        marks = os.pread(self._times, os.fstat(self._times).st_size, 0)
        count = len(marks) // _MARK.size
        while count and _MARK.unpack_from(marks, (count - 1) * _MARK.size)[0] >= offset:
            count -= 1
        os.ftruncate(self._times, count * _MARK.size)
        self._marked_at = 0.0

    def mark_applied(self, offset: int) -> None:
        """Put down that all file records before ``offset`` are applied."""
        self.applied = offset
        self._put_down({"base": self.base, "applied": offset})

    def _put_down(self, marks: Mapping[str, object]) -> None:
        write_private(self.folder / "stream.json", json.dumps(marks).encode())

    def records(self, start: int) -> Iterator[List[Record]]:
        """Records from the boundary ``start`` to the end, in batches."""
        reader = RecordReader(start)
        at = start
        while at < self.end:
            piece = os.pread(self._handle, min(_PIECE, self.end - at), at - self.base)
            if not piece:
                return
            at += len(piece)
            found = reader.feed(piece)
            if found:
                yield found

    def unfinished(self) -> Tuple[int, bytes]:
        """The boundary behind the last whole record, and the bytes of the one that has come only in part."""
        boundary = self.applied
        for batch in self.records(self.applied):
            boundary = batch[-1][0]
        return boundary, os.pread(self._handle, self.end - boundary, boundary - self.base)

    def close(self) -> None:
        os.close(self._handle)
        os.close(self._times)


def read_records(data_dir: Path, lease_id: str, start: int = 0) -> Iterator[List[Record]]:
    """Everything of a lease that is home, in batches; for whoever shows it again.

    Args:
        start: a record boundary to begin at; what lies before the file's first byte is gone.
    """
    folder = home_folder(data_dir, lease_id)
    base = stream_base(folder)
    reader = RecordReader(max(base, start))
    with (folder / "stream").open("rb") as file:
        file.seek(max(0, start - base))
        while piece := file.read(_PIECE):
            if found := reader.feed(piece):
                yield found


def stream_base(folder: Path) -> int:
    """The spool offset of the first byte of a home journal."""
    return _beginning(folder)[0]


def _beginning(folder: Path) -> Tuple[int, int]:
    """``base`` and ``applied`` of the file that is called ``stream``."""
    marks = read_json(folder / "stream.json") or {}
    base, applied = int(marks.get("base", 0)), int(marks.get("applied", 0))
    if "next" in marks and (folder / str(marks.get("aside"))).exists():
        base = applied = int(marks["next"])  # it was replaced, and that could not be put down
    return base, max(base, applied)


def stream_end(folder: Path) -> int:
    """The offset behind the last byte that is home. ``OSError`` when nothing ever was."""
    return stream_base(folder) + (folder / "stream").stat().st_size


def arrival(folder: Path, offset: int) -> float:
    """When the byte before ``offset`` was home: seconds since the epoch by this machine's clock, up to one
    late.

    0.0 when nothing says so (a journal of an older version).
    """
    try:
        marks = (folder / "stream.times").read_bytes()
    except OSError:
        return 0.0
    first, after = 0, len(marks) // _MARK.size
    while first < after:  # the last mark before the offset
        middle = (first + after) // 2
        if _MARK.unpack_from(marks, middle * _MARK.size)[0] < offset:
            first = middle + 1
        else:
            after = middle
    return float(_MARK.unpack_from(marks, (first - 1) * _MARK.size)[1]) + _MARK_EVERY_S if first else 0.0
