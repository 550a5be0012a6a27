"""What the handlers work with, and how it starts and stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kernel_magics import paths
from kernel_magics.tracking import aftermath

from .answers import API, JOURNAL
from .deaths import KernelDeaths
from .feed import Feed, Sources
from .ingest import IngestChild, Report
from .leases import LeaseFolder
from .offer_desk import OfferDesk
from .readers import StoreReaders
from .replay import Replays
from .sessions import open_sessions
from .stand_ins import StandIns


@dataclass(frozen=True)
class Services:
    """The parts, put together for one data folder."""

    version: str
    data_dir: Path
    readers: StoreReaders
    leases: LeaseFolder
    offers: OfferDesk
    feed: Feed
    ingest: IngestChild
    deaths: KernelDeaths
    replays: Replays
    stand_ins: StandIns
    pushing: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    def for_server(cls, serverapp: Any, log: logging.Logger) -> Services:
        """The parts for the data folder of the user who runs this server."""
        data_dir = paths.data_dir()
        readers = StoreReaders(data_dir)
        sources = Sources(readers, lambda: leases.message(), lambda told: leases.pulses.message(told))
        feed = Feed(sources, log)
        leases = LeaseFolder(data_dir, feed.on_leases, feed, log)
        replays = Replays(data_dir, readers, open_sessions, log)

        def on_report(report: Report) -> None:
            feed.on_report(report)
            replays.on_report(report)

        ingest = IngestChild(data_dir, on_report, log)
        deaths = KernelDeaths(
            serverapp.kernel_manager, lambda report: aftermath.close_runs(data_dir, report), log
        )
        return cls(
            *(version("trackside"), data_dir, readers, leases, OfferDesk(data_dir), feed, ingest, deaths),
            replays=replays,
            stand_ins=StandIns(data_dir, log),
        )

    def start(self) -> None:
        """Starts what runs beside the requests, unless that has been done; returns at once."""
        self.ingest.start()
        self.leases.start()
        self.stand_ins.start()

    def push(self, sending: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Sends to a browser beside the requests, until that is done, cancelled, or the server stops."""
        task = asyncio.create_task(sending)
        self.pushing.add(task)
        task.add_done_callback(self.pushing.discard)
        return task

    async def stop(self) -> None:
        """Ends all that was started; can be called again."""
        for task in self.pushing:  # browsers may listen to the last: nobody closes their sockets
            task.cancel()
        await asyncio.gather(*self.pushing, return_exceptions=True)
        await self.deaths.finish()
        await self.leases.stop()
        await self.stand_ins.stop()
        await self.replays.stop()
        await self.ingest.stop()
        self.readers.close()

    def info(self, read_only: bool) -> dict[str, Any]:
        """``GET info``."""
        return {
            "version": self.version,
            "api": API,
            "journal": JOURNAL,
            "data_dir": str(self.data_dir),
            "read_only": read_only,
            "index": self.ingest.state.to_json(),
        }
