"""Bytes too large for a journal: stored once, under their SHA-256, in ``<data>/blobs``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, Iterator, Tuple, Union

from kernel_magics import paths
from kernel_magics.model import random_word

_CHUNK = 1 << 20
Readable = Union[bytes, bytearray, memoryview]


def put_bytes(blobs: Path, data: Readable) -> str:
    """Store ``data``, unless it is there already; its SHA-256 in hex.

    Raises:
        OSError: it cannot be written; nothing stays behind.
    """
    from hashlib import sha256  # brings OpenSSL into memory: only where something is stored

    digest = sha256(data).hexdigest()
    if not _is_there(blobs / digest):
        paths.make_private_folder(blobs)
        with _Incoming(blobs) as incoming:
            incoming.file.write(data)
            incoming.keep_as(digest)
    return digest


def _is_there(blob: Path) -> bool:
    """Whether it is; it counts as young then, so that no clean-up takes it before a journal names it."""
    try:
        os.utime(blob)
    except OSError:
        return blob.exists()  # of another user, perhaps
    return True


def put_file(blobs: Path, path: Path) -> Tuple[str, int]:
    """Store a copy of a file; its SHA-256 in hex and its size in bytes, of what was copied.

    Raises:
        OSError: it cannot be read or written; nothing stays behind.
    """
    from hashlib import sha256

    paths.make_private_folder(blobs)
    digest, size = sha256(), 0
    with path.open("rb") as source, _Incoming(blobs) as incoming:
        for chunk in iter(lambda: source.read(_CHUNK), b""):
            digest.update(chunk)
            size += len(chunk)
            incoming.file.write(chunk)
        incoming.keep_as(digest.hexdigest())
    return digest.hexdigest(), size


def files_in(folder: Path) -> Iterator[Path]:
    """The files under a folder, in order; links that lead out of it are left alone."""
    root = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and root in path.resolve().parents:
            yield path


class _Incoming:
    """A blob that is being written, under a name that no reader takes for a blob."""

    def __init__(self, blobs: Path) -> None:
        self._blobs = blobs
        self._path = blobs / f".incoming-{os.getpid()}-{random_word(8)}"

    def __enter__(self) -> _Incoming:
        descriptor = os.open(
            self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600
        )
        self.file: BinaryIO = os.fdopen(descriptor, "wb")
        return self

    def keep_as(self, digest: str) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())
        self._path.replace(self._blobs / digest)

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self._path.unlink(missing_ok=True)
