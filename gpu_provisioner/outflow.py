"""Bytes on their way out, in the pieces they came in: a long message is not copied to stand in a line."""

from __future__ import annotations

from collections import deque
from typing import Deque, List

from gpu_provisioner.wire import Buffer

_PIECES = 256
"""As many as one ``writev`` gets; POSIX promises 16 (``IOV_MAX``), Linux and macOS have 1024."""


class Outflow:
    """A line of bytes. Not thread-safe. Pieces are kept as they are and must not change."""

    def __init__(self) -> None:
        self._pieces: Deque[memoryview] = deque()

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def put(self, *pieces: Buffer) -> None:
        """Add at the end."""
        self._pieces.extend(memoryview(piece) for piece in pieces if piece)

    def next(self, most: int) -> List[memoryview]:
        """The first bytes as pieces, at most ``most``."""
        found: List[memoryview] = []
        for piece in self._pieces:
            if most <= 0 or len(found) == _PIECES:
                break
            found.append(piece[:most])
            most -= len(piece)
        return found

    def drop(self, count: int) -> None:
        """The first ``count`` bytes are gone."""
        while count:
            first = self._pieces.popleft()
            if count < len(first):
                self._pieces.appendleft(first[count:])
                return
            count -= len(first)

    def take(self) -> List[memoryview]:
        """Everything that is left."""
        pieces = list(self._pieces)
        self.clear()
        return pieces

    def clear(self) -> None:
        self._pieces.clear()
