"""The holder of a lease: the one process that keeps its Link, its home journal, and brings its files home."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple

from gpu_provisioner import obituary, typed, wire
from gpu_provisioner.bootstrap import open_carrier
from gpu_provisioner.carrier import Carrier
from gpu_provisioner.errors import BootstrapError, LeaseError, LoginNeeded, ProvisionError
from gpu_provisioner.fate import Fate
from gpu_provisioner.home import HomeJournal, arrival, home_folder
from gpu_provisioner.home_disk import HomeDisk
from gpu_provisioner.home_files import HomeFiles
from gpu_provisioner.incoming import Incoming
from gpu_provisioner.lease_lock import lock_lease
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.link import Link
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.providers import provider_of_lease
from gpu_provisioner.pulse import Pulse
from gpu_provisioner.welcome import Welcome
from gpu_provisioner.wire import Record

_RELEASE_LIMIT_S = 30.0
"""How long silence is believed when a kernel is released, and how long a full disk is."""
_FULL_LIMIT_S = 3.0
_LOOK_S = 0.25
_DELIVERY_LIMIT_S = 2.0

OnRecords = Callable[[List[Record]], None]
OnState = Callable[[str], None]


class Holder:
    """Holds one lease. At most one exists for a lease, in all processes of this machine.

    Args:
        lease: whose agent runs already (see :func:`gpu_provisioner.provisioner.provision`).
        data_dir: the data folder.
        on_records: called in the Link's reading thread with a list of ``(end_offset, channel, parts)``, all
            channels but files; what a former holder was given is not given again.
        on_state: called in a thread of the Link with :attr:`state` when that changes; :attr:`detail` says
            more.
        role: :data:`gpu_provisioner.lease_lock.STAND_IN` for who lets go when somebody else wants the lease.

    :attr:`state` is ``"new"``, ``"up"``, ``"down"`` (it reconnects by itself), ``"gone"`` (the agent has died
    or vanished; nothing more will come), ``"released"`` or ``"detached"``.
    """

    def __init__(
        self,
        lease: Lease,
        data_dir: Path,
        on_records: Optional[OnRecords] = None,
        on_state: Optional[OnState] = None,
        role: str = "",
    ) -> None:
        self.data_dir = Path(data_dir)
        self.state = "new"
        self.detail = ""
        self.down_since: Optional[float] = None
        """``time.time()`` when the line broke; ``None`` while it is up."""
        self.epoch = 0
        self.welcome: Optional[Welcome] = None
        self._on_records = on_records or _ignore
        self._on_state = on_state or _ignore
        self._changed = threading.Condition()
        self._fate = Fate(lease, self.data_dir)
        self._told_to_log_in = False
        self.left_there = ""
        """After :meth:`release`: why the last of what the kernel said did not come, a clause, or ``""``."""
        try:
            self._lock = lock_lease(home_folder(self.data_dir, lease.id), lease, role)
        except OSError as error:
            raise _no_home(self.data_dir, error) from None
        try:
            self._journal = HomeJournal(home_folder(self.data_dir, lease.id))
            self._disk = HomeDisk(self.data_dir, self._say)
            self._files = HomeFiles(self.data_dir, self._journal, self._disk, lambda: self._link.is_up)
            self._incoming = Incoming(self._journal, self._files)
            self._link = Link(
                self._open,
                self._journal,
                self._disk,
                self._on_data,
                self._on_link,
                self._on_welcome,
            )
            self._pulse = Pulse(self._journal.folder, self._link.ask_gauge)
            self._link.on_gauge = self._pulse.take
            self._files.catch_up(self._incoming.position)
        except OSError as error:
            self._lock.close()
            raise _no_home(self.data_dir, error) from None
        except BaseException:
            self._lock.close()
            raise

    # ------------------------------------------------------------------ for callers

    @property
    def lease(self) -> Lease:
        """As it was written down last."""
        return self._fate.lease

    def start(self, timeout: float = 60.0) -> Welcome:
        """Connect, and wait until the kernel can take messages.

        Raises:
            BootstrapError: the agent or the kernel did not come up; the message says why. Not detached.
        """
        self._begin()
        with self._changed:
            done = self._changed.wait_for(self._needs_no_waiting, timeout)
            if self._fate.failure:
                # What has died holds nothing any more that could be given back.
                over = str(typed.again(self.lease)) if self._fate.lost_reason else None
                raise BootstrapError(self._fate.failure, over or typed.release(self.lease))
            if self.state == "detached":
                raise BootstrapError("It was let go of before the kernel was ready.", "try again")
            if not done:
                said = f" {self.detail}" if self.detail else ""
                raise BootstrapError(f"The kernel was not ready within {timeout:.0f} s.{said}", "try again")
            assert self.welcome is not None
            return self.welcome

    def _needs_no_waiting(self) -> bool:
        return self._fate.started or bool(self._fate.failure) or self.state == "detached"

    def keep_line(self) -> None:
        """Connect, again and again if need be, and wait for nothing; for who only brings home what comes."""
        self._begin()

    def _begin(self) -> None:
        self._pulse.line_is("new", None, "")
        self._pulse.start()
        self._link.start()

    def wait_over(self, timeout: float) -> bool:
        """Wait until nothing more will come: whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self.state in ("gone", "released"), timeout)

    def wait_let_go(self, timeout: float) -> bool:
        """Wait until the lease is let go of: whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._lock.closed, timeout)

    @property
    def is_giving_back(self) -> bool:
        """Whether the agent ended of its own accord, and its machine has not gone back yet."""
        return self._fate.gives_back

    def wait_given_back(self, timeout: float) -> None:
        """If the agent ended of its own accord, wait until its machine has gone back as well."""
        with self._changed:
            self._changed.wait_for(lambda: not self._fate.gives_back, timeout)

    @property
    def home_end(self) -> int:
        """Offset up to which the stream is home."""
        return self._journal.end

    def post(self, channel: int, parts: Sequence[wire.Buffer]) -> int:
        """Send a message's parts to the kernel, once, also over broken lines. Any thread; never waits.

        Returns:
            the epoch the message is for. When ``kernel-died`` of that epoch (or a later one) arrives first,
            the message was not or only partly executed, and no other kernel will get it.
        """
        epoch = self.epoch
        self._link.post(wire.record_pieces(channel, parts), epoch)
        return epoch

    def command(self, type: str, **more: Any) -> None:
        """Tell the agent: ``interrupt``, ``restart`` or ``stop`` (``by``). Delivered when the line is up."""
        self._link.post(wire.record_pieces(wire.EVENT, [wire.to_json({"type": type, **more})]), self.epoch)

    def hurry(self) -> None:
        """Somebody has seen to it that there is a way again: try it now if the line is down."""
        self._link.hurry()

    def detach(self) -> None:
        """Let go of the line and the lease; the kernel works on. May be called again.

        What was posted before is delivered first, if the line is up.
        """
        self._pulse.stop()
        self._link.wait_received(_DELIVERY_LIMIT_S)
        self._link.close()
        with self._changed:
            if self._lock.closed:
                return
            self._files.checkpoint(self._incoming.position)
            self._journal.close()
            self._lock.close()
            self._changed.notify_all()
        if self.state not in ("gone", "released"):
            self._set_state("detached")

    def release(self, by: str = "the user") -> Lease:
        """End the kernel and the agent, bring home the rest, give the machine back. May be called again.

        Raises:
            ProviderError: the machine could not be given back and may still cost money.
        """
        if self.state in ("up", "down"):
            self.command("stop", by=by)
            self.left_there = self._wait_for_the_rest()
        self.detach()
        provider_of_lease(self.lease).release(self.lease)
        detail = f"released by {by}" + (f"; {self.left_there}" if self.left_there else "")
        self._fate.lease = LeaseBook(self.data_dir).finish(self.lease.id, LeaseState.RELEASED, detail)
        self._set_state("released")
        return self.lease

    def _wait_for_the_rest(self) -> str:
        """Wait until the agent has said its last, as long as something comes: why not all came, or ``""``."""
        end, grew = self.home_end, time.monotonic()
        while not self.wait_over(_LOOK_S):
            if self.home_end != end:
                end, grew = self.home_end, time.monotonic()
            if self._disk.full_for_s() > _FULL_LIMIT_S:
                return f"{obituary.LEFT}, for the disk of {self.data_dir} is full"
            if time.monotonic() - grew > _RELEASE_LIMIT_S:
                return f"{obituary.LEFT}, for no more of it came within {_RELEASE_LIMIT_S:.0f} s"
        return ""

    # ------------------------------------------------------------------ in the Link's threads

    def _on_welcome(self, message: Mapping[str, Any]) -> None:
        welcome = Welcome.of(message)
        self._incoming.go_on_at(welcome.offset)
        with self._changed:
            self.welcome = welcome
            self.epoch = self.epoch or welcome.epoch
            self._fate.started = self._fate.started or bool(message.get("ready"))
            self._changed.notify_all()

    def _open(self) -> Tuple[Carrier, bytes]:
        """A carrier without any question; that one would be needed is said once, not at every attempt."""
        try:
            opened = open_carrier(self.lease)
        except LoginNeeded as error:
            if not self._told_to_log_in:
                self._told_to_log_in = True
                self._say(f"{error.message} What runs goes on there. Type {error.remedy}.")
            raise
        self._told_to_log_in = False
        return opened

    def _on_link(self, state: str, detail: str) -> None:
        if state == "trouble":
            self._say(detail)
            return
        if state == "gone":
            self._lost(detail)
            detail = self._fate.lost_reason
        elif state == "stopped":
            state, detail = "released", self._fate.released_by
            if detail == obituary.stopped(obituary.TERMINATED):
                self._fate.lose(f"{detail}. Its variables are lost; all it had said is here.")
            if self._fate.gives_back:
                threading.Thread(target=self._give_back, daemon=True, name="trackside-give-back").start()
        self.down_since = None if state == "up" else (self.down_since or time.time())
        self._set_state(state, detail)

    def _set_state(self, state: str, detail: Optional[str] = None) -> None:
        with self._changed:
            changed = state != self.state
            self.state = state
            if detail is not None:
                self.detail = detail
            self._changed.notify_all()
        if changed:
            self._pulse.line_is(state, self.down_since, self.detail if state == "down" else "")
            self._guarded(self._on_state, state)

    def _on_data(self, data: wire.Buffer) -> None:
        batch = self._incoming.take(data)
        if batch is None:
            return
        for event in batch.events:
            self._follow_epoch(event)
        if batch.records:
            self._guarded(self._on_records, batch.records)
        for event in batch.events:
            self._follow_fate(event)
        self._incoming.passed_on()
        if batch.foreign is not None:
            raise batch.foreign

    def _follow_epoch(self, event: Mapping[str, Any]) -> None:
        """What is posted from now on is for the kernel that comes after the one that has died."""
        if event.get("type") == "kernel-started":
            self.epoch = int(event["epoch"])
        elif event.get("type") == "kernel-died":
            self.epoch = int(event["epoch"]) + 1

    def _follow_fate(self, event: Mapping[str, Any]) -> None:
        """Whoever waits in :meth:`start` goes on only after the records have been passed on."""
        with self._changed:
            self._fate.learn(event)
            self._changed.notify_all()
        self._fate.write_down(event)

    def _give_back(self) -> None:
        """The agent has ended of its own accord; its machine goes back as well."""
        try:
            self.release(self._fate.released_by.removeprefix("released by "))
        except ProvisionError as error:
            self._fate.note(error.message)
            self._say(f"{error.message}\nTry: {error.remedy or typed.release(self.lease)}")
        with self._changed:
            self._fate.gives_back = False
            self._changed.notify_all()

    def _lost(self, detail: str) -> None:
        """The agent is gone for good. When it could not say so in the spool, it is said here."""
        if not self._fate.lost_reason:
            end = self._journal.end
            events = self._fate.vanished(detail, self.epoch, arrival(self._journal.folder, end))
            self._guarded(self._on_records, [(end, wire.EVENT, [wire.to_json(event)]) for event in events])
        self._fate.lose(self._fate.lost_reason, only_live=True)
        self._fate.failure = self._fate.lost_reason

    def _say(self, text: str) -> None:
        """A notice of our own, to whoever shows those of the agent."""
        notice = wire.to_json({"type": "notice", "text": text})
        self._guarded(self._on_records, [(self._journal.end, wire.EVENT, [notice])])

    def _guarded(self, callback: Callable[[Any], None], argument: Any) -> None:
        try:
            callback(argument)
        except Exception:  # noqa: BLE001 - see below
            # Another's callback must not end the line; it is shown as what fails in any thread.
            kind, error, where = sys.exc_info()
            threading.excepthook(threading.ExceptHookArgs((kind, error, where, threading.current_thread())))


def _no_home(data_dir: Path, error: OSError) -> LeaseError:
    return LeaseError(
        f"What a kernel says cannot be kept in {data_dir}: {error.strerror}.",
        "make room or make that folder writable, or set TRACKSIDE_DIR to another one",
    )


def _ignore(_: Any) -> None:
    pass
