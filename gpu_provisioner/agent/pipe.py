"""The pipe of somebody who is attached: how bytes come from him, and how they go to him.

At first both is one Unix socket. Then the process at its other end (:mod:`gpu_provisioner.agent.attach`) may
lend the agent its own stdin and stdout (``SCM_RIGHTS``, unix(7)) and step aside: nothing is copied through it
any more, and its end is still the end of the pipe.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from typing import Dict, List, Mapping, Sequence

from gpu_provisioner.agent.zeromq import zmq

_LENT = 2
_READ_BYTES = 256 << 10


class Pipe:
    """Non-blocking in both directions.

    Args:
        sock: of the connection; closed by :meth:`close`.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._lent: List[int] = []
        self._reads = self._writes = sock.fileno()
        self._takes_files = True

    def interests(self, to_write: bool) -> Dict[int, int]:
        """What is to be polled for, by file descriptor; nothing (0) of those that are silent now."""
        events = {self._writes: 0, self._sock.fileno(): zmq.POLLIN, self._reads: zmq.POLLIN}
        if to_write:
            events[self._writes] |= zmq.POLLOUT
        return events

    def handles(self) -> List[int]:
        """Its file descriptors."""
        return [self._sock.fileno(), *self._lent]

    def is_readable(self, events: Mapping[int, int]) -> bool:
        """Whether there is something to read, by what was polled.

        Raises:
            OSError: he who lent his descriptors has ended. That ends the pipe, also when others hold them.
        """
        if self._lent and self._sock.fileno() in events:
            with contextlib.suppress(BlockingIOError):
                if not self._sock.recv(_READ_BYTES):
                    raise ConnectionResetError("who was attached has ended")
        return bool(events.get(self._reads, 0) & ~zmq.POLLOUT)

    def read(self) -> bytes:
        """What has come; ``b""`` at the end. ``BlockingIOError`` when nothing has."""
        return os.read(self._reads, _READ_BYTES) if self._lent else self._read_first()

    def read_into(self, room: memoryview) -> int:
        """As :meth:`read`, to a place of its own: how many bytes, 0 at the end."""
        return os.readv(self._reads, [room])

    def write(self, pieces: Sequence[memoryview]) -> int:
        """How many bytes of the pieces it has taken; ``BlockingIOError`` when it takes none now."""
        return os.writev(self._writes, pieces)

    def write_file(self, handle: int, position: int, count: int) -> int:
        """Write a part of a file: how many bytes of it were taken."""
        if self._takes_files:
            return os.sendfile(self._writes, handle, position, count)
        # To a pipe older kernels' sendfile waits, whatever it was told.
        return os.write(self._writes, os.pread(handle, count, position))

    def close(self) -> None:
        """Also gives back what was lent, as it was."""
        self._sock.close()
        for handle in self._lent:
            os.set_blocking(handle, True)
            os.close(handle)
        self._lent = []

    def _read_first(self) -> bytes:
        """From the socket, with descriptors if some are lent."""
        data, handles, _, _ = socket.recv_fds(
            self._sock, _READ_BYTES, _LENT, getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        )
        self._lent += handles
        if len(self._lent) == _LENT:
            self._reads, self._writes = self._lent
            for handle in self._lent:
                os.set_blocking(handle, False)
            self._takes_files = stat.S_ISSOCK(os.fstat(self._writes).st_mode)
        elif self._lent:
            raise ConnectionResetError("somebody lent other than his stdin and stdout")
        return data
