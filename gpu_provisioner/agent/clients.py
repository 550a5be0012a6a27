"""Whoever is attached to the agent: one holder, who gets the spool, and passers-by with a command."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional

from gpu_provisioner import wire
from gpu_provisioner.agent.connection import Connection
from gpu_provisioner.agent.gauge import Gauge
from gpu_provisioner.agent.keeper import Keeper
from gpu_provisioner.agent.places import private_folder
from gpu_provisioner.agent.zeromq import zmq

_CLIENTS_REMEMBERED = 64

OnMessage = Callable[[int, int, List[wire.Buffer]], None]
"""Called with epoch, channel and parts of a message that came up for the first time."""

OnHolder = Callable[[int, int], int]
"""Called when a holder comes, with how far the stream is home there and the record boundary before that.
Returns the offset from which it gets the stream."""


class Clients:
    """The agent's Unix socket and the connections on it.

    Args:
        runtime: folder of the socket, ``attach``.
        poller: the loop's.
        on_holder: asked before a holder is welcomed.
        describe: what a welcome says besides positions.

    :attr:`gauge` measures the machine's load for a holder who asks.
    """

    def __init__(
        self,
        runtime: Path,
        poller: Any,
        keeper: Keeper,
        on_message: OnMessage,
        on_holder: OnHolder,
        describe: Callable[[], Mapping[str, Any]],
    ) -> None:
        self.gauge = Gauge(())
        self._runtime, self._poller, self._keeper = runtime, poller, keeper
        self._on_message, self._on_holder, self._describe = on_message, on_holder, describe
        self._connections: List[Connection] = []
        self._polled: Dict[int, int] = {}
        """What the poller was asked for, by file descriptor."""
        self._received: Dict[str, int] = {}
        """Highest number received from each Link client: what is sent twice is not done twice. (A ``msg_id``
        would not do: sessions that were cloned repeat them.)"""
        self.lonely_since = time.monotonic()
        self._listener = self._listen()

    def holder(self) -> Optional[Connection]:
        return next((each for each in self._connections if each.is_holder), None)

    def prepare(self) -> None:
        """Before the loop polls: ask to write where there is something to write."""
        sample = self.gauge.take()
        for connection in self._connections:
            if connection.is_holder and connection.told != self._keeper.trouble:
                connection.told = self._keeper.trouble
                if connection.told:
                    connection.put(wire.TROUBLE, wire.to_json({"text": connection.told}))
            if sample is not None and connection.is_holder:
                connection.put(wire.GAUGE, sample)
            for handle, wanted in connection.interests(self._keeper.spool.end).items():
                self._poll(handle, wanted)

    def receive(self, events: Mapping[int, int]) -> None:
        """Take in what has arrived, and whoever has come."""
        if self._listener.fileno() in events:
            self._accept()
        for connection in self._connections:
            self._receive_from(connection, events)

    def flush(self) -> None:
        """Write what the sockets take, and forget those that are closed."""
        self.send()
        for connection in [each for each in self._connections if each.closed]:
            self._drop(connection)

    def send(self) -> None:
        """Write what the pipes take."""
        for connection in self._connections:
            if not connection.closed:
                connection.flush(self._keeper.spool)

    def keep_house(self) -> None:
        """Bind the socket again if somebody removed it (``$XDG_RUNTIME_DIR`` goes with the last login)."""
        if not (self._runtime / "attach").exists():
            self._poller.unregister(self._listener.fileno())
            self._listener.close()
            self._listener = self._listen()

    def close(self) -> None:
        self._listener.close()
        for connection in self._connections:
            connection.close()

    def _listen(self) -> socket.socket:
        """Bind under another name first: a socket that exists under its own answers."""
        private_folder(self._runtime)
        temporary = self._runtime / "attach.new"
        temporary.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(temporary))
        temporary.chmod(0o600)
        listener.listen(8)
        listener.setblocking(False)
        temporary.rename(self._runtime / "attach")
        self._poller.register(listener.fileno(), zmq.POLLIN)
        return listener

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        self._connections.append(Connection(sock))

    def _drop(self, connection: Connection) -> None:
        for handle in connection.handles():
            self._poll(handle, 0)
        self._connections.remove(connection)
        connection.close()
        self.lonely_since = time.monotonic()

    def _poll(self, handle: int, wanted: int) -> None:
        if self._polled.get(handle, 0) != wanted:
            self._poller.register(handle, wanted)
            self._polled[handle] = wanted

    def _receive_from(self, connection: Connection, events: Mapping[int, int]) -> None:
        try:
            for tag, body in connection.receive(events):
                self._on_frame(connection, tag, body)
        except (wire.WireError, KeyError, TypeError, ValueError, MemoryError) as error:
            print(f"a client sent something else: {error}", file=sys.stderr, flush=True)
            connection.closed = True

    def _on_frame(self, connection: Connection, tag: bytes, body: wire.Buffer) -> None:
        if tag == wire.HELLO:
            self._on_hello(connection, wire.from_json(body))
        elif tag == wire.MESSAGE:
            sequence, epoch, channel, parts = wire.decode_message(body)
            if sequence <= self._received.get(connection.client, 0):
                return
            self._received[connection.client] = sequence
            while len(self._received) > _CLIENTS_REMEMBERED:
                del self._received[next(iter(self._received))]
            connection.put(wire.RECEIPT, sequence.to_bytes(8, "big"))
            self._on_message(epoch, channel, parts)
        elif tag == wire.ACK and connection.is_holder:
            connection.acked = wire.decode_offset(body)
            self._keeper.acknowledge(connection.acked)
        elif tag == wire.GAUGE:
            self.gauge.ask()
        elif tag == wire.PING:
            connection.put(wire.PONG, bytes(body))

    def _on_hello(self, connection: Connection, hello: Mapping[str, Any]) -> None:
        connection.client = str(hello["client"])
        spool = self._keeper.spool
        offset = int(hello.get("offset", 0))
        if hello.get("role", "holder") == "holder":
            for other in self._connections:
                # The newest wins: the older one may be half open, and nobody would ever close it.
                if other is not connection and other.is_holder:
                    other.closed = True
            offset = self._on_holder(offset, int(hello.get("boundary", offset)))
            offset = min(max(offset, spool.start), spool.end)
            connection.offset = connection.acked = offset
            self._keeper.acknowledge(offset)
        positions = {"up": self._received.get(connection.client, 0), "offset": offset, "end": spool.end}
        connection.put(wire.WELCOME, wire.to_json({**positions, **self._describe()}))
