"""An index that answers: brought up to date, built anew when it is damaged, waited for while another process
does that."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection
from pathlib import Path

from kernel_magics import paths
from kernel_magics.errors import UnknownRun
from kernel_magics.model import is_run_id

from .index import Index
from .mending import Answer, ask, mended

REBUILD_S = 10.0
"""How long a question about a recorded run waits for an index that is being built anew."""
_POLL_S = 0.02


class CurrentIndex:
    """Asks an index on behalf of a store."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._incomplete = False

    @property
    def data_dir(self) -> Path:
        """The data folder."""
        return self._index.data_dir

    def close(self) -> None:
        """Lets go of the index; it opens again with the next question."""
        self._index.close()

    def catch_up(self, run_ids: Collection[str] | None, limit_s: float | None) -> None:
        """Ingests what is new (of these runs), for about so many seconds; the rest is done when it is asked
        for."""
        left = mended(self._index, lambda: self._index.catch_up(run_ids, limit_s))
        if run_ids is None:
            self._incomplete = left > 0

    def behind_bytes(self) -> int:
        """Bytes of journals that the index does not have yet."""
        return mended(self._index, self._index.behind)

    def rebuild(self) -> None:
        """Builds the index anew from the journals."""
        self._index.rebuild()
        self._incomplete = False

    def ask(self, question: Callable[[sqlite3.Connection], Answer], run_ids: Collection[str] = ()) -> Answer:
        """The answer to a question about these runs, from one view of the index.

        Raises:
            UnknownRun: the question does, and no journal of such a run is there.
        """
        if self._incomplete and run_ids:
            mended(self._index, lambda: self._index.catch_up(run_ids))
        try:
            return ask(self._index, question)
        except UnknownRun:
            if not self._are_recorded(run_ids):
                raise
        return self._ask_patiently(question, run_ids)

    def _ask_patiently(
        self, question: Callable[[sqlite3.Connection], Answer], run_ids: Collection[str]
    ) -> Answer:
        """The journals are there and the index is without them: it is being built anew at this moment."""
        until = time.monotonic() + REBUILD_S
        while True:
            mended(self._index, lambda: self._index.catch_up(run_ids))
            try:
                return ask(self._index, question)
            except UnknownRun:
                if time.monotonic() > until:
                    raise
            time.sleep(_POLL_S)

    def _are_recorded(self, run_ids: Collection[str]) -> bool:
        folders = [paths.runs_dir(self.data_dir) / run_id for run_id in run_ids if is_run_id(run_id)]
        return len(folders) == len(run_ids) > 0 and all(any(folder.glob("*.journal")) for folder in folders)
