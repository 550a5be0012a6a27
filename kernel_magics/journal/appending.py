"""Bytes at the end of a file: all of them, or none.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

import os
from pathlib import Path


def append_after_close(path: Path, frame: bytes) -> None:
    """Append a frame to a journal that this process created and closed (a thread that prints late).

    Raises:
        OSError: it cannot be written; nothing of it is.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
    try:
        write_whole(descriptor, frame)
    finally:
        os.close(descriptor)


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of it; raises OSError, and then nothing of it is written."""
    finish_write(descriptor, data, os.write(descriptor, data))


def finish_write(descriptor: int, data: bytes, written: int) -> None:
    """Write the rest after a short write; when that fails, take the beginning back and raise."""
    try:
        while written < len(data):
            written += os.write(descriptor, data[written:])
    except OSError:
        # By the file's size, not a count of ours: an interrupt may have fallen between write and count.
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
        raise
