"""Questions to the store, answered in threads: the server's event loop never waits for a disk."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from kernel_magics.store import Store, open_store

Answer = TypeVar("Answer")


class StoreReaders:
    """A few threads, each with a reading store of its own, opened at its first question.

    The stores never ingest: that is the indexing process's business (:mod:`jupyter_ext.ingest`).

    Args:
        threads: how many questions can be under way at once; more of them queue.
    """

    def __init__(self, data_dir: Path, threads: int = 3) -> None:
        self._data_dir = data_dir
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="trackside-read")
        self._own = threading.local()
        self._opened: list[Store] = []
        self._guard = threading.Lock()

    async def read(self, ask: Callable[[Store], Answer]) -> Answer:
        """What ``ask`` says of the store; it is called in a thread and may take its time."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, ask)

    def close(self) -> None:
        """Ends the threads after the questions under way; can be called again."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        with self._guard:
            opened, self._opened = self._opened, []
        for store in opened:
            store.close()

    def _ask(self, ask: Callable[[Store], Answer]) -> Answer:
        store: Store | None = getattr(self._own, "store", None)
        if store is None:
            store = self._own.store = open_store(self._data_dir, ingest=False)
            with self._guard:
                self._opened.append(store)
        return ask(store)
