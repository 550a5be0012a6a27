"""``python -m kernel_magics.store.follow DATA_DIR``: keeps the index up to date, and says what has changed.

One JSON object a line on stdout, after each transaction::

    {"runs": ["20261122-…"], "metrics": [["20261122-…", "loss"]], "new_metrics": [], "removed": [],
    "behind_bytes": 0}

The first line comes as soon as the process is at work. It ends when its stdin closes. Of several such
processes one ingests; the others watch the index and say the same, and one of them goes on when the first
ends.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path
from typing import TextIO

from kernel_magics.errors import TracksideError
from kernel_magics.journal.watch import JournalWatch

from .encoding import IndexDamage
from .index import Index
from .ingest import Ingester
from .model import Changes
from .news import News
from .states import StateWatch

STEP_S = 0.25
"""A backlog is worked on for so long between two reports."""
PAUSE_S = 0.05
"""Least rest between two transactions; a busy journal costs one transaction per rest, not one per point."""
LOOK_S = 1.0
"""How often the dead, the deleted and the damaged are looked for: nothing tells us of them."""
WATCH_S = 0.1
"""How often an index that another process writes is looked at."""
RETRY_S = 2.0


class Follower:
    """Follows the journals of one data folder until :meth:`stop`.

    Args:
        out: where the reports go.
    """

    def __init__(self, data_dir: Path, out: TextIO) -> None:
        self._index = Index(data_dir)
        self._data_dir = data_dir
        self._out = out
        self._watch = JournalWatch(data_dir)
        self._stopped = threading.Event()
        self._news = News(StateWatch(data_dir))
        self._greeted = False

    def stop(self) -> None:
        """Ends :meth:`run` soon; may be called from any thread."""
        self._stopped.set()
        self._watch.wake()

    def run(self) -> None:
        """Ingests, or watches while another process does."""
        known = False
        while not self._stopped.is_set():
            try:
                if not known:
                    known = True  # also when it cannot be read: all of the next one is news then
                    with self._index.reading() as sql:
                        self._news.skip(sql)
                with self._index.writing() as sql:
                    if sql is not None:
                        self._ingest(sql)
                    else:
                        self._look_on()
            except (sqlite3.DatabaseError, IndexDamage) as error:
                self._after(error)
        self._index.close()
        self._watch.close()

    def _after(self, error: Exception) -> None:
        print(f"Trackside: the index: {error}", file=sys.stderr, flush=True)
        if not isinstance(error, sqlite3.OperationalError):
            self._index.mark_damaged()
        self._index.close()
        self._stopped.wait(RETRY_S)

    def _ingest(self, sql: sqlite3.Connection) -> None:
        """As the one that writes the index, until the end or until somebody finds the index damaged."""
        ingester = Ingester(sql, self._data_dir)
        grown: set[str] | None = None  # all
        looked = 0.0
        while not self._stopped.is_set():
            began = time.monotonic()
            left = ingester.ingest(grown, began + STEP_S)
            if began - looked > LOOK_S:
                looked = began
                if self._index.is_replaced():
                    self._news.forget()
                    return
                ingester.remove_vanished()
            self._report(self._news.look(sql), left)
            self._stopped.wait(PAUSE_S + (0 if left else 2 * (time.monotonic() - began)))
            if self._index.is_damaged():
                return
            if not left:
                grown = set()
            if grown is not None:
                grown |= {path.parent.name for path in self._watch.wait(0 if left else LOOK_S)}

    def _look_on(self) -> None:
        """While another process writes: its transactions are reported, until the right to write is free."""
        looked = time.monotonic()
        self._greet()
        while not self._stopped.wait(WATCH_S):
            now = time.monotonic()
            with self._index.reading() as sql:
                if self._news.is_newer(sql) or now - looked > LOOK_S:
                    self._report(self._news.look(sql), 0)
            if now - looked > LOOK_S:
                return

    def _greet(self) -> None:
        if not self._greeted:
            self._report(Changes(), self._index.behind(), always=True)

    def _report(self, changes: Changes, behind: int, always: bool = False) -> None:
        if not (changes or behind or always or not self._greeted):
            return
        self._greeted = True
        line = {
            "runs": sorted(changes.runs),
            "metrics": sorted(changes.metrics),
            "new_metrics": sorted(changes.new_metrics),
            "removed": sorted(changes.removed),
            "behind_bytes": behind,
        }
        self._out.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._out.flush()


def main(arguments: list[str]) -> int:
    """Runs a follower for ``arguments[0]`` until stdin closes; the process's exit status."""
    if len(arguments) != 1:
        print("usage: python -m kernel_magics.store.follow DATA_DIR", file=sys.stderr)
        return 2
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a server's terminal is the server's affair
    try:
        follower = Follower(Path(arguments[0]).absolute(), sys.stdout)
        threading.Thread(target=_until_closed, args=(follower,), daemon=True).start()
        follower.run()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (TracksideError, OSError) as error:
        print(f"Trackside: {error}", file=sys.stderr)
        return 1
    return 0


def _until_closed(follower: Follower) -> None:
    while os.read(0, 4096):
        pass
    follower.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
