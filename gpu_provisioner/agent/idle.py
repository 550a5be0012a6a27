"""When nobody needs a kernel any more: no cell runs, no request came, nothing is fetched or sent, the GPUs
are idle, for long enough.

First a warning, then, if nothing happens, the end. Nothing here looks at a clock: whoever asks says what time
it is, in seconds of any monotonic clock.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Callable, Optional, Sequence, Set

from gpu_provisioner.agent.devices import most_used_gpu
from gpu_provisioner.wire import IOPUB, Message, encode_event

_WARNING_SHARE, _LONGEST_WARNING_S = 0.2, 300.0
"""The warning comes so long before the end: this share of the limit, at most five minutes."""

_GPU_IDLE_PERCENT = 5
_GPU_PAUSE_S = 10.0
"""Least time between two looks at the GPUs; they are looked at only once nothing else keeps the kernel."""

GpuUse = Callable[[], Optional[int]]
"""The use of the busiest of the kernel's GPUs in percent; ``None`` where nobody can tell."""


@dataclass
class Idleness:
    """Decides for one kernel.

    Args:
        limit_s: so long without need and it is released; 0 for never.
        now: the time as it begins.
    """

    limit_s: float
    gpu_use: GpuUse
    now: float
    warned: bool = False
    _looked: float = float("-inf")

    def __post_init__(self) -> None:
        self.needed_at = self.now

    @property
    def warning_s(self) -> float:
        """How long before the end the warning comes."""
        return min(_LONGEST_WARNING_S, self.limit_s * _WARNING_SHARE)

    def needed(self, now: float) -> None:
        """Somebody asked the kernel for something."""
        self.needed_at = now

    def look(self, now: float, busy: bool) -> str:
        """What is to be done: ``"warn"``, ``"end"``, ``"stay"`` (after a warning), or ``""``.

        Args:
            busy: whether the kernel works on something that was asked of it.
        """
        if self.limit_s <= 0:
            return ""
        if busy or (self._nears_its_end(now) and self._gpu_is_used(now)):
            self.needed_at = now
        idle_s = now - self.needed_at
        if idle_s >= self.limit_s and self.warned:
            return "end"
        if idle_s >= self.limit_s - self.warning_s:
            if not self.warned:
                self.warned = True
                # A machine that slept wakes up beyond its limit: nobody had a chance to be warned.
                self.needed_at = max(self.needed_at, now - self.limit_s + self.warning_s)
                return "warn"
        elif self.warned:
            self.warned = False
            return "stay"
        return ""

    def _nears_its_end(self, now: float) -> bool:
        return now - self.needed_at >= self.limit_s - self.warning_s

    def _gpu_is_used(self, now: float) -> bool:
        if now - self._looked < _GPU_PAUSE_S and now - self.needed_at < self.limit_s:
            return False
        self._looked = now
        use = self.gpu_use()
        return use is not None and use >= _GPU_IDLE_PERCENT


class Requests:
    """What the kernel has begun and not ended, by its own word on iopub: ``busy`` and ``idle``."""

    def __init__(self) -> None:
        self._begun: Set[str] = set()

    @property
    def busy(self) -> bool:
        """Whether it works on anything."""
        return bool(self._begun)

    def heard(self, messages: Sequence[Message]) -> None:
        """The kernel's messages, of which only ``status`` is looked at."""
        for channel, parts in messages:
            if channel == IOPUB and len(parts) >= 4 and len(parts[3]) < _LONGEST_STATUS:
                content = bytes(parts[3])
                if b'"execution_state"' in content:
                    self._on_status(content, bytes(parts[1]))

    def forget(self) -> None:
        """The kernel is another one."""
        self._begun.clear()

    def _on_status(self, content: bytes, header: bytes) -> None:
        try:
            state, parent = json.loads(content).get("execution_state"), json.loads(header).get("msg_id")
        except (ValueError, AttributeError):
            return
        if parent and state == "busy":
            self._begun.add(parent)
        elif parent and state == "idle":
            self._begun.discard(parent)


_LONGEST_STATUS = 4096


def use_of(gpus: Sequence[str]) -> GpuUse:
    """The use of these GPUs (UUIDs); nobody can tell that of none."""
    return lambda: most_used_gpu(gpus) if gpus else None


def warning(idleness: Idleness, now: float) -> bytes:
    """The event for the notebook and the panel, as a record."""
    left_s = max(0.0, idleness.limit_s - (now - idleness.needed_at))
    text = (
        f"Nothing has run here for {duration(now - idleness.needed_at)}. This machine is released in "
        f"{duration(left_s)}, and its variables with it, unless a cell runs."
    )
    return encode_event("idle-warning", text=text, until=time.time() + left_s)


def stays() -> bytes:
    """The event that takes a warning back."""
    return encode_event("idle-over", text="The machine is needed again and stays.")


def reason(idleness: Idleness) -> str:
    """Who released it, for "released by …"."""
    return f"its idle policy (nothing ran for {duration(idleness.limit_s)})"


def duration(seconds: float) -> str:
    """``25 min``, ``40 s``, ``1.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
