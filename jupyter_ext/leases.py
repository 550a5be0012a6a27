"""The leases of the data folder: listed, watched, released."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease

from .encode import array, record
from .errors import UnknownLease

LOOK_S = 0.25
"""Pause between two looks at the folder: a few ``stat`` in a thread, and it works on NFS, where inotify does not."""

Signature = frozenset[tuple[str, int, int, int]]


def public(lease: Lease) -> dict[str, Any]:
    """The lease without ``handle``: that is the provider's own, and may hold the kernel's environment."""
    return {key: value for key, value in lease.to_json().items() if key != "handle"}


class LeaseFolder:
    """The leases as handlers and feed need them; everything that touches the disk happens in threads.

    Args:
        release: ends a lease's machine and writes that down.
        on_change: called on the event loop when a lease has come, gone or changed.
    """

    def __init__(
        self, data_dir: Path, release: Callable[[Lease], object], on_change: Callable[[], None]
    ) -> None:
        self._book = LeaseBook(data_dir)
        self._folder = data_dir / "leases"
        self._release = release
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watches the folder from now on; returns at once, can be called again."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._look())

    async def stop(self) -> None:
        """Watches no more; can be called again."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def listing(self) -> str:
        """``GET leases``."""
        return record(leases=await asyncio.to_thread(self._all))

    def message(self) -> str:
        """The feed's message; called in a thread."""
        return record(type='"leases"', leases=self._all())

    async def release(self, lease_id: str) -> None:
        """``DELETE leases/{id}``; raises :class:`UnknownLease`, or why the machine could not be released."""
        await asyncio.to_thread(self._end, lease_id)

    def _all(self) -> str:
        return array(map(public, self._book.all()))

    def _end(self, lease_id: str) -> None:
        lease = next((one for one in self._book.all() if one.id == lease_id), None)
        if lease is None:
            raise UnknownLease(f"There is no lease {lease_id}; nothing was released.", "trackside leases")
        self._release(lease)

    async def _look(self) -> None:
        seen: Signature = frozenset()  # so the first look tells of what came before it
        while True:
            now = await asyncio.to_thread(self._signature)
            if now != seen:
                seen = now
                self._on_change()
            await asyncio.sleep(LOOK_S)

    def _signature(self) -> Signature:
        """Of each lease file its name and what changes when it is replaced."""
        found = []
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(".json"):
                    with suppress(OSError):  # replaced between the two calls: the next look sees it
                        facts = entry.stat()
                        found.append((entry.name, facts.st_ino, facts.st_mtime_ns, facts.st_size))
        return frozenset(found)
