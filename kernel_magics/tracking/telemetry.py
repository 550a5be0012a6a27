"""CPU, memory and GPUs while a run goes on.

Linux is read from ``/proc`` (proc(5)), other systems through psutil where it is there, GPUs through NVML.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from kernel_magics.tracking import nvml
from kernel_magics.tracking.imports import whole_imports

GIB = 1024**3
UNITS = {
    "cpu_percent": "%",
    "process_cpu_percent": "%",
    "memory_gib": "GiB",
    "process_memory_gib": "GiB",
    "utilization_percent": "%",
    "power_w": "W",
    "temperature_c": "°C",
}
"""Units by the last part of a metric's name."""

Record = Callable[[Mapping[str, float], Mapping[str, str]], None]


class Telemetry:
    """Samples this machine; called from the run's thread only.

    Every second for the first 30 samples, then ever more slowly, down to every 10 s: a short run is seen in
    detail and a long one costs nothing.

    Args:
        record: called with the values by metric name and their units.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._samples = 0
        self._before: Optional[Tuple[float, float, float, float]] = None
        self._gpus: Optional[nvml.Devices] = None
        self._broken = False

    def interval(self) -> float:
        """Seconds until the next sample."""
        if self._samples < 2:
            return 0.25
        return min(10.0, max(1.0, (self._samples - 30) * 0.5))

    def sample(self) -> None:
        """Record one sample. A machine that cannot be asked is not asked again."""
        if self._broken:
            return
        self._samples += 1
        if self._gpus is None:
            self._gpus = nvml.Devices.open()
        try:
            values = {f"system/{name}": value for name, value in self._host().items()}
            for gpu in self._gpus.samples():
                values.update({f"system/gpu{gpu.index}/{name}": value for name, value in gpu.values.items()})
        except Exception:  # noqa: BLE001 - a strange machine: training matters more than its temperature
            self._broken = True
            return
        if values:
            self._record(values, {name: UNITS[name.rpartition("/")[2]] for name in values})

    def _host(self) -> Dict[str, float]:
        reading = _read_linux() if sys.platform == "linux" else _read_psutil()
        if reading is None:
            return {}
        busy, total, process, memory = reading
        now = time.monotonic()
        before, self._before = self._before, (now, busy, total, process)
        values = dict(memory)
        if before is not None and total > before[2]:
            values["cpu_percent"] = 100 * (busy - before[1]) / (total - before[2])
            values["process_cpu_percent"] = 100 * (process - before[3]) / (now - before[0])
        return values


_Reading = Tuple[float, float, float, List[Tuple[str, float]]]
"""Busy and total seconds of all processors, the process's processor seconds, memory values."""


def _read_linux() -> Optional[_Reading]:
    tick = os.sysconf("SC_CLK_TCK")
    with open("/proc/stat", "rb") as file:  # noqa: PTH123 - a plain open is all that is needed
        times = [int(word) / tick for word in file.readline().split()[1:9]]
    # user, nice, system, idle, iowait, irq, softirq, steal; waiting for a disk is not being busy
    idle = times[3] + times[4]
    meminfo: Dict[bytes, int] = {}
    with open("/proc/meminfo", "rb") as file:  # noqa: PTH123
        for line in file:
            name, _, rest = line.partition(b":")
            meminfo[name] = int(rest.split()[0]) * 1024
            if name == b"MemAvailable":
                break
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    used = meminfo[b"MemTotal"] - meminfo[b"MemAvailable"]
    memory = [("memory_gib", used / GIB), ("process_memory_gib", resident / GIB)]
    return sum(times) - idle, sum(times), time.process_time(), memory


def _read_psutil() -> Optional[_Reading]:
    try:
        with whole_imports():
            import psutil
    except ImportError:
        return None
    times: Any = psutil.cpu_times()
    memory = psutil.virtual_memory()
    total = float(sum(times))
    process = psutil.Process().memory_info().rss
    values = [("memory_gib", (memory.total - memory.available) / GIB), ("process_memory_gib", process / GIB)]
    return total - times.idle, total, time.process_time(), values
