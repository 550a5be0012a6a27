"""Points as bytes: sealed chunks (delta, byte shuffle, zlib) and the raw open tail. Everything is exact."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .buckets import BUCKET

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .buckets import Buckets

CHUNK = 4096
"""Points of a sealed chunk."""
_COLUMNS = 3
_LEVEL = 1  # zlib's higher levels gain 2 % at twice the time


class IndexDamage(Exception):
    """Bytes of the index are not what was written: it has to be built anew."""


def checked(data: bytes) -> bytes:
    """``data`` with a checksum behind it."""
    return data + zlib.crc32(data).to_bytes(4, "little")


def unchecked(data: bytes) -> bytes:
    """The inverse of :func:`checked`.

    Raises:
        IndexDamage: the checksum does not fit.
    """
    body = data[:-4]
    if zlib.crc32(body) != int.from_bytes(data[-4:], "little"):
        raise IndexDamage("a checksum does not fit")
    return body


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)  # zlib has a checksum of its own
    except zlib.error as error:
        raise IndexDamage(str(error)) from error


class Points(NamedTuple):
    """Points of one stream in the order of logging: step int64[n], time float64[n], value float64[n]."""

    step: NDArray[np.int64]
    time: NDArray[np.float64]
    value: NDArray[np.float64]

    def part(self, start: int, stop: int | None = None) -> Points:
        """Points ``start`` up to ``stop``."""
        return Points(self.step[start:stop], self.time[start:stop], self.value[start:stop])

    def axis(self, name: str) -> NDArray[np.float64]:
        """The x of each point on the axis ``step`` or ``time``; a clock that said NaN or Inf counts as 0."""
        if name == "step":
            return self.step.astype(np.float64)
        finite = np.isfinite(self.time)
        return self.time if finite.all() else np.where(finite, self.time, 0.0)


def no_points() -> Points:
    """A stream without points."""
    return Points(np.empty(0, np.int64), np.empty(0), np.empty(0))


def joined(parts: Sequence[Points]) -> Points:
    """Parts one after the other."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return no_points()
    return Points(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def pack_raw(points: Points) -> bytes:
    """24 bytes a point, and a checksum."""
    return checked(_rows(points))


def unpack_raw(data: bytes) -> Points:
    """The inverse of :func:`pack_raw`."""
    rows = np.frombuffer(unchecked(data), "<i8").reshape(_COLUMNS, -1)
    return Points(rows[0], rows[1].view(np.float64), rows[2].view(np.float64))


def pack_chunk(points: Points) -> bytes:
    """Differences of the 64-bit patterns, their bytes shuffled by significance, zlib."""
    rows = np.frombuffer(_rows(points), "<i8").reshape(_COLUMNS, -1)
    differences = rows.copy()
    differences[:, 1:] -= rows[:, :-1]  # wraps around like the sum that undoes it
    shuffled = differences.view(np.uint8).reshape(_COLUMNS, -1, 8).transpose(0, 2, 1)
    return zlib.compress(shuffled.tobytes(), _LEVEL)


def unpack_chunk(data: bytes) -> Points:
    """The inverse of :func:`pack_chunk`."""
    shuffled = np.frombuffer(_inflated(data), np.uint8).reshape(_COLUMNS, 8, -1)
    differences = np.ascontiguousarray(shuffled.transpose(0, 2, 1)).view("<i8").reshape(_COLUMNS, -1)
    rows = np.cumsum(differences, axis=1)
    return Points(rows[0], rows[1].view(np.float64), rows[2].view(np.float64))


def _rows(points: Points) -> bytes:
    return points.step.tobytes() + points.time.tobytes() + points.value.tobytes()


def pack_buckets(buckets: Buckets) -> bytes:
    """Buckets with their bytes shuffled, zlib."""
    return zlib.compress(buckets.view(np.uint8).reshape(len(buckets), -1).T.tobytes(), _LEVEL)


def unpack_buckets(data: bytes) -> Buckets:
    """The inverse of :func:`pack_buckets`."""
    shuffled = np.frombuffer(_inflated(data), np.uint8).reshape(BUCKET.itemsize, -1)
    return np.ascontiguousarray(shuffled.T).view(BUCKET).reshape(-1)
