"""One attached pipe: a Unix socket on which the spool goes out and messages come in."""

from __future__ import annotations

import os
import socket
from typing import List, Tuple

from gpu_provisioner.agent.spool import Spool
from gpu_provisioner.wire import DATA, FrameReader, encode_frame, frame_head

_DATA_BYTES = 256 << 10
_READ_BYTES = 256 << 10
_TURN_BYTES = 4 << 20


class Connection:
    """A client of the agent. ``offset`` is the next byte of the spool it gets; see
    :mod:`gpu_provisioner.wire`.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._frames = FrameReader()
        self._out = bytearray()
        self._head = b""
        self._body = (0, 0, 0)
        """What ``sendfile`` still has to send of a DATA frame: (file descriptor, position, bytes)."""
        self.client = ""
        self.offset = -1
        self.acked = 0
        self.told = ""
        """The agent's trouble that it has been told of."""
        self.closing = False
        self.closed = False

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def is_holder(self) -> bool:
        """Whether it has said hello as the one that gets the spool."""
        return self.offset >= 0

    def receive(self) -> List[Tuple[bytes, bytes]]:
        """Frames that have arrived. At the end of the stream :attr:`closed` becomes true."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self.closed = True
        return self._frames.feed(data)

    def put(self, tag: bytes, body: bytes = b"") -> None:
        self._out += encode_frame(tag, body)

    def wants_to_write(self, end: int) -> bool:
        return bool(self._out or self._head or self._body[2] or (self.is_holder and self.offset < end))

    def flush(self, spool: Spool) -> None:
        """Write what the socket takes now, at most 4 MiB of the spool a turn."""
        budget = _TURN_BYTES
        try:
            while not self.closed:
                if self._head or self._body[2]:
                    budget -= self._send_data()
                elif self._out:
                    del self._out[: self._socket.send(self._out)]
                elif self.is_holder and self.offset < spool.end and budget > 0:
                    self._begin_data(spool)
                else:
                    break
        except BlockingIOError:
            pass
        except OSError:
            self.closed = True
        if self.closing and not self.wants_to_write(spool.end):
            self.closed = True

    def close(self) -> None:
        self._socket.close()

    def _begin_data(self, spool: Spool) -> None:
        handle, position, available = spool.locate(self.offset)
        length = min(available, _DATA_BYTES)
        self._head = frame_head(DATA, length)
        # A descriptor of our own: the segment may be acked and freed while its last frame is still being
        # sent.
        self._body = (os.dup(handle), position, length)

    def _send_data(self) -> int:
        if self._head:
            sent = self._socket.send(self._head, getattr(socket, "MSG_MORE", 0))
            self._head = self._head[sent:]
            if self._head:
                return 0
        handle, position, length = self._body
        sent = os.sendfile(self._socket.fileno(), handle, position, length)
        if sent == 0:
            raise OSError("the spool's segment is shorter than it was")
        self.offset += sent
        self._body = (handle, position + sent, length - sent)
        if sent == length:
            os.close(handle)
            self._body = (0, 0, 0)
        return sent
