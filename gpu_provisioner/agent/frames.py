"""Frames as they come out of a pipe; a long one is read to where it stays, and not copied."""

from __future__ import annotations

from typing import List, Optional, Tuple

from gpu_provisioner.agent.pipe import Pipe
from gpu_provisioner.wire import Buffer, FrameReader


class IncomingFrames:
    """Reads frames from a pipe.

    Whoever writes to it is trusted with our memory: what a frame says of its length is believed.
    """

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._frames = FrameReader()
        self._tag = b""
        self._body: Optional[bytearray] = None
        """Of the long frame that is coming: of its full length, filled up to :attr:`_filled`."""
        self._filled = 0

    def receive(self) -> Optional[List[Tuple[bytes, Buffer]]]:
        """Frames that are whole with what has arrived; ``None`` at the end of the stream.

        Raises:
            BlockingIOError: nothing has arrived.
            OSError: the stream is broken.
        """
        if self._body is not None:
            return self._receive_in_place(self._body)
        data = self._pipe.read()
        if not data:
            return None
        frames: List[Tuple[bytes, Buffer]] = [*self._frames.feed(data)]
        begun = self._frames.take_begun()
        if begun is not None:
            self._tag, length, first = begun
            self._body, self._filled = bytearray(length), len(first)
            self._body[: len(first)] = first
        return frames

    def _receive_in_place(self, body: bytearray) -> Optional[List[Tuple[bytes, Buffer]]]:
        count = self._pipe.read_into(memoryview(body)[self._filled :])
        if not count:
            return None
        self._filled += count
        if self._filled < len(body):
            return []
        self._body = None
        return [(self._tag, body)]
