"""Why a process ended, in a sentence for the person whose cell it was."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Dict, List, Optional

_EXPLAINED = {
    "SIGSEGV": "a segmentation fault: native code touched memory that is not its own",
    "SIGBUS": "a bus error: often a full /dev/shm, or a mapped file that shrank",
    "SIGABRT": "native code gave up with abort()",
    "SIGFPE": "an arithmetic fault in native code",
    "SIGILL": "an instruction this processor does not know",
    "SIGKILL": "kill -9 or out of memory",
    "SIGTERM": "somebody asked it to end",
    "SIGXCPU": "the limit of processor time",
}


def explain(returncode: Optional[int], out_of_memory: str = "") -> str:
    """``"killed by signal 11 (SIGSEGV): a segmentation fault: …"`` from a ``Popen.returncode``."""
    if returncode is None:
        return "it ended and nobody saw how"
    if returncode >= 0:
        return f"it ended by itself with exit code {returncode}"
    name = signal_name(-returncode)
    because = out_of_memory if name == "SIGKILL" and out_of_memory else _EXPLAINED.get(name, "")
    return f"killed by signal {-returncode} ({name})" + (f": {because}" if because else "")


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class MemoryWatch:
    """Counters of out-of-memory kills, read when a kernel starts and again when it has died.

    Sources: ``memory.events`` of the own cgroup (cgroup-v2.rst, *Memory Interface Files*) and ``oom_kill`` in
    ``/proc/vmstat``. Both may be unreadable; then nothing is claimed.
    """

    def __init__(self) -> None:
        self._before = _oom_kills()

    def verdict(self) -> str:
        """A clause that blames memory, or ``""`` when the counters do not."""
        after = _oom_kills()
        if after.get("cgroup", 0) > self._before.get("cgroup", 0):
            limit = _memory_limit()
            return "out of memory, the memory limit of its control group was reached" + (
                f" ({limit / 2**30:.1f} GiB)" if limit else ""
            )
        if after.get("system", 0) > self._before.get("system", 0):
            return "out of memory, the machine ran out of it and the system chose this process"
        return ""


def _oom_kills() -> Dict[str, int]:
    counters: Dict[str, int] = {}
    group = _cgroup()
    if group is not None:
        for line in _lines(group / "memory.events"):
            if line.startswith("oom_kill "):
                counters["cgroup"] = int(line.split()[1])
    for line in _lines(Path("/proc/vmstat")):
        if line.startswith("oom_kill "):
            counters["system"] = int(line.split()[1])
    return counters


def _memory_limit() -> Optional[int]:
    group = _cgroup()
    text = _lines(group / "memory.max") if group is not None else []
    return int(text[0]) if text and text[0].isdigit() else None


def _cgroup() -> Optional[Path]:
    for line in _lines(Path("/proc/self/cgroup")):
        if line.startswith("0::"):
            return Path("/sys/fs/cgroup") / line[3:].lstrip("/")
    return None


def _lines(path: Path) -> List[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
