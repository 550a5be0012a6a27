"""Metrics nobody logged: found in what a cell prints, and recorded as inferred.

They never mix with logged metrics of the same name; the store keeps sources apart.
"""

from __future__ import annotations

import json
import re
import threading
import time
from typing import Any, Callable, Dict, Mapping, Optional, Protocol, Tuple

from kernel_magics.tracking.inferred_line import Count, Reading, read_line, read_mapping
from kernel_magics.tracking.inferred_progress import Bar, NotebookBars, read_bar, read_keras

_END = re.compile(r"(\r?\n|\r(?=[^\n]))")  # a "\r" at the very end may be half of a "\r\n"
_MAX_PARTIAL = 64 * 1024
_MAX_NAMES = 200
_MAX_BLOCK_LINES = 500
_FREE_S, _SHARE = 0.5, 0.02


class InferredRun(Protocol):
    """The part of a ``Run`` that inference needs."""

    def log_inferred(self, data: Mapping[str, Any], step: Optional[int] = None) -> Any: ...

    def record_event(self, name: str, level: str = "info", detail: str = "", **more: Any) -> Any: ...


class Inference:
    """Reads one cell's output as it comes and logs what it finds. Called from several threads.

    A metric's x is the epoch or the step that was said with it. One name keeps one kind of x: when
    ``loss`` comes per step and then per epoch as well, the latter is ``loss_epoch``.

    Reading may take half a second plus 2 % of the time the cell runs; beyond that, output is passed
    over until there is time again, and an event says so.
    """

    def __init__(self, run: InferredRun, clock: Callable[[], float] = time.perf_counter) -> None:
        self._run, self._clock = run, clock
        self._began = clock()
        self._spent = 0.0
        self._passed_over = 0
        self._partial: Dict[str, str] = {}
        self._blocks: Dict[str, int] = {}
        self._places = _Places()
        self._names: Dict[str, str] = {}
        self._bars: Dict[str, Tuple[Optional[Count], Mapping[str, float]]] = {}
        self._notebook_bars = NotebookBars()
        self._lock = threading.RLock()

    def text(self, stream: str, text: str) -> None:
        """A piece of a stream; lines may come in pieces."""
        with self._lock:
            begin = self._clock()
            if self._spent > _FREE_S + _SHARE * (begin - self._began):
                self._pass_over(stream, text)
                return
            parts = _END.split(self._partial.get(stream, "") + text)
            self._partial[stream] = parts.pop()[:_MAX_PARTIAL]
            for line, end in zip(parts[::2], parts[1::2]):
                self._line(stream, line, final=end != "\r")
            self._spent += self._clock() - begin

    def message(self, kind: str, content: bytes) -> None:
        """A result, which may be a dict of numbers, or a comm message, which may be a notebook bar's."""
        with self._lock:
            if kind == "comm_msg":
                line = self._notebook_bars.line(content)
                if line is not None:
                    self._line("comm", line, final=False)
            elif kind == "execute_result":
                text = json.loads(content).get("data", {}).get("text/plain", "")
                reading = read_mapping(text) if isinstance(text, str) and text.startswith("{") else None
                if reading is not None:
                    self._take(reading)

    def close(self) -> None:
        """The cell has ended: a last line may have no end."""
        with self._lock:
            for stream, line in list(self._partial.items()):
                self._line(stream, line, final=True)
            self._partial.clear()

    def _line(self, stream: str, line: str, *, final: bool) -> None:
        if not line or self._in_block(stream, line):
            return
        bar = read_bar(line)
        if bar is not None:
            state = (bar.at, bar.reading.values)
            if self._bars.get(bar.name) != state:  # a bar draws its last state again when it closes
                self._bars[bar.name] = state
                self._log(bar.reading.values, *self._places.of_bar(bar))
            return
        keras = read_keras(line)
        if keras is not None:
            if keras.values and final:
                self._log(keras.values, *self._places.of_pass())
            return
        reading = read_line(line)
        if reading is not None:
            self._take(reading)

    def _in_block(self, stream: str, line: str) -> bool:
        """Whether the line is inside an object's repr of several lines (a model, an optimizer)."""
        open_lines = self._blocks.get(stream, 0)
        if open_lines:
            closes = line.rstrip() in (")", "]", "}") or open_lines >= _MAX_BLOCK_LINES
            self._blocks[stream] = 0 if closes else open_lines + 1
            return True
        if re.search(r"\w\s?[(\[{]$", line.rstrip()):
            self._blocks[stream] = 1
            return True
        return False

    def _take(self, reading: Reading) -> None:
        kind, x = self._places.of_line(reading)
        if reading.values:
            self._log(reading.values, kind, x)

    def _log(self, values: Mapping[str, float], kind: str, x: Optional[int]) -> None:
        named: Dict[str, float] = {}
        for name, value in values.items():
            if name not in self._names and len(self._names) >= _MAX_NAMES:
                continue
            first = self._names.setdefault(name, kind)
            named[name if first == kind or not kind or not first else f"{name}_{kind}"] = value
        if named:
            self._run.log_inferred(named, step=x)

    def _pass_over(self, stream: str, text: str) -> None:
        self._partial[stream] = ""
        self._passed_over += len(text)
        if self._passed_over == len(text):
            self._run.record_event(
                "inference-paused",
                level="warning",
                detail="The cell prints so much that reading metrics from it would slow it down; "
                "a part is not read. run.log() records every value.",
            )


class _Places:
    """Where in the training a line stands: ``("epoch" | "step" | "", x)``."""

    def __init__(self) -> None:
        self._epoch: Optional[Count] = None
        self._first_epoch: Optional[int] = None
        self._bars: Dict[Tuple[str, Optional[int]], Tuple[int, int]] = {}

    def of_line(self, reading: Reading) -> Tuple[str, Optional[int]]:
        """The place of a line: its own, else that of the last line that only said the epoch."""
        if reading.epoch is not None:
            self._note_epoch(reading.epoch)
            if reading.step is None and not reading.values:
                self._epoch = reading.epoch
        if reading.step is not None:
            return "step", self._within(reading.epoch or self._epoch, reading.step)
        epoch = reading.epoch or self._epoch
        return ("epoch", epoch.n) if epoch is not None else ("", None)

    def of_pass(self) -> Tuple[str, Optional[int]]:
        """The place of a completed pass (Keras): the epoch announced before it, which it uses up."""
        epoch, self._epoch = self._epoch, None
        return ("epoch", epoch.n) if epoch is not None else ("", None)

    def of_bar(self, bar: Bar) -> Tuple[str, Optional[int]]:
        """The place of a bar. A bar that starts again goes on counting where the last one stood."""
        if bar.at is None:
            return "", None
        epoch = bar.reading.epoch or (self._epoch if bar.at.total is not None else None)
        if epoch is not None and bar.at.total is not None:
            self._note_epoch(epoch)
            return "step", self._within(epoch, bar.at)
        key = (bar.name, bar.at.total)
        offset, last = self._bars.get(key, (0, 0))
        if bar.at.n < last:
            offset += bar.at.total or last
        self._bars[key] = (offset, bar.at.n)
        return "step", offset + bar.at.n

    def _note_epoch(self, epoch: Count) -> None:
        if self._first_epoch is None:
            self._first_epoch = min(epoch.n, 1)

    def _within(self, epoch: Optional[Count], step: Count) -> int:
        """A step of an epoch counted from the training's beginning, where the epoch's length is known."""
        if epoch is None or step.total is None:
            return step.n
        return max(epoch.n - (self._first_epoch or 0), 0) * step.total + step.n
