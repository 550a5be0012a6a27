"""Files that come home: records of channel 5 become journals and blobs under the data folder.

The far machine is not trusted with our disk: it may append to journals and add blobs, under the two patterns
of :data:`gpu_provisioner.wire.FILE_PATH`; it may not change a byte that is here already, nor follow a link
out.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import List, Set

from gpu_provisioner.wire import FILE_PATH, WireError, from_json, whole


class Arrivals:
    """Applies file records. Doing so again changes nothing.

    Args:
        data_dir: the data folder.
        waiting: folder for blobs that have not come whole yet.
    """

    def __init__(self, data_dir: Path, waiting: Path) -> None:
        self._data_dir = data_dir
        self._waiting = waiting
        self._unsynced: Set[Path] = set()

    def apply(self, parts: List[bytes]) -> None:
        """One record's parts.

        Raises:
            WireError: a path or an offset that no honest agent sends; nothing was written.
            OSError: the disk does not take it; may be repeated.
        """
        if len(parts) != 2:
            raise WireError(f"a file record with {len(parts)} parts")
        head, data = from_json(parts[0]), parts[1]
        path, offset = head.get("path"), whole(head, "offset")
        if not isinstance(path, str) or not FILE_PATH.fullmatch(path):
            raise WireError(f"a file record for {path!r}")
        if path.startswith("blobs/"):
            self._apply_blob(path[len("blobs/") :], offset, data, whole({"size": 0, **head}, "size"))
        else:
            _, run_id, name = path.split("/")
            self._append(self._run_folder(run_id), name, offset, data)

    def _run_folder(self, run_id: str) -> Path:
        """Where the run is: one that has been deleted stays so, also when it is applied again."""
        folder, deleted = self._data_dir / "runs" / run_id, self._data_dir / "trash" / run_id
        return deleted if deleted.is_dir() and not folder.exists() else folder

    def sync(self) -> None:
        """Have the disk take all that was applied."""
        for path in self._unsynced:
            try:
                handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            except FileNotFoundError:
                continue
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        self._unsynced.clear()

    def _apply_blob(self, digest: str, offset: int, data: bytes, size: int) -> None:
        """Collect a blob aside; when it is whole and is what its name says, give it its place."""
        final = self._data_dir / "blobs" / digest
        if final.exists():
            return
        self._append(self._waiting, digest, offset, data)
        collected = self._waiting / digest
        if collected.stat().st_size < size:
            return
        with collected.open("rb") as file:
            actual = hashlib.file_digest(file, "sha256").hexdigest()
        if actual != digest:
            collected.unlink()
            raise WireError(f"a blob {digest[:12]}… whose bytes are not its own")
        _make_folder(final.parent)
        collected.replace(final)

    def _append(self, folder: Path, name: str, offset: int, data: bytes) -> None:
        if offset and not (folder / name).exists():
            raise WireError(f"bytes at {offset} of {folder.name}/{name}, which is not here")
        _make_folder(folder)
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
            handle = os.open(name, flags, 0o600, dir_fd=directory)
        finally:
            os.close(directory)
        try:
            size = os.fstat(handle).st_size
            if offset > size:
                raise WireError(f"bytes at {offset} of {folder.name}/{name}, which ends at {size}")
            fresh = memoryview(data)[size - offset :]
            at = size
            while fresh:
                written = os.pwrite(handle, fresh, at)
                fresh, at = fresh[written:], at + written
            self._unsynced.add(folder / name)
        finally:
            os.close(handle)


def _make_folder(path: Path) -> None:
    if not path.parent.is_dir():
        _make_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
