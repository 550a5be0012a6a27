"""The dumb pipe: stdin and stdout are the agent's until either side has ended."""

from __future__ import annotations

import contextlib
import os
import socket
import threading

from gpu_provisioner.wire import encode_frame

_PIECE = 256 << 10
_F_SETPIPE_SZ = 1031
"""fcntl(2), Linux only. A larger pipe halves the time of a 100 MB message."""

PIPE_BYTES = 1 << 20

_LEND = b"L"
"""Tag of the frame, without a body, that the two descriptors come with. It never leaves that machine."""


def widen_pipe(handle: int) -> None:
    """Make a pipe's buffer 1 MiB where the system allows it."""
    try:
        import fcntl

        fcntl.fcntl(handle, _F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        pass


def join(sock: socket.socket, takes_them: bool) -> None:
    """Lend the agent stdin and stdout, or copy between them and its socket. Ends the process with the agent,
    or when a copied side has ended.

    Args:
        takes_them: whether the agent is of a version that takes them (:mod:`gpu_provisioner.agent.pipe`).
    """
    widen_pipe(1)
    if takes_them:
        socket.send_fds(sock, [encode_frame(_LEND)], [0, 1])
        _wait_for_end(sock)
    _copy(sock)


def _wait_for_end(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while sock.recv(_PIECE):
            pass
    os._exit(0)


def _copy(sock: socket.socket) -> None:
    """Both ways with two blocking copies."""
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
