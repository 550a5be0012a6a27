"""The indexing process: started once, listened to, started again when it dies.

``python -m kernel_magics.store.follow DATA_DIR`` follows the journals into the index and prints one
JSON object a line whenever something has changed. It ends when its stdin closes, so it cannot outlive
the server, however the server ends.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes of one report; the first one after a long absence names every run."""
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
STEADY_S = 60.0
"""A process that lived as long as this is started again after the first delay."""
STOP_S = 5.0


@dataclass(frozen=True)
class Report:
    """What the indexing process says has changed (as :class:`kernel_magics.store.Changes`).

    Attributes:
        everything: the process is a new one; what changed while there was none is not known.
    """

    runs: frozenset[str] = frozenset()
    metrics: frozenset[tuple[str, str]] = frozenset()
    new_metrics: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    everything: bool = False


@dataclass
class IndexState:
    """How far the index is, as ``GET info`` shows it."""

    state: str = "starting"
    behind_bytes: int = 0
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """The value of ``index`` in ``GET info``."""
        return {"state": self.state, "behind_bytes": self.behind_bytes, "detail": self.detail}


class IngestChild:
    """Keeps one indexing process running for as long as the server does.

    Args:
        on_report: called on the event loop for each report.
        command: the process; tests start another one.
    """

    def __init__(
        self,
        data_dir: Path,
        on_report: Callable[[Report], None],
        log: logging.Logger,
        command: Sequence[str] | None = None,
    ) -> None:
        self.state = IndexState()
        self._on_report = on_report
        self._log = log
        self._command = command or (sys.executable, "-m", "kernel_magics.store.follow", str(data_dir))
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def start(self) -> None:
        """Starts it unless that has been done; returns at once."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._supervise())

    async def stop(self) -> None:
        """Ends the process, by a kill after :data:`STOP_S` seconds; can be called again."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _supervise(self) -> None:
        delay, everything = FIRST_DELAY_S, False
        while True:
            started = time.monotonic()
            end = await self._live(everything)
            everything = True
            delay = FIRST_DELAY_S if time.monotonic() - started > STEADY_S else delay
            self.state = IndexState("stopped", self.state.behind_bytes, f"{end} It is started again.")
            self._log.warning("Trackside: %s It is started again in %.1f s.", end, delay)
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY_S)

    async def _live(self, everything: bool) -> str:
        """One life of the process; a sentence about its end."""
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=pipe, stdout=pipe, stderr=pipe, limit=LONGEST_LINE
            )
        except OSError as error:
            return f"The indexing process cannot be started: {error}."
        self._process = process
        assert process.stdout is not None and process.stderr is not None
        last_words: deque[str] = deque(maxlen=20)
        errors = asyncio.create_task(_keep(process.stderr, last_words))
        try:
            await self._listen(process.stdout, everything)
            await process.wait()
            await errors
        finally:
            errors.cancel()
            await _end(process)
        for line in last_words:
            self._log.warning("Trackside index: %s", line)
        why = f": {last_words[-1]}" if last_words else ""
        return f"The indexing process ended with status {process.returncode}{why}."

    async def _listen(self, stdout: asyncio.StreamReader, everything: bool) -> None:
        while line := await stdout.readline():
            try:
                said = json.loads(line)
                report = _report(said, everything)
                self.state = _state(said)
            except (ValueError, TypeError, KeyError, AttributeError):
                self._log.warning("Trackside: not a report of the indexing process: %.200r", line)
                continue
            everything = False
            self._on_report(report)


def _report(said: dict[str, Any], everything: bool) -> Report:
    return Report(
        runs=frozenset(said.get("runs", ())),
        metrics=frozenset((run, metric) for run, metric in said.get("metrics", ())),
        new_metrics=frozenset(said.get("new_metrics", ())),
        removed=frozenset(said.get("removed", ())),
        everything=everything,
    )


def _state(said: dict[str, Any]) -> IndexState:
    behind = int(said.get("behind_bytes", 0))
    return IndexState("behind" if behind else "current", behind)


async def _keep(stderr: asyncio.StreamReader, last_words: deque[str]) -> None:
    while line := await stderr.readline():
        last_words.append(line.decode(errors="replace").rstrip())


async def _end(process: asyncio.subprocess.Process) -> None:
    """Closes its stdin, which it takes for the end; then a kill."""
    if process.returncode is not None:
        return
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except asyncio.TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
