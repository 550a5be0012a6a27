"""The dumb pipe: stdin and stdout joined to the agent's socket, until one of them ends."""

from __future__ import annotations

import os
import socket
import threading

_PIECE = 256 << 10
_F_SETPIPE_SZ = 1031
"""fcntl(2), Linux only. A larger pipe halves the time of a 100 MB message."""

PIPE_BYTES = 1 << 20


def widen_pipe(handle: int) -> None:
    """Make a pipe's buffer 1 MiB where the system allows it."""
    try:
        import fcntl

        fcntl.fcntl(handle, _F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        pass


def join(sock: socket.socket) -> None:
    """Copy both ways with two blocking copies. Ends the process when either side has ended."""
    widen_pipe(1)
    threading.Thread(target=_up, args=(sock,), daemon=True).start()
    buffer = bytearray(_PIECE)
    view = memoryview(buffer)
    try:
        while True:
            count = sock.recv_into(buffer)
            if not count:
                break
            piece = view[:count]
            while piece:
                piece = piece[os.write(1, piece) :]
    except OSError:
        pass
    os._exit(0)


def _up(sock: socket.socket) -> None:
    try:
        while True:
            data = os.read(0, _PIECE)
            if not data:
                break
            sock.sendall(data)
    except OSError:
        pass
    os._exit(0)
