"""The leases of the data folder: listed, watched, released."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from gpu_provisioner import provisioner
from gpu_provisioner.agent_log import read_log
from gpu_provisioner.errors import LeaseError
from gpu_provisioner.home import home_folder
from gpu_provisioner.lease_lock import HOLDER_NOTE, is_worked_with
from gpu_provisioner.leases import LIVE, LeaseBook
from gpu_provisioner.model import Lease
from gpu_provisioner.pulse import LINE_NOTE
from jupyter_ext.repeated import Repeated

from .encode import array, dumps, record
from .errors import UnknownLease
from .pulses import Pulses, link_of

LOOK_S = 0.25
"""Pause between two looks at the folder: a few ``stat`` in a thread. Works on NFS, where inotify does not."""

ASK_S = 10.0
"""Pause between two times that the providers are asked what has become of the live leases."""


class Watchers(Protocol):
    """Who looks at the load of machines (:class:`jupyter_ext.feed.Feed`)."""

    @property
    def watches_pulses(self) -> bool: ...

    def on_pulses(self) -> None: ...


Signature = frozenset[tuple[str, int, int, int]]


def public(lease: Lease, data_dir: Path) -> dict[str, Any]:
    """The lease as the panel may see it.

    Without ``handle``: that is the provider's own, and may hold the kernel's environment. With ``kernel_id``
    only while a notebook holds it: one whose kernel was restarted has the same id, and its cells run here.
    ``link``: see :func:`jupyter_ext.pulses.link_of`; ``None`` when it is over.
    """
    shown = {key: value for key, value in lease.to_json().items() if key != "handle"}
    shown["link"] = link_of(data_dir, lease.id) if lease.state in LIVE else None
    return shown if is_worked_with(home_folder(data_dir, lease.id)) else {**shown, "kernel_id": None}


class LeaseFolder:
    """The leases as handlers and feed need them; everything that touches the disk happens in threads.

    Args:
        on_change: called on the event loop when a lease has come, gone or changed.
        watchers: who looks at the machines' load; told when there is more of it.
    """

    def __init__(
        self, data_dir: Path, on_change: Callable[[], None], watchers: Watchers, log: logging.Logger
    ) -> None:
        self.pulses = Pulses(data_dir, lambda: [lease.id for lease in self._live])
        self._live: list[Lease] = []
        self._watchers = watchers
        self._log = log
        self._data_dir = data_dir
        self._book = LeaseBook(data_dir)
        self._on_change = on_change
        self._asked = -ASK_S
        self._asked_each: dict[str, float] = {}
        self._watch = Repeated(self._look)

    def start(self) -> None:
        """Watches the folder from now on; returns at once, can be called again."""
        self._watch.start()

    async def stop(self) -> None:
        """Watches no more; can be called again."""
        await self._watch.stop()

    async def listing(self) -> str:
        """``GET leases``."""
        await asyncio.to_thread(self._ask_providers)
        return record(leases=await asyncio.to_thread(self._all))

    def message(self) -> str:
        """The feed's message; called in a thread."""
        return record(type='"leases"', leases=self._all())

    async def release(self, lease_id: str) -> None:
        """``DELETE leases/{id}``; raises :class:`UnknownLease`, or why the machine could not be released."""
        await asyncio.to_thread(self._end, lease_id)

    async def log(self, lease_id: str, name: str, offset: int | None) -> str:
        """``GET leases/{id}/log``; raises :class:`UnknownLease`, or why the machine could not be asked."""
        lease = await asyncio.to_thread(self._find, lease_id)
        return dumps(asdict(await asyncio.to_thread(read_log, lease, name, offset)))

    def _all(self) -> str:
        return array(public(lease, self._data_dir) for lease in self._book.all())

    def _end(self, lease_id: str) -> None:
        lease = self._find(lease_id)
        provisioner.release(lease, self._data_dir, by="the user, from JupyterLab")

    def _find(self, lease_id: str) -> Lease:
        lease = next((one for one in self._book.all() if one.id == lease_id), None)
        if lease is None:
            raise UnknownLease(f"There is no lease {lease_id}; nothing was done.", "trackside leases")
        return lease

    def _ask_providers(self) -> None:
        """Lets the providers say which live leases have been lost; they write it into the lease files."""
        if time.monotonic() - self._asked < ASK_S:
            return
        self._asked = time.monotonic()
        try:
            provisioner.refresh(self._book, self._asked_each)
        except LeaseError as error:
            self._log.warning("Trackside: leases are shown as they were last written down: %s", error.message)
        except Exception:  # noqa: BLE001  a provider from elsewhere; the leases are shown all the same
            self._log.exception("Trackside: a provider failed to say what has become of its leases")

    async def _look(self) -> None:
        seen: Signature = frozenset()  # so the first look tells of what came before it
        while True:
            now = await asyncio.to_thread(self._signature)
            if now != seen:
                seen = now
                self._live = await asyncio.to_thread(self._book.live)
                self._on_change()
            if self._live and self._watchers.watches_pulses and await asyncio.to_thread(self.pulses.look):
                self._watchers.on_pulses()
            if now:
                await asyncio.to_thread(self._ask_providers)
            await asyncio.sleep(LOOK_S)

    def _signature(self) -> Signature:
        """Of each lease file and of each note of who holds one: its path, and what changes with it."""
        found = []
        with suppress(OSError), os.scandir(self._data_dir / "leases") as entries:
            for entry in entries:
                if entry.name.endswith(".json"):
                    home = home_folder(self._data_dir, Path(entry.name).stem)
                    for path in (Path(entry.path), home / HOLDER_NOTE, home / LINE_NOTE):
                        with suppress(OSError):  # replaced between the two calls, or nobody holds it
                            facts = path.stat()
                            found.append((str(path), facts.st_ino, facts.st_mtime_ns, facts.st_size))
        return frozenset(found)
