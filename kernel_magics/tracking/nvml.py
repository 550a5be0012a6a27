"""This machine's NVIDIA GPUs through NVML (``pynvml``, NVIDIA's own pure-Python binding)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from kernel_magics.tracking.imports import whole_imports

GIB = 1024**3


@dataclass(frozen=True)
class GpuSample:
    """What one GPU does now: values by name, those it can tell."""

    index: int
    values: Dict[str, float]


class Devices:
    """The GPUs that this process may use; none where there is no driver or no ``pynvml``.

    Args:
        nvml: the ``pynvml`` module, initialised; ``None`` for no GPUs.
        handles: NVML's index and handle of each.
    """

    def __init__(self, nvml: Any, handles: List[Tuple[int, Any]]) -> None:
        self._nvml = nvml
        self._handles = handles

    @classmethod
    def open(cls, environ: Optional[Mapping[str, str]] = None) -> Devices:
        """Initialise NVML and find the GPUs; never raises."""
        try:
            with whole_imports():
                import pynvml
        except ImportError:
            return cls(None, [])
        try:
            pynvml.nvmlInit()
            handles = [
                (index, pynvml.nvmlDeviceGetHandleByIndex(index))
                for index in range(pynvml.nvmlDeviceGetCount())
            ]
            uuids = {index: _text(pynvml.nvmlDeviceGetUUID(handle)) for index, handle in handles}
        except pynvml.NVMLError:
            return cls(None, [])
        chosen = _visible(uuids, os.environ if environ is None else environ)
        return cls(pynvml, [pair for pair in handles if pair[0] in chosen])

    def samples(self) -> List[GpuSample]:
        """Utilisation in percent, memory used in GiB, power in W, temperature in °C of each GPU."""
        return [GpuSample(index, self._sample(handle)) for index, handle in self._handles]

    def describe(self) -> List[Dict[str, Any]]:
        """Index, name, UUID, memory in GiB of each GPU, and the driver's version: facts about a run."""
        if not self._handles:
            return []
        nvml = self._nvml
        driver = _text(self._ask(nvml.nvmlSystemGetDriverVersion) or "")
        found: List[Dict[str, Any]] = []
        for index, handle in self._handles:
            memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, handle)
            found.append(
                {
                    "index": index,
                    "name": _text(self._ask(nvml.nvmlDeviceGetName, handle) or ""),
                    "uuid": _text(self._ask(nvml.nvmlDeviceGetUUID, handle) or ""),
                    "memory_gib": round(memory.total / GIB, 2) if memory is not None else None,
                    "driver": driver,
                }
            )
        return found

    def _sample(self, handle: Any) -> Dict[str, float]:
        nvml = self._nvml
        values: Dict[str, float] = {}
        rates = self._ask(nvml.nvmlDeviceGetUtilizationRates, handle)
        if rates is not None:
            values["utilization_percent"] = float(rates.gpu)
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        if memory is not None:
            values["memory_gib"] = memory.used / GIB
        power = self._ask(nvml.nvmlDeviceGetPowerUsage, handle)
        if power is not None:
            values["power_w"] = power / 1000
        temperature = self._ask(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU)
        if temperature is not None:
            values["temperature_c"] = float(temperature)
        return values

    def _ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        """The answer, or ``None`` where the GPU cannot tell (a part of one, one that fell off the bus)."""
        try:
            return question(*arguments)
        except self._nvml.NVMLError:
            return None


def _visible(uuids: Mapping[int, str], environ: Mapping[str, str]) -> List[int]:
    """The indices that ``CUDA_VISIBLE_DEVICES`` leaves; all where it is not set or cannot be understood."""
    setting = environ.get("CUDA_VISIBLE_DEVICES")
    if setting is None:
        return list(uuids)
    chosen: List[int] = []
    for word in filter(None, (part.strip() for part in setting.split(","))):
        if word.isdigit() and int(word) in uuids:
            chosen.append(int(word))
            continue
        matches = [index for index, uuid in uuids.items() if uuid.startswith(word)]
        if not matches:  # "-1" and unknown ids end the list (CUDA); a MIG part is none of NVML's whole GPUs
            return list(uuids) if word.startswith("MIG") else chosen
        chosen += matches
    return chosen


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
