"""The Link: one resumable byte stream to an agent, over carriers that come and go.

One thread reads and blocks. Whoever posts writes to the carrier himself, so that a message does not wait for
another thread; a second thread takes what did not fit, acknowledges and pings. Messages that go up are
numbered, and the agent's welcome names the highest it has, so that a resend never runs a cell twice.
"""

from __future__ import annotations

import logging
import random
import secrets
import threading
import time
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

from gpu_provisioner import wire
from gpu_provisioner.bootstrap import AgentGone
from gpu_provisioner.carrier import Carrier
from gpu_provisioner.errand import Opener
from gpu_provisioner.errors import ProvisionError
from gpu_provisioner.home import HomeJournal
from gpu_provisioner.home_disk import HomeDisk
from gpu_provisioner.outflow import Outflow
from gpu_provisioner.wire import Buffer

PING_S = 15.0
_SILENCE_LIMIT_S = 3 * PING_S
_AFTER_WAKING_S = 3.0
_JUMP_S = 5.0
_TICK_S = 1.0
_ACK_BYTES = 1 << 20
_WRITE_BYTES = 1 << 20
_ACK_S = 0.5
_GATHER_S = 0.001
_BACKOFF_SHARE, _BACKOFF_MIN_S, _BACKOFF_MAX_S = 0.1, 0.1, 30.0

log = logging.getLogger("trackside.link")
# Whoever uses the library decides where its log goes; the notebook is told what matters as notices.
logging.getLogger("trackside").addHandler(logging.NullHandler())


class Link:
    """Keeps a line to one agent, until closed or until the agent is gone.

    Args:
        opener: gives a carrier that is a pipe to the agent, and bytes that already came (may raise
            ``ProvisionError``, which means "try again", or ``AgentGone``, which means "never again").
        journal: where everything goes first; its length is the resume point.
        disk: of the journal; when it is full the reading thread waits, and the line stays up.
        on_data: called in the reading thread with bytes that were appended to the journal.
        on_state: called with ``"up"``, ``"down"``, ``"stopped"`` (as somebody wished) or ``"gone"``, and a
            sentence, in a thread of the Link; with ``"trouble"`` when the agent cannot write its spool, which
            ends nothing.
        on_welcome: called with the agent's welcome before ``on_state("up")``.
    """

    def __init__(
        self,
        opener: Opener,
        journal: HomeJournal,
        disk: HomeDisk,
        on_data: Callable[[Buffer], None],
        on_state: Callable[[str, str], None],
        on_welcome: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._opener, self._journal, self._disk = opener, journal, disk
        self._on_data, self._on_state, self._on_welcome = on_data, on_state, on_welcome
        self.client = secrets.token_hex(16)
        self.on_gauge: Callable[[Mapping[str, Any]], None] = lambda _: None
        """Called in the reading thread with what was asked for by :meth:`ask_gauge`."""
        self.reconnects = 0
        self._changed = threading.Condition()
        self._carrier: Optional[Carrier] = None
        self._ready = False
        self._closed = False
        self._numbered = 0
        self._pending: Dict[int, Sequence[Buffer]] = {}
        """Messages the agent has not acknowledged, by number, as frames."""
        self._out = Outflow()
        self._posted_at = 0.0
        self._acked = journal.end
        self._acked_at = 0.0
        self._ack_now = False
        self._listening = False
        self._heard_at = time.monotonic()
        self._pinged_at = 0.0
        self._silence_limit = _SILENCE_LIMIT_S
        self._hurry = False
        self._threads = [
            threading.Thread(target=target, daemon=True, name=f"trackside-link-{name}")
            for name, target in (("reader", self._read), ("writer", self._write))
        ]

    @property
    def is_up(self) -> bool:
        """Whether what is posted now goes out at once."""
        return self._ready and not self._closed

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def post(self, record: Sequence[Buffer], epoch: int) -> None:
        """Send one record up, exactly once, in order. Any thread; never waits for the line.

        Args:
            record: as :func:`gpu_provisioner.wire.record_pieces` gives it; not changed from now on.
        """
        with self._changed:
            self._numbered += 1
            frame = wire.message_pieces(self._numbered, epoch, record)
            self._pending[self._numbered] = frame
            if self._ready:
                self._out.put(*frame)
                if time.monotonic() - self._posted_at > _GATHER_S:
                    self._flush()
                else:
                    # One of many: written one by one, each would cross the network as a packet of its own.
                    self._changed.notify_all()
                self._posted_at = time.monotonic()

    def ask_gauge(self) -> bool:
        """Ask for a sample of the machine's load, unless the line is down; whether it was asked for."""
        with self._changed:
            if self._ready:
                self._out.put(wire.encode_frame(wire.GAUGE))
                self._flush()
            return self._ready

    def hurry(self) -> None:
        """Try again now if the line is down, instead of when its time has come."""
        with self._changed:
            if not self._ready:
                self._hurry = True
                self._changed.notify_all()

    def acknowledge_soon(self) -> None:
        """Acknowledge at once what is home, instead of with the next mebibyte."""
        with self._changed:
            self._ack_now = True
            self._changed.notify()

    def wait_received(self, timeout: float) -> bool:
        """Wait until the agent has confirmed every message posted; not at all while the line is down."""
        with self._changed:
            self._changed.wait_for(lambda: not self._pending or not self._ready, timeout)
            return not self._pending

    def close(self, timeout: float = 5.0) -> None:
        """End the line, not the agent. May be called again, and from a callback."""
        self._disk.give_up()
        with self._changed:
            self._closed = True
            if self._carrier is not None:
                self._carrier.kill()
            self._changed.notify_all()
        for thread in self._threads:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join(timeout)

    # ------------------------------------------------------------------ reading

    def _read(self) -> None:
        down_since: Optional[float] = None
        while not self._is_closed():
            try:
                welcome, problem = self._serve_one()
            except _Over as over:
                with self._changed:
                    self._closed = True
                    self._changed.notify_all()
                self._on_state(over.state, over.detail)
                return
            if self._is_closed():
                return
            down_since = time.monotonic() if welcome or down_since is None else down_since
            self.reconnects += 1
            self._on_state("down", problem)
            self._back_off(time.monotonic() - down_since)

    def _is_closed(self) -> bool:
        with self._changed:
            return self._closed

    def _serve_one(self) -> Tuple[bool, str]:
        """Open one carrier and read it to its end: whether it was welcome, and what it complained about."""
        try:
            carrier, rest = self._opener()
        except AgentGone as gone:
            raise _Over("gone", gone.message) from gone
        except (ProvisionError, OSError) as error:
            return False, str(error)
        try:
            welcome, problem = self._serve(carrier, rest)
            return welcome, problem or carrier.complaint()
        finally:
            with self._changed:
                self._ready, self._carrier = False, None
                self._out.clear()
            carrier.close()

    def _serve(self, carrier: Carrier, data: bytes) -> Tuple[bool, str]:
        """Read one carrier to its end: whether it ever was welcome, and what was wrong with what came."""
        frames = wire.FrameReader(flowing=wire.DATA)
        self._heard_at = time.monotonic()
        self._silence_limit = _SILENCE_LIMIT_S
        with self._changed:
            if self._closed:
                return False, ""
            self._carrier = carrier
        hello = {"client": self.client, "offset": self._journal.end, "role": "holder"}
        hello["boundary"] = self._journal.boundary
        welcome = False
        try:
            carrier.write_all(wire.encode_json_frame(wire.HELLO, hello), time.monotonic() + _SILENCE_LIMIT_S)
            while True:
                for tag, body in frames.feed(data):
                    welcome = self._on_frame(tag, body) or welcome
                self._heard_at = time.monotonic()
                self._listening = True
                data = carrier.read()
                self._listening = False
                if not data:
                    return welcome, ""
                self._silence_limit = _SILENCE_LIMIT_S
        except (OSError, TimeoutError, wire.WireError) as error:
            # Who closes the line or releases the machine breaks it on purpose.
            log.log(logging.INFO if self._is_closed() else logging.WARNING, "the line is given up: %s", error)
            foreign = isinstance(error, wire.WireError)
            return welcome, f"The machine sent what its agent never sends: {error}." if foreign else ""

    def _on_frame(self, tag: bytes, body: Buffer) -> bool:
        """Act on one frame; True for a welcome."""
        if tag == wire.DATA:
            self._disk.write(lambda: self._journal.append(body), lambda: self.is_up)
            self._on_data(body)
            if self._journal.end - self._acked >= _ACK_BYTES:
                self.acknowledge_soon()
        elif tag == wire.RECEIPT:
            with self._changed:
                self._pending.pop(wire.decode_offset(body), None)
                if not self._pending:
                    self._changed.notify_all()
        elif tag == wire.WELCOME:
            self._welcomed(wire.from_json(body))
            return True
        elif tag == wire.GAUGE:
            self.on_gauge(wire.from_json(body))
        elif tag == wire.TROUBLE:
            self._on_state("trouble", str(wire.from_json(body).get("text")))
        elif tag == wire.REFUSAL:
            refusal = wire.from_json(body)
            raise _Over("stopped" if refusal.get("reason") == "stopped" else "gone", "")
        return False

    def _welcomed(self, welcome: Mapping[str, Any]) -> None:
        offset, received = wire.whole(welcome, "offset"), wire.whole(welcome, "up")
        if offset > self._journal.end:
            log.warning("%d bytes are no longer there", offset - self._journal.end)
            self._journal.begin_at(offset)
        elif offset < self._journal.end and offset == self._journal.boundary:
            # That machine went down and lost the end of a record of which we have the beginning.
            self._journal.cut(offset)
            self._acked = min(self._acked, offset)
        elif offset < self._journal.end:
            raise wire.WireError(f"the agent has {offset} bytes, but {self._journal.end} are home")
        self._on_welcome(welcome)
        with self._changed:
            for number in [number for number in self._pending if number <= received]:
                del self._pending[number]
            self._out.clear()
            for frame in self._pending.values():
                self._out.put(*frame)
            self._ready = True
            self._flush()
        self._on_state("up", "")

    def _back_off(self, outage: float) -> None:
        """Wait a tenth of the outage so far; not at all after the machine has slept.

        Doubling would starve a carrier that needs a second to connect and breaks again meanwhile.
        """
        wait = min(_BACKOFF_MAX_S, max(_BACKOFF_MIN_S, _BACKOFF_SHARE * outage)) * random.uniform(0.7, 1.3)
        deadline = time.monotonic() + wait
        with self._changed:
            while not self._closed and not self._hurry and time.monotonic() < deadline:
                self._changed.wait(min(_TICK_S, deadline - time.monotonic()))
            self._hurry = False

    # ------------------------------------------------------------------ writing

    def _flush(self) -> None:
        """Write what the carrier takes now (the lock is held)."""
        try:
            while self._out and self._carrier is not None:
                written = self._carrier.write(self._out.next(_WRITE_BYTES))
                if not written:
                    self._changed.notify()
                    return
                self._out.drop(written)
        except (OSError, ValueError):
            self._ready = False

    def _write(self) -> None:
        looked = time.time()
        while not self._is_closed():
            with self._changed:
                if not (self._ready and (self._out or self._ack_now)):
                    self._changed.wait(self._nap())
                now = time.time()
                if abs(now - looked) > _JUMP_S + _TICK_S:
                    self._woke_up()
                looked = now
                home = self._due_acknowledgement()
            if home is not None:
                self._acknowledge(home)
            with self._changed:
                self._ping()
                self._flush()
                carrier = self._carrier if self._out and self._ready else None
            if carrier is not None:
                carrier.wait_writable(_TICK_S)

    def _nap(self) -> float:
        return _ACK_S / 2 if self._ready and self._journal.end > self._acked else _TICK_S

    def _due_acknowledgement(self) -> Optional[int]:
        """The offset that should be acknowledged now, ``None`` if it can wait."""
        unacked = self._journal.end - self._acked
        due = self._ack_now or unacked >= _ACK_BYTES or time.monotonic() - self._acked_at > _ACK_S
        if not (self._ready and unacked and due):
            return None
        self._ack_now = False
        return self._journal.end

    def _acknowledge(self, end: int) -> None:
        """Have the disk take what is home (without the lock: nobody who posts waits); then say so."""
        try:
            self._journal.sync()
        except OSError as error:
            log.warning("what came is not acknowledged: %s", error)
            return
        with self._changed:
            self._acked, self._acked_at = end, time.monotonic()
            if self._ready:
                self._out.put(wire.encode_offset(wire.ACK, end))

    def _ping(self) -> None:
        """Ask whether anybody is there when it has been silent; give the carrier up when nobody answers."""
        if self._carrier is None or not self._ready or not self._listening:
            # While records are being passed on nobody listens, and silence means nothing.
            return
        now = time.monotonic()
        silent = now - self._heard_at
        if silent > self._silence_limit:
            log.warning("no sign of life for %.0f s", silent)
            self._ready = False
            self._carrier.kill()
        elif silent > min(PING_S, self._silence_limit / 3) and now - self._pinged_at > PING_S / 5:
            self._pinged_at = now
            self._out.put(wire.encode_frame(wire.PING))

    def _woke_up(self) -> None:
        """The clock jumped: this machine slept, or was stopped. The line may be dead without knowing it."""
        self._hurry = True
        if self._carrier is not None and self._ready:
            self._heard_at = self._pinged_at = time.monotonic()
            self._silence_limit = _AFTER_WAKING_S
            self._out.put(wire.encode_frame(wire.PING))
        self._changed.notify_all()


class _Over(Exception):
    """No more will ever come: ``"stopped"`` as somebody wished, or ``"gone"``."""

    def __init__(self, state: str, detail: str) -> None:
        super().__init__(state, detail)
        self.state, self.detail = state, detail
