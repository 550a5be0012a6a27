"""ipykernel's iopub thread, without the TCP port it opens for forked processes.

ipykernel lets a forked child print through a PULL socket on a random port of 127.0.0.1. On a shared machine
any user may connect to that; a socket file in a private folder does the same job. The two methods are those
of ``ipykernel.iostream.IOPubThread``, alike in ipykernel 6.29 to 7.4.
"""

from __future__ import annotations

import os
from typing import Any, Tuple

from ipykernel.iostream import IOPubThread
from zmq.eventloop.zmqstream import ZMQStream

from gpu_provisioner.agent.zeromq import zmq

_LINGER_MS = 3000


class PrivateIOPubThread(IOPubThread):
    """Takes the output of forked children on a socket file."""

    address = ""
    """An ``ipc://`` endpoint in a private folder; set before the one instance of a kernel is made."""

    def _setup_pipe_in(self) -> None:
        self._pipe_uuid = os.urandom(16)
        pipe_in = self.socket.context.socket(zmq.PULL)
        pipe_in.linger = 0
        pipe_in.bind(self.address)
        self._pipe_in = ZMQStream(pipe_in, self.io_loop)
        self._pipe_in.on_recv(self._handle_pipe_msg)

    def _setup_pipe_out(self) -> Tuple[Any, Any]:
        # A context of its own: that of the parent does not survive the fork.
        context = zmq.Context()
        pipe_out = context.socket(zmq.PUSH)
        pipe_out.linger = _LINGER_MS
        pipe_out.connect(self.address)
        return context, pipe_out
