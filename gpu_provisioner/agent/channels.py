"""The agent's ZeroMQ sockets to its kernel. It is the kernel's only client, and always drains.

Messages are cut out of their ZeroMQ frames and never decoded; a look at a few bytes tells a reply from an
``idle``. Wire format: *Messaging in Jupyter*, "The Wire Protocol".
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from datetime import datetime, timezone
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from gpu_provisioner.agent.zeromq import zmq
from gpu_provisioner.wire import CHANNEL_NAMES, CONTROL, IOPUB, LONG, SHELL, STDIN, Buffer, Message

_DELIMITER = b"<IDS|MSG>"
_RECONNECT_MS = 15
_NUDGE_S = 1.0
_AT_ONCE = 256
_BEFORE_CONTENT = 6
"""Frames before an iopub message's content: none of them is long. (A frame that is lent by ZeroMQ and not
copied costs more than a short copy.)"""


class KernelChannels:
    """Sockets to one kernel (one epoch).

    A kernel's first outputs are lost when nobody has subscribed yet, and a second subscriber gets no
    ``iopub_welcome``. So ``kernel_info_request`` is asked until both its reply and something on iopub have
    been seen; only then :attr:`ready` is true and messages may be sent. It is asked on shell: a message on
    control that comes early finds ipykernel 6 on Python 3.9 without the lock it needs, and is lost with an
    error.

    Args:
        connection: the connection file's content.
    """

    def __init__(self, context: Any, poller: Any, connection: Mapping[str, Any]) -> None:
        self._poller = poller
        self._key = str(connection["key"]).encode()
        self._session = uuid.uuid4().hex
        self._sockets: Dict[int, Any] = {}
        self._iopub_seen = False
        self._nudged = 0.0
        self.ready = False
        for channel in (IOPUB, SHELL, CONTROL, STDIN):
            socket = context.socket(zmq.SUB if channel == IOPUB else zmq.DEALER)
            socket.linger = 0
            socket.reconnect_ivl = _RECONNECT_MS
            if channel == IOPUB:
                socket.subscribe(b"")
            else:
                # The kernel routes input requests by the identity of the shell socket.
                socket.identity = b"trackside-agent"
                socket.sndhwm = 0
            socket.connect(f"ipc://{connection['ip']}-{connection[CHANNEL_NAMES[channel] + '_port']}")
            self._sockets[channel] = socket
            poller.register(socket, zmq.POLLIN)
        self._nudge()

    def receive(self, events: Mapping[Any, int], iopub: bool = True) -> Tuple[List[Message], bool]:
        """What has arrived, and whether an answer (a shell reply, a cell's ``idle``) is among it.

        A long part is lent by ZeroMQ and not copied.

        Args:
            events: what :meth:`zmq.Poller.poll` said, as a dict.
            iopub: False leaves iopub alone; the kernel then waits once the socket's buffers are full.
        """
        messages: List[Message] = []
        settles = False
        for channel, socket in self._sockets.items():
            if socket not in events or (channel == IOPUB and not iopub):
                continue
            for _ in range(_AT_ONCE):
                try:
                    frames = _receive(socket)
                except zmq.Again:
                    break
                parts = frames[frames.index(_DELIMITER) + 2 :]
                if channel == IOPUB:
                    self._iopub_seen = True
                    settles = settles or _is_end_of_cell(parts)
                elif channel == SHELL:
                    if not self.ready:
                        self._answered()
                        continue
                    settles = True
                messages.append((channel, parts))
        if not self.ready and time.monotonic() - self._nudged > _NUDGE_S:
            self._nudge()
        return messages, settles

    def send(self, channel: int, parts: Sequence[Buffer]) -> None:
        """Sign and send one message's parts (header, parent, metadata, content, buffers…)."""
        signature = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in parts[:4]:
            signature.update(part)
        frames = [_DELIMITER, signature.hexdigest().encode(), *parts]
        self._sockets[channel].send_multipart(frames, copy=max(map(len, parts)) < LONG)

    def request(self, channel: int, kind: str, content: Mapping[str, Any]) -> None:
        """Send a request of the agent's own."""
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": kind,
            "session": self._session,
            "username": "trackside",
            "date": datetime.now(timezone.utc).isoformat(),
            "version": "5.3",
        }
        self.send(channel, [json.dumps(header).encode(), b"{}", b"{}", json.dumps(content).encode()])

    def quiet_iopub(self, quiet: bool) -> None:
        """Stop or go on polling iopub (a socket that is not read would wake the loop for ever)."""
        self._poller.modify(self._sockets[IOPUB], 0 if quiet else zmq.POLLIN)

    def close(self) -> None:
        for socket in self._sockets.values():
            self._poller.unregister(socket)
            socket.close(0)
        self._sockets.clear()

    def _answered(self) -> None:
        if self._iopub_seen:
            self.ready = True
        else:
            self._nudge()

    def _nudge(self) -> None:
        self._nudged = time.monotonic()
        self.request(SHELL, "kernel_info_request", {})


def _receive(socket: Any) -> List[Buffer]:
    """The frames of one message; long ones as memoryviews. Raises ``zmq.Again`` when none is there."""
    frames: List[Buffer] = [socket.recv(zmq.NOBLOCK)]
    while socket.rcvmore:
        if len(frames) < _BEFORE_CONTENT:
            frames.append(socket.recv())
        else:
            frame = socket.recv(copy=False)
            frames.append(frame.bytes if len(frame) < LONG else frame.buffer)
    return frames


def _is_end_of_cell(parts: Sequence[Buffer]) -> bool:
    """Whether these are the parts of a cell's ``status: idle``, without decoding a long message."""
    if len(parts) < 4 or len(parts[3]) >= 80:
        return False
    content = bytes(parts[3])
    return b"execution_state" in content and b"idle" in content and b"execute_request" in bytes(parts[1])
