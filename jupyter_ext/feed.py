"""What has changed, pushed to every browser that listens.

A connection keeps *names* of what has changed, never messages: a set of runs, a set of metrics, a flag
for the leases. What a slow browser has not taken merges into these sets, so memory stays bounded by the
number of runs, and what it gets at last is read from the index at that moment: the newest state.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from . import answers
from .ingest import Report
from .pulses import Told
from .queries import Watch
from .readers import StoreReaders

LEAST_PAUSE_S = 0.12
LONGEST_PAUSE_S = 2.0
LOAD = 3.0
"""The pause is at least this many times what the last push took: we use a quarter of the time at most."""
RETRY_S = 1.0

Send = Callable[[str], Awaitable[None]]
"""Sends one message; returns when it has left for the browser."""


class Gone(Exception):
    """The browser has closed the connection."""


@dataclass
class Pending:
    """Names of what a connection has not been told yet.

    Attributes:
        everything: all runs and all that is watched may have changed.
    """

    runs: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    metrics: set[tuple[str, str]] = field(default_factory=set)
    new_metrics: set[str] = field(default_factory=set)
    leases: bool = False
    pulses: bool = False
    everything: bool = False

    def __bool__(self) -> bool:
        runs = self.runs or self.removed or self.metrics or self.new_metrics
        return bool(runs or self.leases or self.pulses or self.everything)

    def merge(self, other: Pending) -> None:
        """Adds what ``other`` names."""
        self.runs |= other.runs
        self.removed |= other.removed
        self.metrics |= other.metrics
        self.new_metrics |= other.new_metrics
        self.leases |= other.leases
        self.pulses |= other.pulses
        self.everything |= other.everything


@dataclass(frozen=True)
class Sources:
    """Where a feed reads what it tells.

    Attributes:
        leases: the message with all leases.
        pulses: the message with the samples that have not been told, and what has been told with it.
    """

    readers: StoreReaders
    leases: Callable[[], str]
    pulses: Callable[[Told], tuple[str, Told]]


class Connection:
    """One browser that listens: what it watches, and what it has not been told."""

    def __init__(self, sources: Sources, send: Send, log: logging.Logger) -> None:
        self._readers = sources.readers
        self._sources = sources
        self._pulsed: Told = {}
        self._send = send
        self._log = log
        self._pending = Pending()
        self._something = asyncio.Event()
        self._watch = Watch(0, ())
        self._watched: frozenset[tuple[str, str]] = frozenset()

    @property
    def watches_pulses(self) -> bool:
        """Whether it wants to know how busy machines are."""
        return self._watch.pulses

    def watch(self, watch: Watch) -> None:
        """Replaces what is watched; what is pushed from now on carries its id."""
        begins = watch.pulses and not self._watch.pulses
        self._watch = watch
        self._watched = frozenset(
            (run, metric) for one in watch.series for run in one.runs for metric in one.metrics
        )
        if begins:
            self._pulsed = {}
            self.tell(Pending(pulses=True))

    def tell(self, news: Pending) -> None:
        """Notes what has changed; it is sent when the browser has taken what came before."""
        self._pending.merge(news)
        self._pending.metrics &= self._watched
        if self._pending:
            self._something.set()

    async def push(self) -> None:
        """Sends what has changed, until it is cancelled or the browser has gone (:class:`Gone`)."""
        while True:
            await self._something.wait()
            self._something.clear()
            started = time.monotonic()
            pending, self._pending = self._pending, Pending()
            try:
                async for message in self._messages(pending):
                    await self._send(message)
                pause = LEAST_PAUSE_S
            except Gone:
                return
            except Exception:  # noqa: BLE001  the index may be in the middle of being rebuilt: nothing may be lost
                self._log.exception("Trackside: the feed could not read the index; it tries again")
                self.tell(pending)
                pause = RETRY_S
            took = time.monotonic() - started
            await asyncio.sleep(max(pause, min(LOAD * took, LONGEST_PAUSE_S)))

    async def _messages(self, news: Pending) -> AsyncIterator[str]:
        """One message after the other, each read when the one before has been taken."""
        if news.everything:
            yield await self._readers.read(answers.feed_all_runs)
        elif news.runs or news.removed:
            yield await self._readers.read(
                partial(answers.feed_runs, changed=news.runs, removed=news.removed)
            )
        if news.new_metrics:
            yield answers.feed_metrics(news.new_metrics)
        if news.leases:
            yield await asyncio.to_thread(self._sources.leases)
        if news.pulses and self._watch.pulses:
            pulses, self._pulsed = await asyncio.to_thread(self._sources.pulses, self._pulsed)
            yield pulses
        watch = self._watch
        for index, one in enumerate(watch.series):
            if watch is not self._watch:
                # What has changed of this watch is told by way of the one that has replaced it.
                self.tell(Pending(metrics=set(self._watched if news.everything else news.metrics)))
                return
            changed = one.runs if news.everything else one.touched(news.metrics)
            if changed:
                text = await self._readers.read(
                    partial(answers.feed_series, watch=watch.id, index=index, query=one, runs=changed)
                )
                if text is not None:
                    yield text


class Feed:
    """All connections."""

    def __init__(self, sources: Sources, log: logging.Logger) -> None:
        self._sources = sources
        self._log = log
        self._connections: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._connections)

    def connect(self, send: Send) -> Connection:
        """A connection that is told everything from now on."""
        connection = Connection(self._sources, send, self._log)
        self._connections.add(connection)
        return connection

    def disconnect(self, connection: Connection) -> None:
        """Tells it nothing any more."""
        self._connections.discard(connection)

    def on_report(self, report: Report) -> None:
        """The indexing process has said what changed."""
        self._tell(
            Pending(
                runs=set(report.runs),
                removed=set(report.removed),
                metrics=set(report.metrics),
                new_metrics=set(report.new_metrics),
                everything=report.everything,
            )
        )

    @property
    def watches_pulses(self) -> bool:
        """Whether any browser wants to know how busy machines are."""
        return any(connection.watches_pulses for connection in self._connections)

    def on_pulses(self) -> None:
        """There are new samples of the machines' load."""
        self._tell(Pending(pulses=True))

    def on_leases(self) -> None:
        """A lease has come, gone or changed."""
        self._tell(Pending(leases=True))

    def _tell(self, news: Pending) -> None:
        for connection in self._connections:
            connection.tell(news)
