"""The bytes of a journal, version 1. Specification: ``docs/journal-format.md``.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

import json
import struct
from enum import IntEnum
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple
from zlib import crc32

from kernel_magics.errors import JournalError

MAGIC = b"\x89TSJ\r\n\x1a\n"
VERSION = 1
HEADER_SIZE = 16
MARKER = b"\xd6\x9c"
MAX_PAYLOAD = 64 * 1024 * 1024
"""The longest payload of a frame, in bytes."""
DEEPEST = 200
"""So many objects and lists may stand inside one another in a JSON payload. Python reads and writes some 900
levels by itself, fewer where the stack is deep already."""

_HEADER = struct.Struct("<8sHH")
_CRC = struct.Struct("<I")
FRAME_HEAD = struct.Struct("<2sIB")
"""Marker, length of the payload, kind."""
FRAME_OVERHEAD = FRAME_HEAD.size + _CRC.size
"""Bytes that a frame adds to its payload."""
POINTS_HEAD = struct.Struct("<Iqd")
"""Layout, step, time in seconds since the epoch; one float64 per metric follows."""


class Kind(IntEnum):
    """What a frame says. A reader skips numbers that are not here."""

    RUN = 1
    FACTS = 2
    CONFIG = 3
    SUMMARY = 4
    METRIC = 5
    LAYOUT = 6
    POINTS = 7
    CELL = 8
    OUTPUT = 9
    EVENT = 10
    ARTIFACT = 11
    FINISH = 12
    CHANGE = 13
    MEDIA = 14


class Points(NamedTuple):
    """A decoded points frame: ``values[i]`` belongs to the layout's ``i``-th metric."""

    layout: int
    step: int
    time: float
    values: Tuple[float, ...]


def pack_header() -> bytes:
    """The first 16 bytes of a journal."""
    head = _HEADER.pack(MAGIC, VERSION, 0)
    return head + _CRC.pack(crc32(head))


def check_header(data: bytes, name: str) -> int:
    """The format version of a journal that begins with ``data`` (at least 16 bytes).

    Args:
        data: the journal's first bytes.
        name: what the error calls the journal, usually its path.

    Raises:
        JournalError: not a journal, damaged in its header, or from a newer version of the format.
    """
    magic, version, _flags = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise JournalError(f"{name} is not a Trackside journal; it was left alone.")
    if _CRC.unpack_from(data, _HEADER.size)[0] != crc32(data[: _HEADER.size]):
        raise JournalError(
            f"The header of {name} is damaged, so its format is not known for certain; it was left alone."
        )
    if version > VERSION:
        raise JournalError(
            f"{name} is written in journal format {version}; this Trackside reads up to format {VERSION}.",
            remedy="pip install --upgrade trackside",
        )
    return int(version)


def pack_frame(kind: int, payload: bytes) -> bytes:
    """A whole frame.

    Raises:
        ValueError: the payload is longer than :data:`MAX_PAYLOAD`.
    """
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a payload of {len(payload):,} bytes is over the {MAX_PAYLOAD:,} of a frame")
    body = FRAME_HEAD.pack(MARKER, len(payload), kind) + payload
    return body + _CRC.pack(crc32(body))


def pack_json(content: Mapping[str, Any]) -> bytes:
    """A JSON payload: UTF-8, without spaces. Lone surrogates, which UTF-8 cannot spell, become ``?``."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


class TooDeep(ValueError):
    """A JSON payload is nested deeper than :data:`DEEPEST`."""

    def __str__(self) -> str:
        return f"nested deeper than {DEEPEST} levels"


def unpack_json(payload: bytes) -> Dict[str, Any]:
    """The inverse of :func:`pack_json`.

    Raises:
        ValueError: the payload is not a JSON object; as :class:`TooDeep`: nested deeper than :data:`DEEPEST`.
    """
    try:
        content = json.loads(payload)
    except RecursionError:
        raise TooDeep from None
    if not isinstance(content, dict):
        raise ValueError(f"a JSON object was expected, not {type(content).__name__}")
    if payload.count(b"{") + payload.count(b"[") > DEEPEST:
        _check_depth(content)
    return content


def is_too_deep(payload: bytes) -> bool:
    """Whether a JSON payload is nested deeper than readers take."""
    if payload.count(b"{") + payload.count(b"[") <= DEEPEST:
        return False
    try:
        unpack_json(payload)
    except TooDeep:
        return True
    except ValueError:  # readers skip it for another reason
        pass
    return False


def _check_depth(content: Any) -> None:
    """Level by level: whoever walks through this later may do so by recursion."""
    level: List[Any] = [content]
    for _ in range(DEEPEST):
        parts = (one.values() if type(one) is dict else one for one in level)
        level = [inner for part in parts for inner in part if type(inner) in (dict, list)]
        if not level:
            return
    raise TooDeep


def points_packer(count: int) -> struct.Struct:
    """Packs all of a points frame of ``count`` metrics but its checksum, in one call.

    Fields: marker, length, kind, layout, step, time, then the ``count`` values.
    """
    return struct.Struct(f"<2sIBIqd{count}d")


def unpack_points(payload: bytes) -> Points:
    """Decode a points payload.

    Raises:
        ValueError: its length does not fit whole float64 values.
    """
    count, rest = divmod(len(payload) - POINTS_HEAD.size, 8)
    if count < 0 or rest:
        raise ValueError(f"a points payload cannot be {len(payload)} bytes long")
    layout, step, time = POINTS_HEAD.unpack_from(payload)
    return Points(layout, step, time, struct.unpack_from(f"<{count}d", payload, POINTS_HEAD.size))
