"""The holder of a lease: the one process that keeps its Link, its home journal, and brings its files home."""

from __future__ import annotations

import logging
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from gpu_provisioner import obituary, wire
from gpu_provisioner.bootstrap import open_carrier
from gpu_provisioner.carrier import Carrier
from gpu_provisioner.errors import BootstrapError, LeaseError, LoginNeeded, ProvisionError
from gpu_provisioner.home import HomeJournal, arrival, home_folder
from gpu_provisioner.home_disk import HomeDisk
from gpu_provisioner.home_files import HomeFiles
from gpu_provisioner.lease_lock import lock_lease
from gpu_provisioner.leases import LIVE, LeaseBook
from gpu_provisioner.link import Link
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.providers import provider_of_lease
from gpu_provisioner.pulse import Pulse
from gpu_provisioner.wire import Record

_RELEASE_LIMIT_S = 30.0
"""How long silence is believed when a kernel is released, and how long a full disk is."""
_FULL_LIMIT_S = 3.0
_LOOK_S = 0.25
_DELIVERY_LIMIT_S = 2.0

log = logging.getLogger("trackside.holder")

OnRecords = Callable[[List[Record]], None]
OnState = Callable[[str], None]


@dataclass(frozen=True)
class Welcome:
    """What the agent said when the line came up.

    Attributes:
        epoch: number of the kernel, from 1; each restart or death begins another.
        offset, end: spool offsets in bytes: where this connection resumed, and how far the spool reached.
        pid: of the remote kernel, ``None`` when none runs.
        machine: ``host``, ``python``, ``executable``, ``platform``, ``cores``, ``gpus``, ``folder``.
    """

    epoch: int
    offset: int
    end: int
    pid: Optional[int]
    machine: Mapping[str, Any] = field(default_factory=dict)


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
        self.lease = lease
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
        self._started = False
        self._failure = ""
        self._lost_reason = ""
        self._released_by = ""
        self._gives_back = False
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
            boundary, part = self._journal.unfinished()
            self._reader = wire.RecordReader(boundary)
            self._reader.feed(part)
            self._journal.boundary, self._fed = boundary, boundary + len(part)
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
            self._files.catch_up(boundary)
        except OSError as error:
            self._lock.close()
            raise _no_home(self.data_dir, error) from None
        except BaseException:
            self._lock.close()
            raise

    # ------------------------------------------------------------------ for callers

    def start(self, timeout: float = 60.0) -> Welcome:
        """Connect, and wait until the kernel can take messages.

        Raises:
            BootstrapError: the agent or the kernel did not come up; the message says why. Not detached.
        """
        self._begin()
        with self._changed:
            done = self._changed.wait_for(self._needs_no_waiting, timeout)
            if self._failure:
                # What has died holds nothing any more that could be given back.
                over = f"%gpu_provision {self.lease.spec}" if self._lost_reason else None
                raise BootstrapError(self._failure, over or f"%gpu_release {self.lease.name}")
            if self.state == "detached":
                raise BootstrapError("It was let go of before the kernel was ready.", "try again")
            if not done:
                said = f" {self.detail}" if self.detail else ""
                raise BootstrapError(f"The kernel was not ready within {timeout:.0f} s.{said}", "try again")
            assert self.welcome is not None
            return self.welcome

    def _needs_no_waiting(self) -> bool:
        return self._started or bool(self._failure) or self.state == "detached"

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
        return self._gives_back

    def wait_given_back(self, timeout: float) -> None:
        """If the agent ended of its own accord, wait until its machine has gone back as well."""
        with self._changed:
            self._changed.wait_for(lambda: not self._gives_back, timeout)

    @property
    def home_end(self) -> int:
        """Offset up to which the stream is home."""
        return self._journal.end

    def post(self, channel: int, parts: Sequence[bytes]) -> int:
        """Send a message's parts to the kernel, once, also over broken lines. Any thread; never waits.

        Returns:
            the epoch the message is for. When ``kernel-died`` of that epoch (or a later one) arrives first,
            the message was not or only partly executed, and no other kernel will get it.
        """
        epoch = self.epoch
        self._link.post(wire.encode_record(channel, parts), epoch)
        return epoch

    def command(self, type: str, **more: Any) -> None:
        """Tell the agent: ``interrupt``, ``restart`` or ``stop`` (``by``). Delivered when the line is up."""
        self._link.post(wire.encode_record(wire.EVENT, [wire.to_json({"type": type, **more})]), self.epoch)

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
            self._files.checkpoint(self._reader.position)
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
        self.lease = LeaseBook(self.data_dir).finish(self.lease.id, LeaseState.RELEASED, detail)
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
        pid, machine = message.get("pid"), message.get("machine")
        welcome = Welcome(
            epoch=wire.whole(message, "epoch"),
            offset=wire.whole(message, "offset"),
            end=wire.whole(message, "end"),
            pid=pid if isinstance(pid, int) else None,
            machine=machine if isinstance(machine, dict) else {},
        )
        if welcome.offset != self._fed:  # the stream goes on elsewhere, with a whole record
            self._fed = welcome.offset
            self._reader = wire.RecordReader(self._fed)
        with self._changed:
            self.welcome = welcome
            self.epoch = self.epoch or welcome.epoch
            self._started = self._started or bool(message.get("ready"))
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
            detail = self._lost_reason
        elif state == "stopped":
            state, detail = "released", self._released_by
            if self._released_by == obituary.stopped(obituary.TERMINATED):
                self._finish_lease(f"{self._released_by}. Its variables are lost; all it had said is here.")
            if self._gives_back:
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

    def _on_data(self, data: bytes) -> None:
        records = self._reader.feed(data)
        self._fed += len(data)
        self._journal.boundary = self._reader.position
        if not records:
            return
        passed: List[Record] = []
        events: List[Dict[str, Any]] = []
        foreign: Optional[wire.WireError] = None
        for record in records:
            if record[1] == wire.FILE:
                self._files.apply(record)
                continue
            try:
                if record[1] == wire.EVENT:
                    events.append(wire.event_of(record[2]))
            except wire.WireError as error:
                foreign = error  # what stands beside it is no less true
            else:
                passed.append(record)
        for event in events:
            self._follow_epoch(event)
        if passed:
            self._guarded(self._on_records, passed)
        for event in events:
            self._follow_lease(event)
        self._files.passed(self._reader.position)
        if foreign is not None:
            raise foreign

    def _follow_epoch(self, event: Mapping[str, Any]) -> None:
        """What is posted from now on is for the kernel that comes after the one that has died."""
        if event.get("type") == "kernel-started":
            self.epoch = int(event["epoch"])
        elif event.get("type") == "kernel-died":
            self.epoch = int(event["epoch"]) + 1

    def _follow_lease(self, event: Mapping[str, Any]) -> None:
        """Whoever waits in :meth:`start` goes on only after the records have been passed on."""
        kind = event.get("type")
        with self._changed:
            if kind == "kernel-started":
                self._started = True
            elif kind == "kernel-died" and not self._started:
                self._failure = f"The kernel ended before it was ready: {event.get('reason')}."
            elif kind == "agent-died":
                self._lost_reason = obituary.told_by_heir(event)
            elif kind == "stopping":
                self._released_by = obituary.stopped(event.get("by"))
                self._gives_back = bool(event.get("release"))
            self._changed.notify_all()
        if kind == "agent-died":
            self._finish_lease(self._lost_reason)
        elif kind in ("idle-warning", "idle-over"):
            self._note_in_lease(str(event.get("text")) if kind == "idle-warning" else "")

    def _note_in_lease(self, text: str) -> None:
        """For the panel and ``%gpu_status``: between two cells there is no output to show it in."""
        try:
            self.lease = LeaseBook(self.data_dir).update(self.lease.id, detail=text)
        except ProvisionError as error:
            log.warning("%s", error)

    def _give_back(self) -> None:
        """The agent has ended of its own accord; its machine goes back as well."""
        try:
            self.release(self._released_by.removeprefix("released by "))
        except ProvisionError as error:
            self._note_in_lease(error.message)
            self._say(f"{error.message}\nTry: {error.remedy or f'%gpu_release {self.lease.name}'}")
        with self._changed:
            self._gives_back = False
            self._changed.notify_all()

    def _lost(self, detail: str) -> None:
        """The agent is gone for good. When it could not say so in the spool, it is said here."""
        if not self._lost_reason:
            self._lost_reason = obituary.vanished(detail, arrival(self._journal.folder, self._journal.end))
            facts: Dict[str, Any] = {
                "epoch": self.epoch,
                "returncode": None,
                "signal": None,
                "reason": detail,
            }
            events = [
                {"type": "kernel-died", **facts},
                {"type": "agent-died", "reason": detail, "time": None, "told": self._lost_reason},
            ]
            end = self._journal.end
            self._guarded(self._on_records, [(end, wire.EVENT, [wire.to_json(event)]) for event in events])
        self._finish_lease(self._lost_reason, only_live=True)
        self._failure = self._lost_reason

    def _say(self, text: str) -> None:
        """A notice of our own, to whoever shows those of the agent."""
        notice = wire.to_json({"type": "notice", "text": text})
        self._guarded(self._on_records, [(self._journal.end, wire.EVENT, [notice])])

    def _finish_lease(self, why: str, only_live: bool = False) -> None:
        """``only_live``: of one that is over already it is known better why."""
        try:
            book = LeaseBook(self.data_dir)
            if not only_live or book.load(self.lease.id).state in LIVE:
                book.finish(self.lease.id, LeaseState.LOST, why)
        except ProvisionError as error:
            # A full disk; whoever looks at the leases next finds out by himself.
            log.warning("%s", error)

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
