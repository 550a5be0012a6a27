"""The machine's GPUs, as NVML describes them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from gpu_provisioner.agent.claims import claimed_gpus

_GIB = 2**30
_HIDDEN_USE_BYTES = 1 * _GIB
"""Memory in use beyond which a GPU counts as busy although no process shows (containers hide processes)."""


def describe_gpus() -> Dict[str, Any]:
    """``{"gpus": [{index, name, uuid, memory_gib, busy, busy_reason}], "gpu_problem": sentence or ""}``.

    Never raises: a machine without a driver has no GPUs, and the sentence says why.
    """
    try:
        nvml = _nvml()
    except ImportError:
        return {"gpus": [], "gpu_problem": "the package nvidia-ml-py is not installed"}
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return {"gpus": [], "gpu_problem": _why_no_nvml(nvml, error)}
    gpus: List[Dict[str, Any]] = []
    claimed = claimed_gpus()
    problem = ""
    try:
        for index in range(nvml.nvmlDeviceGetCount()):
            try:
                gpus.append(_describe(nvml, index, claimed))
            except nvml.NVMLError as error:
                problem = f"GPU {index} does not answer: {error}"
    except nvml.NVMLError as error:
        problem = f"NVML failed: {error}"
    finally:
        nvml.nvmlShutdown()
    return {"gpus": gpus, "gpu_problem": problem}


def most_used_gpu(uuids: Sequence[str]) -> Optional[int]:
    """The use of the busiest of these GPUs in percent, by NVML's last sample; ``None`` if it cannot tell."""
    try:
        nvml = _nvml()
        nvml.nvmlInit()
    except ImportError:
        return None
    except nvml.NVMLError:
        return None
    try:
        handles = [nvml.nvmlDeviceGetHandleByUUID(uuid) for uuid in uuids]
        return max((int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu) for handle in handles), default=None)
    except nvml.NVMLError:
        return None
    finally:
        nvml.nvmlShutdown()


def _nvml() -> ModuleType:
    try:
        import pynvml
    except ImportError:
        sys.path.append(str(Path(__file__).parent.parent.parent / "vendor"))
        import pynvml
    module: ModuleType = pynvml
    return module


def _why_no_nvml(nvml: Any, error: Exception) -> str:
    if isinstance(error, nvml.NVMLError_LibraryNotFound):
        return "no NVIDIA driver is installed (libnvidia-ml.so.1 was not found)"
    if isinstance(error, nvml.NVMLError_DriverNotLoaded):
        return "the NVIDIA driver is installed but not loaded"
    return f"NVML does not start: {error}"


def _describe(nvml: Any, index: int, claimed: Set[str]) -> Dict[str, Any]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    uuid = _text(nvml.nvmlDeviceGetUUID(handle))
    reason = _busy_reason(nvml, handle, memory)
    if not reason and uuid in claimed:
        reason = "a kernel of Trackside has it"
    return {
        "index": index,
        "name": _text(nvml.nvmlDeviceGetName(handle)),
        "uuid": uuid,
        "memory_gib": round(memory.total / _GIB, 1),
        "busy": bool(reason),
        "busy_reason": reason,
    }


def _busy_reason(nvml: Any, handle: Any, memory: Any) -> str:
    """Who uses the GPU, or ``""``."""
    try:
        processes = nvml.nvmlDeviceGetComputeRunningProcesses(handle)
    except nvml.NVMLError:
        processes = []
    used = f"{memory.used / _GIB:.1f} of {memory.total / _GIB:.0f} GiB in use"
    if processes:
        names = ", ".join(_process_name(process.pid) for process in processes[:3])
        return f"{names}: {used}" if len(processes) <= 3 else f"{len(processes)} processes: {used}"
    if memory.used > _HIDDEN_USE_BYTES:
        return f"{used} by a process that cannot be seen from here"
    return ""


def _process_name(pid: int) -> str:
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        owner = Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return f"process {pid}"
    return f"{name} ({pid}{'' if owner == os.getuid() else ', of another user'})"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class GpuMeter:
    """How busy some GPUs are, again and again; NVML stays open between two readings.

    Args:
        uuids: of the GPUs.
    """

    def __init__(self, uuids: Sequence[str]) -> None:
        self._uuids = tuple(uuids)
        self._nvml: Optional[Any] = None

    def read(self) -> Tuple[List[Dict[str, Any]], str]:
        """``[{uuid, use_percent, memory_gib, memory_total_gib}]`` and a sentence on what does not answer.

        A value that a GPU does not tell (MIG has no utilisation) is ``None``.
        """
        if not self._uuids:
            return [], ""
        try:
            nvml = self._open()
        except ImportError:
            return [], "the package nvidia-ml-py is not installed there"
        if isinstance(nvml, str):
            return [], nvml
        found: List[Dict[str, Any]] = []
        problems: List[str] = []
        for uuid in self._uuids:
            try:
                found.append(_use(nvml, uuid))
            except nvml.NVMLError as error:
                problems.append(f"{uuid} does not answer: {error}")
        if problems:
            self.close()  # a driver that was loaded anew needs a new beginning
        return found, "; ".join(problems)

    def close(self) -> None:
        """May be called again; the next reading opens NVML anew."""
        nvml, self._nvml = self._nvml, None
        if nvml is not None:
            try:
                nvml.nvmlShutdown()
            except nvml.NVMLError as error:
                print(f"NVML does not close: {error}", file=sys.stderr)

    def _open(self) -> Any:
        """The module, initialised; or, as a text, why it cannot be."""
        if self._nvml is None:
            nvml = _nvml()
            try:
                nvml.nvmlInit()
            except nvml.NVMLError as error:
                return _why_no_nvml(nvml, error)
            self._nvml = nvml
        return self._nvml


def _use(nvml: Any, uuid: str) -> Dict[str, Any]:
    handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    try:
        use: Optional[int] = int(nvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    except nvml.NVMLError:
        use = None
    amounts = {"memory_gib": memory.used / _GIB, "memory_total_gib": memory.total / _GIB}
    return {"uuid": uuid, "use_percent": use, **{name: round(gib, 2) for name, gib in amounts.items()}}
