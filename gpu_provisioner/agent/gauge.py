"""How busy this machine is right now, for who looks at a lease: measured beside the loop and only when asked.

NVML may hang on a broken GPU. It is asked in a thread of its own, so the kernel is drained all the same, and
whoever looks sees by the time of the last sample that there is no newer one.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

from gpu_provisioner.agent.devices import GpuMeter

QUIET_S = 30.0
"""After so long without a question the thread ends and NVML is closed."""

_GIB = 2**30
_KIB = 2**10

CpuTimes = Tuple[float, float]
"""Busy and all processor time since boot, in clock ticks."""


class Gauge:
    """Takes one sample for each question, the newest question only.

    Args:
        gpus: UUIDs of the kernel's GPUs.
    """

    def __init__(self, gpus: Sequence[str]) -> None:
        self._gpus = tuple(gpus)
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._running = False
        self._sample: Optional[bytes] = None

    def ask(self) -> None:
        """Have a sample taken; returns at once."""
        with self._lock:
            self._wanted.set()
            if not self._running:
                self._running = True
                threading.Thread(target=self._measure, daemon=True, name="trackside-gauge").start()

    def take(self) -> Optional[bytes]:
        """The sample that has been taken since the last call, as JSON; ``None`` when there is none."""
        sample, self._sample = self._sample, None
        return sample

    def _measure(self) -> None:
        meter = GpuMeter(self._gpus)
        before = _cpu_times()
        try:
            while self._goes_on():
                now = _cpu_times()
                self._sample = json.dumps(_sample(meter, before, now)).encode()
                before = now
        finally:
            meter.close()

    def _goes_on(self) -> bool:
        while not self._wanted.wait(QUIET_S):
            with self._lock:
                if not self._wanted.is_set():
                    self._running = False
                    return False
        self._wanted.clear()
        return True


def _sample(meter: GpuMeter, before: Optional[CpuTimes], now: Optional[CpuTimes]) -> Dict[str, Any]:
    """``{time, cpu_percent, memory_gib, memory_total_gib, gpus, problem}``.

    ``time`` is by this machine's clock; percentages and GiB are ``None`` where nobody can tell. ``gpus`` is
    as :meth:`GpuMeter.read` says.
    """
    gpus, problem = meter.read()
    used, total = _memory_gib()
    facts = {"time": time.time(), "cpu_percent": _cpu_percent(before, now)}
    return {**facts, "memory_gib": used, "memory_total_gib": total, "gpus": gpus, "problem": problem}


def _cpu_times() -> Optional[CpuTimes]:
    """From proc(5), ``/proc/stat``; iowait counts as idle."""
    if sys.platform != "linux":
        return None
    try:
        fields = [float(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return None
    return sum(fields) - fields[3] - fields[4], sum(fields)


def _cpu_percent(before: Optional[CpuTimes], now: Optional[CpuTimes]) -> Optional[float]:
    if before is None or now is None or now[1] <= before[1]:
        return None
    return round(100 * max(0.0, now[0] - before[0]) / (now[1] - before[1]), 1)


def _memory_gib() -> Tuple[Optional[float], Optional[float]]:
    """What is in use and what there is, in GiB; from proc(5), ``/proc/meminfo``."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        facts = {line.split(":")[0]: float(line.split()[1]) * _KIB / _GIB for line in lines if ":" in line}
        return round(facts["MemTotal"] - facts["MemAvailable"], 2), round(facts["MemTotal"], 2)
    except (OSError, ValueError, KeyError, IndexError):
        return None, None
