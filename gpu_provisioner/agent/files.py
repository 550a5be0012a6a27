"""Journals and blobs go home as bytes: what a file has gained becomes records of channel 5.

Only files that match :data:`gpu_provisioner.wire.FILE_PATH` travel. A journal only grows, so its length is
its position; a blob appears whole under its final name.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional

from gpu_provisioner.wire import FILE_PATH, encode_file

PIECE_BYTES = 1 << 20
QUIET_AFTER_S = 60.0
"""A journal that did not grow for so long is looked at only in a thorough scan."""


class FileTail:
    """Follows the journals and blobs under one data folder.

    Args:
        data: the data folder (``TRACKSIDE_DIR`` of the kernel).
        positions: how many bytes of each path were spooled before, of a former agent.
    """

    def __init__(self, data: Path, positions: Optional[Mapping[str, int]] = None) -> None:
        self._data = data
        self.positions: Dict[str, int] = dict(positions or {})
        self._folder_times: Dict[str, int] = {}
        self._journals: Dict[str, List[str]] = {}
        self._grown: Dict[str, float] = {}
        self._blobs: List[str] = []

    def journal_records(self, thorough: bool = False) -> Iterator[bytes]:
        """Records for everything the journals gained since the last call, in pieces of at most 1 MiB."""
        now = time.monotonic()
        for run in self._listing("runs", folders=True):
            folder = f"runs/{run}"
            names = self._listing(folder, folders=False)
            for name in names:
                path = f"{folder}/{name}"
                quiet = now - self._grown.setdefault(path, now) > QUIET_AFTER_S
                if (thorough or not quiet) and FILE_PATH.fullmatch(path):
                    yield from self._gained(path, now)

    def blob_records(self, limit: int) -> Iterator[bytes]:
        """Records for blobs, about ``limit`` bytes at most: a blob may be large, and cells must not wait for
        it.
        """
        if not self._blobs:
            names = (f"blobs/{name}" for name in self._listing("blobs", folders=False))
            self._blobs = [path for path in names if FILE_PATH.fullmatch(path) and path not in self.positions]
        while self._blobs and limit > 0:
            path = self._blobs[0]
            size = self._size(path)
            sent = self.positions.get(path, 0)
            piece = self._read(path, sent, min(PIECE_BYTES, size - sent))
            self.positions[path] = sent + len(piece)
            limit -= len(piece) + 1
            yield encode_file(path, sent, piece, size=size)
            if self.positions[path] >= size or not piece:
                self._blobs.pop(0)

    @property
    def has_blobs_waiting(self) -> bool:
        return bool(self._blobs)

    def _gained(self, path: str, now: float) -> Iterator[bytes]:
        size = self._size(path)
        position = self.positions.get(path, 0)
        while position < size:
            piece = self._read(path, position, min(PIECE_BYTES, size - position))
            if not piece:
                return
            yield encode_file(path, position, piece)
            position += len(piece)
            self.positions[path] = position
            self._grown[path] = now

    def _listing(self, folder: str, folders: bool) -> List[str]:
        """Names in a folder, read again only when its modification time says so.

        A time younger than a second is not believed: two changes may share one tick of the clock.
        """
        path = self._data / folder
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return []
        if self._folder_times.get(folder) != changed:
            with os.scandir(path) as entries:
                self._journals[folder] = sorted(
                    entry.name
                    for entry in entries
                    if (
                        entry.is_dir(follow_symlinks=False)
                        if folders
                        else entry.is_file(follow_symlinks=False)
                    )
                )
            settled = time.time_ns() - changed > 1_000_000_000
            self._folder_times[folder] = changed if settled else -1
        return self._journals.get(folder, [])

    def _size(self, path: str) -> int:
        try:
            return (self._data / path).lstat().st_size
        except OSError:
            return 0

    def _read(self, path: str, offset: int, length: int) -> bytes:
        try:
            handle = os.open(self._data / path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return b""
        try:
            return os.pread(handle, length, offset)
        finally:
            os.close(handle)
