"""The end of the logs in an agent's folder, piece by piece, for who follows them from home."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Dict, Mapping, Tuple

from gpu_provisioner.agent.places import agent_folder

PIECE_BYTES = 64 << 10

NAMES = ("agent", "kernel")
"""``agent.log``: the agent's own; ``kernel.log``: what the kernel prints beside its messages."""


def log(header: Mapping[str, Any]) -> Dict[str, Any]:
    """What one log has gained: ``{text, start, end, size}``, offsets in bytes.

    Without ``header["offset"]``, or when the log is shorter than that (it was begun anew), its last
    :data:`PIECE_BYTES`. ``{"missing": True}`` when there is no such log.
    """
    name = header.get("name", "agent")
    if name not in NAMES:
        raise ValueError(f"there is no log {name!r}")
    path = agent_folder(str(header["lease"]), os.environ) / f"{name}.log"
    offset = header.get("offset")
    try:
        data, start, size = _read(path, None if offset is None else int(offset))
    except OSError:
        return {"missing": True}
    whole = _whole_characters(data) if start + len(data) == size else len(data)
    return {
        "text": data[:whole].decode(errors="replace"),
        "start": start,
        "end": start + whole,
        "size": size,
    }


def _read(path: Path, offset: Any) -> Tuple[bytes, int, int]:
    """The piece, where it begins, and how long the file is. A link or a pipe of that name is not followed."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(f"{path} is no file")
        size = facts.st_size
        start = max(0, size - PIECE_BYTES) if offset is None or offset > size else max(0, offset)
        return os.pread(handle, PIECE_BYTES, start), start, size
    finally:
        os.close(handle)


def _whole_characters(data: bytes) -> int:
    """How many of the bytes end with a whole character of UTF-8; the rest of the last one may yet come."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:  # where a character of two to four bytes begins
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) if back >= length else len(data) - back
    return len(data)
