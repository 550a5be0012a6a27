"""What a holder knows of its lease at this moment, in files for whoever looks at it.

In the lease's home folder: ``line.json``, how the line is, written when that changes; ``pulse.json``, the
last samples of the machine's load, taken only while ``watched`` is fresh: who looks touches it again and
again.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, Callable, Deque, Dict, Mapping, Optional

from gpu_provisioner.agent.places import private_folder, read_json, write_private

LINE_NOTE = "line.json"
PULSE_NOTE = "pulse.json"
_WATCHED = "watched"

WATCHED_FOR_S = 12.0
"""A touch counts for so long; whoever looks touches at least every third of it."""
EVERY_S = 2.0
KEPT = 90
"""Samples that are kept: three minutes."""
_PATIENCE_S = 10.0
"""A machine that has not answered is not asked again before so long."""
_TICK_S = 1.0

log = logging.getLogger("trackside.holder")


class Pulse:
    """Keeps the files of one lease current, for its holder.

    Args:
        folder: the lease's home folder.
        ask: asks the machine for a sample; False when there is no line.
    """

    def __init__(self, folder: Path, ask: Callable[[], bool]) -> None:
        self._folder, self._ask = folder, ask
        earlier = read_json(folder / PULSE_NOTE) or {}
        self._samples: Deque[Mapping[str, Any]] = deque(earlier.get("samples") or (), maxlen=KEPT)
        self._asked = self._answered = float("-inf")
        self._over = threading.Event()
        self._thread: Optional[threading.Thread] = None

    def start(self) -> None:
        """Take samples from now on whenever somebody looks. May be called again."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._follow, daemon=True, name="trackside-pulse")
            self._thread.start()

    def stop(self) -> None:
        """Take no more. May be called again."""
        self._over.set()

    def line_is(self, state: str, since: Optional[float], detail: str) -> None:
        """Put down how the line is: ``up``, ``down`` since when and why, ``gone``, ``released``."""
        note = {"pid": os.getpid(), "state": state, "since": since or time.time(), "detail": detail}
        self._write(LINE_NOTE, note)

    def take(self, sample: Mapping[str, Any]) -> None:
        """A sample has come; its time is from now on by this machine's clock."""
        self._answered = time.monotonic()
        self._samples.append({**sample, "time": time.time()})
        self._write(PULSE_NOTE, {"samples": list(self._samples)})

    def _follow(self) -> None:
        while not self._over.wait(_TICK_S):
            now = time.monotonic()
            waits = self._answered < self._asked
            if now - self._asked >= (_PATIENCE_S if waits else EVERY_S) and is_watched(self._folder):
                self._asked = now if self._ask() else self._asked

    def _write(self, name: str, note: Mapping[str, Any]) -> None:
        try:
            write_private(self._folder / name, json.dumps(note).encode())
        except OSError as error:  # a full disk: what can be seen is old, and says so by its time
            log.info("%s was not written: %s", name, error)


def watch(folder: Path) -> None:
    """Somebody looks at the lease of that home folder, for :data:`WATCHED_FOR_S` from now."""
    private_folder(folder)
    path = folder / _WATCHED
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    os.utime(path)


def is_watched(folder: Path) -> bool:
    """Whether somebody looks at it."""
    try:
        return abs(time.time() - (folder / _WATCHED).stat().st_mtime) < WATCHED_FOR_S
    except OSError:
        return False


def line_of(folder: Path) -> Dict[str, Any]:
    """What the holder put down last: ``pid``, ``state``, ``since``, ``detail``; empty when none did."""
    return read_json(folder / LINE_NOTE) or {}


def samples_of(folder: Path) -> list[Mapping[str, Any]]:
    """The last samples, oldest first; ``time`` is by the holder's clock, seconds since the epoch."""
    samples = (read_json(folder / PULSE_NOTE) or {}).get("samples")
    return [one for one in samples if isinstance(one, dict)] if isinstance(samples, list) else []
