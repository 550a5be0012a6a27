"""The server stands in for notebooks whose kernel is gone: what their remote kernels say keeps coming home.

A lease that nobody holds for a moment is held here: the same line, the same home journal, the same files.
Whoever wants to work with it (``%gpu_attach``, a release) asks, and gets it at once.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from gpu_provisioner import wire
from gpu_provisioner.absence import note_absence
from gpu_provisioner.errors import ProvisionError
from gpu_provisioner.holder import Holder
from gpu_provisioner.home import home_folder
from gpu_provisioner.lease_lock import STAND_IN, is_held, is_held_elsewhere, is_wanted
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.wire import Record
from jupyter_ext.repeated import Repeated

LOOK_S = 1.0
"""Pause between two looks at the leases."""
YIELD_S = 0.05
"""The same while a lease is held here: whoever wants it waits no longer."""
GIVE_BACK_LIMIT_S = 10.0
"""So long the server's end waits for a machine that is being given back."""
PATIENCE_S = 2.0
"""A lease is taken when nobody has held it for so long: between two holders there is a moment."""


class StandIn:
    """Holds one lease for whoever comes. What it brings home is in the lease's stream."""

    def __init__(self, lease: Lease, data_dir: Path) -> None:
        self._folder = home_folder(data_dir, lease.id)
        self._handed_over = threading.Event()
        self._joined_at: int | None = None
        self._holder = Holder(lease, data_dir, self._on_records, role=STAND_IN)
        try:
            note_absence(self._folder, self._holder.home_end)
        except OSError:
            self._holder.detach()
            raise
        self._holder.keep_line()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing to hold any more, or somebody else wants it."""
        state = self._holder.state
        ended = state == "gone" or (state == "released" and not self._holder.is_giving_back)
        return ended or self.was_given_away or is_wanted(self._folder)

    @property
    def was_given_away(self) -> bool:
        """Whether somebody of another machine has taken it; he would lose it if it were taken back."""
        return self._handed_over.is_set()

    def let_go(self) -> None:
        """The kernel goes on; nobody holds its lease. May be called again."""
        self._holder.detach()

    def finish(self) -> None:
        """As :meth:`let_go`, for a process that ends: first the machine of an agent that ended of its own
        accord goes back, which may cost money, and which nobody else would think of before he looks."""
        self._holder.wait_given_back(GIVE_BACK_LIMIT_S)
        self.let_go()

    def _on_records(self, records: Sequence[Record]) -> None:
        if self._joined_at is None:
            if self._holder.welcome is None:
                return  # it was gone before it ever answered: nothing here is for who comes later
            self._joined_at = self._holder.welcome.end
        for end, channel, parts in records:
            if channel == wire.EVENT and end > self._joined_at:  # what came before was for a former holder
                with suppress(wire.WireError):
                    if wire.from_json(parts[0]).get("type") == "hand-over":
                        self._handed_over.set()


class StandIns:
    """Takes over what nobody holds, for as long as the server runs."""

    def __init__(self, data_dir: Path, log: logging.Logger, patience_s: float = PATIENCE_S) -> None:
        self._data_dir, self._log, self._patience_s = data_dir, log, patience_s
        self._book = LeaseBook(data_dir)
        self._held: dict[str, StandIn] = {}
        self._alone_since: dict[str, float] = {}
        self._given_away: set[str] = set()
        self._troubles: dict[str, str] = {}
        """What was said last of a lease that cannot be held."""
        self._watch = Repeated(self._look)

    def start(self) -> None:
        """Looks after the leases from now on; returns at once, can be called again."""
        self._watch.start()

    async def stop(self) -> None:
        """Lets go of everything; can be called again."""
        await self._watch.stop()
        held, self._held = list(self._held.values()), {}
        await asyncio.gather(*(asyncio.to_thread(one.finish) for one in held))

    async def _look(self) -> None:
        looked = -LOOK_S
        while True:
            await self._let_go_of_what_is_over()
            if time.monotonic() - looked >= LOOK_S:
                looked = time.monotonic()
                for lease in await asyncio.to_thread(self._alone):
                    await self._take(lease)
            await asyncio.sleep(YIELD_S if self._held else LOOK_S)

    async def _let_go_of_what_is_over(self) -> None:
        for lease_id, one in list(self._held.items()):
            if one.is_over:
                del self._held[lease_id]
                if one.was_given_away:
                    self._given_away.add(lease_id)
                await asyncio.to_thread(one.let_go)

    async def _take(self, lease: Lease) -> None:
        taking = asyncio.ensure_future(asyncio.to_thread(StandIn, lease, self._data_dir))
        try:
            self._held[lease.id] = await asyncio.shield(taking)
        except asyncio.CancelledError:
            with suppress(Exception):
                self._held[lease.id] = await taking  # so that it is let go of
            raise
        except ProvisionError as error:  # somebody was quicker, or the disk takes nothing; it is tried again
            if self._is_news(lease, error):
                self._log.warning("Trackside: the lease %s is not held here: %s", lease.id, error.message)
        except Exception as error:  # noqa: BLE001  whatever is wrong with one lease, the others are looked after
            if self._is_news(lease, error):
                self._log.exception("Trackside: the lease %s cannot be held here", lease.id)

    def _is_news(self, lease: Lease, error: Exception) -> bool:
        """Whether this is another trouble of the lease than the one before: it is tried again each second."""
        before = self._troubles.get(lease.id)
        self._troubles[lease.id] = repr(error)
        return before != repr(error)

    def _alone(self) -> list[Lease]:
        """Leases that nobody has held for a while."""
        now = time.monotonic()
        alone = {lease.id: lease for lease in self._ready() if self._is_alone(lease)}
        self._alone_since = {each: self._alone_since.get(each, now) for each in alone}
        return [lease for each, lease in alone.items() if now - self._alone_since[each] >= self._patience_s]

    def _ready(self) -> list[Lease]:
        try:
            return [lease for lease in self._book.live() if lease.state == LeaseState.READY]
        except OSError:
            return []

    def _is_alone(self, lease: Lease) -> bool:
        folder = home_folder(self._data_dir, lease.id)
        if lease.id in self._held or is_held_elsewhere(folder) or is_wanted(folder):
            return False
        if is_held(folder):
            self._given_away.discard(lease.id)  # it is of this machine again
            return False
        return lease.id not in self._given_away
