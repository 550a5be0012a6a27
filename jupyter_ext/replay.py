"""Outputs come back to a page that was not there: its cells are announced, and those it wants are played.

The page says which notebook it shows (``follow``). It is told of every cell that the notebook, as it was
saved, cannot have, and whether the page that ran it is still open. What it then asks for (``want``) is sent
from the place it names, and goes on as it comes. A position is a byte offset in the record, so that after a
broken connection nothing is missing and nothing comes twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from kernel_magics.store import Store

from .encode import dumps
from .feed import Gone
from .ingest import Report
from .readers import StoreReaders
from .replay_cell import Cell, Page, Part, Shown
from .replay_runs import RunSource
from .replay_streams import HomeStreams, StreamSource

LOOK_S = 0.1
"""Pause between two looks at the streams and the open pages, while a page is listening."""
IDLE_LOOK_S = 0.3
"""The same while no kernel of ours runs elsewhere."""
PORTION = 512 * 1024
"""Characters of one message to the browser, about."""

Send = Callable[[str], Awaitable[None]]
OpenSessions = Callable[[], frozenset[str]]
"""The front-end sessions whose page is connected to a kernel now."""


class Replay:
    """What one page is told, and what it was told already. All but :meth:`wake` is called by one task."""

    def __init__(self, page: Page, streams: HomeStreams, sessions: OpenSessions) -> None:
        self._sessions = sessions
        self._streams = StreamSource(streams, page)
        self._runs = RunSource(page)
        self._told: dict[str, tuple[Cell, bool]] = {}
        self._wanted: dict[str, int | None] = {}
        self._something = asyncio.Event()
        self._something.set()

    def wake(self, report: Report | None = None) -> None:
        """Something may have come."""
        if report is not None:
            self._runs.tell(report)
        self._something.set()

    @property
    def leases(self) -> frozenset[str]:
        """Ids of the leases whose cells the page may show."""
        return self._streams.leases

    def want(self, key: str, after: int | None) -> None:
        """The page has made room for a cell's outputs; it has them up to ``after`` (``None``: nothing)."""
        if key in self._told:
            self._wanted[key] = after
            self._something.set()

    async def push(self, readers: StoreReaders, send: Send) -> None:
        """Sends what has come, until it is cancelled or the browser has gone.

        Raises:
            TracksideError, OSError: the record cannot be read now. The page may begin anew, where it stood.
        """
        while True:
            await self._something.wait()
            self._something.clear()
            sessions, wanted = self._sessions(), self._wanted
            self._wanted = {}
            try:
                for message in await readers.read(partial(self._look, sessions=sessions, wanted=wanted)):
                    await send(message)
            except Gone:
                return
            await asyncio.sleep(LOOK_S / 2)

    def _look(self, store: Store, sessions: frozenset[str], wanted: dict[str, int | None]) -> list[str]:
        """Messages for the page: new cells, then outputs, then what has become of cells it knows."""
        current = self._current(store)
        fresh = [cell for cell in current if cell.key not in self._told]
        known = [cell for cell in current if cell.key in self._told]
        messages = [*self._announced(fresh, sessions)]
        for part in [*self._streams.news(), *self._runs.news(store)]:
            messages += _portions(part)
        for part in self._follow(store, wanted):
            messages += _portions(part)
        return [*messages, *self._announced(known, sessions)]

    def _current(self, store: Store) -> list[Cell]:
        """Of each cell the last execution."""
        remote = self._streams.cells()
        local = [cell for cell in self._runs.cells(store) if not self._streams.has(cell.key)]
        return list({cell.cell_id: cell for cell in [*local, *remote]}.values())

    def _follow(self, store: Store, wanted: Mapping[str, int | None]) -> Iterator[Part]:
        remote = {key: after for key, after in wanted.items() if self._streams.has(key)}
        yield from self._streams.follow(remote)
        for key in wanted.keys() - remote.keys():
            yield from self._runs.follow(store, key, wanted[key])

    def _announced(self, cells: Iterable[Cell], sessions: frozenset[str]) -> Iterator[str]:
        for cell in cells:
            is_open = cell.session in sessions
            if self._told.get(cell.key) != (cell, is_open):
                self._told[cell.key] = cell, is_open
                yield dumps(
                    {
                        "type": "cell",
                        "key": cell.key,
                        "cell_id": cell.cell_id,
                        "session": cell.session,
                        "open": is_open,
                        "running": cell.running,
                        "execution_count": cell.execution_count,
                    }
                )


class Replays:
    """All pages that listen.

    Args:
        sessions: the front-end sessions whose page is open.
    """

    def __init__(
        self, data_dir: Path, readers: StoreReaders, sessions: OpenSessions, log: logging.Logger
    ) -> None:
        self.readers = readers
        self._streams = HomeStreams(data_dir)
        self._sessions = sessions
        self._log = log
        self._replays: set[Replay] = set()
        self._looking: asyncio.Task[None] | None = None

    async def play(self, page: Page, send: Send, replay_made: Callable[[Replay], None]) -> None:
        """Tells a page what concerns it; returns when the browser has gone, or should begin anew."""
        replay = Replay(page, self._streams, self._sessions)
        replay_made(replay)
        self._replays.add(replay)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            await replay.push(self.readers, send)
        except Exception:  # noqa: BLE001  the index may be in the middle of being rebuilt; the page begins anew
            self._log.exception("Trackside: outputs could not be read for a page")
        finally:
            self._replays.discard(replay)

    def on_report(self, report: Report) -> None:
        """The indexing process has said what changed."""
        for replay in self._replays:
            replay.wake(report)

    async def stop(self) -> None:
        """Tells nobody anything any more; can be called again."""
        self._replays.clear()
        if self._looking is not None:
            await self._looking

    async def _look(self) -> None:
        """Wakes all pages when something has come home, or a page has come or gone."""
        seen: Any = None
        shown: frozenset[str] = frozenset()
        while self._replays or shown:
            wanted = frozenset[str]().union(*(replay.leases for replay in self._replays))
            try:
                now = await asyncio.to_thread(self._streams.sizes), self._sessions()
                await asyncio.to_thread(self._streams.note_pages, shown, wanted)
                shown = wanted
            except Exception:  # noqa: BLE001  whatever a disk may say: the pages go on listening
                self._log.exception("Trackside: it could not be seen whether outputs have come home")
                now, shown = None, shown if self._replays else frozenset()
            if now != seen:
                seen = now
                for replay in self._replays:
                    replay.wake()
            await asyncio.sleep(LOOK_S if now and now[0] else IDLE_LOOK_S)


def _portions(part: Part) -> Iterator[str]:
    """A part as messages to the browser; only the last of them carries the position."""
    waiting: list[Shown] = []
    size = 0
    for message in part.messages:
        waiting.append(message)
        size += len(dumps(message[1]))
        if size > PORTION:
            yield _output(part.key, None, waiting)
            waiting, size = [], 0
    yield _output(part.key, part.position, waiting)


def _output(key: str, position: int | None, messages: list[Shown]) -> str:
    return dumps({"type": "output", "key": key, "position": position, "messages": messages})
