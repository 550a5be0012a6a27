"""One client of the agent: the spool goes out to it, and messages come in."""

from __future__ import annotations

import os
import socket
from typing import Dict, List, Mapping, Tuple

from gpu_provisioner.agent.frames import IncomingFrames
from gpu_provisioner.agent.pipe import Pipe
from gpu_provisioner.agent.spool import Spool
from gpu_provisioner.outflow import Outflow
from gpu_provisioner.wire import DATA, Buffer, encode_frame, frame_head

_DATA_BYTES = 256 << 10
_READ_BELOW_BYTES = 16 << 10
"""A shorter piece of the spool is read and written with its head at once; a longer one goes by ``sendfile``.
"""
_TURN_BYTES = 4 << 20


class Connection:
    """``offset`` is the next byte of the spool it gets; see :mod:`gpu_provisioner.wire`.

    Args:
        sock: on which it came.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._pipe = Pipe(sock)
        self._frames = IncomingFrames(self._pipe)
        self._out = Outflow()
        self._body = (0, 0, 0)
        """What is still to be sent of a DATA frame: (file descriptor, position, bytes)."""
        self._behind = Outflow()
        """Frames that were put while one is on its way: they must not come between its head and its end."""
        self.client = ""
        self.offset = -1
        self.acked = 0
        self.told = ""
        """The agent's trouble that it has been told of."""
        self.closing = False
        self.closed = False

    @property
    def is_holder(self) -> bool:
        """Whether it has said hello as the one that gets the spool."""
        return self.offset >= 0

    def interests(self, end: int) -> Dict[int, int]:
        """What is to be polled for, by file descriptor, when the spool ends at ``end``."""
        return self._pipe.interests(self.wants_to_write(end))

    def handles(self) -> List[int]:
        """Its file descriptors."""
        return self._pipe.handles()

    def receive(self, events: Mapping[int, int]) -> List[Tuple[bytes, Buffer]]:
        """Frames that have arrived. At the end of the stream :attr:`closed` becomes true."""
        try:
            if not self._pipe.is_readable(events):
                return []
            frames = self._frames.receive()
        except BlockingIOError:
            return []
        except OSError:
            frames = None
        if frames is None:
            self.closed = True
            return []
        return frames

    def put(self, tag: bytes, body: bytes = b"") -> None:
        (self._behind if self._body[2] else self._out).put(encode_frame(tag, body))

    def wants_to_write(self, end: int) -> bool:
        return bool(self._out or self._body[2] or (self.is_holder and self.offset < end))

    def flush(self, spool: Spool) -> None:
        """Write what the pipe takes now, at most 4 MiB of the spool a turn."""
        budget = _TURN_BYTES
        try:
            while not self.closed:
                if self._out:
                    # What stands here before a DATA frame's body is its head, and nothing else.
                    self._out.drop(self._pipe.write(self._out.next(_DATA_BYTES)))
                elif self._body[2]:
                    budget -= self._send_body()
                elif self.is_holder and self.offset < spool.end and budget > 0:
                    budget -= self._begin_data(spool)
                else:
                    break
        except BlockingIOError:
            pass
        except OSError:
            self.closed = True
        if self.closing and not self.wants_to_write(spool.end):
            self.closed = True

    def close(self) -> None:
        self._end_body()
        self._pipe.close()

    def _begin_data(self, spool: Spool) -> int:
        """Put the head of the next DATA frame, and a short body; how many bytes of the spool that was."""
        handle, position, available = spool.locate(self.offset)
        length = min(available, _DATA_BYTES)
        self._out.put(frame_head(DATA, length))
        if length < _READ_BELOW_BYTES:
            self._out.put(os.pread(handle, length, position))
            self.offset += length
            return length
        # A descriptor of our own: the segment may be acked and freed while its last frame is still being
        # sent.
        self._body = (os.dup(handle), position, length)
        return 0

    def _send_body(self) -> int:
        handle, position, length = self._body
        sent = self._pipe.write_file(handle, position, length)
        if sent == 0:
            raise OSError("the spool's segment is shorter than it was")
        self.offset += sent
        self._body = (handle, position + sent, length - sent)
        if sent == length:
            self._end_body()
        return sent

    def _end_body(self) -> None:
        if self._body[0]:
            os.close(self._body[0])
        self._body = (0, 0, 0)
        self._out.put(*self._behind.take())
