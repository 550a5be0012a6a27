"""What is worth knowing about a run and nobody types: collected in a thread, each group on its own.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

import getpass
import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Set, Tuple

from kernel_magics.model import CaptureSettings
from kernel_magics.tracking import git, nvml
from kernel_magics.tracking.imports import whole_imports
from kernel_magics.tracking.masking import looks_secret, mask_text
from kernel_magics.tracking.processes import host_name

Record = Callable[[Mapping[str, Any]], None]
Collector = Callable[[], Mapping[str, Any]]
_NORMAL = re.compile(r"[-_.]+")


class Collection:
    """Collects facts in a daemon thread and records each group when it is ready, even after the run's end.

    Args:
        record: called with each group.
        settings: what to leave out.
        known: facts that are known already and not collected.
    """

    def __init__(
        self, record: Record, settings: CaptureSettings, *, known: FrozenSet[str] = frozenset()
    ) -> None:
        self._record = record
        self._known = known
        self._steps = _collectors(settings)
        self._thread = threading.Thread(target=self._run, name="trackside-facts", daemon=True)
        self._abandoned = False

    def start(self) -> None:
        _going.add(self)
        try:
            self._thread.start()
        except RuntimeError:  # no more threads: then here, it takes a moment
            self._run()

    def settle(self, timeout: float) -> None:
        """When the run finishes: wait up to ``timeout`` seconds, and record what is known only now.

        What is not collected by then follows the finish in the journal.
        """
        self._join(timeout)
        later = {} if "seeds" in self._known else _seeds()
        if later:
            self._record(later)

    def abandon(self, timeout: float) -> None:
        """When the process ends: wait up to ``timeout`` seconds, and note what was not collected."""
        self._join(timeout)
        if self._thread.is_alive():
            self._abandoned = True
            self._record({"incomplete": [name for name, _ in self._steps if name not in self._known]})

    def _join(self, timeout: float) -> None:
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(max(0.0, timeout))

    def _run(self) -> None:
        while self._steps and not self._abandoned:
            name, collect = self._steps[0]
            if name not in self._known:
                try:
                    found = {key: value for key, value in collect().items() if key not in self._known}
                except Exception as error:  # noqa: BLE001 - a strange machine; the other facts are worth having
                    found = {name: {"error": repr(error)}}
                if found and not self._abandoned:
                    self._record(found)
            self._steps.pop(0)
        _going.discard(self)


_going: Set[Collection] = set()


def abandon_all(timeout: float) -> None:
    """When the process ends: give collections that are under way ``timeout`` seconds altogether."""
    deadline = time.monotonic() + timeout
    for collection in list(_going):
        collection.abandon(deadline - time.monotonic())


def _collectors(settings: CaptureSettings) -> List[Tuple[str, Collector]]:
    """Quick ones first: a script that ends at once has most of them."""
    steps: List[Tuple[str, Collector]] = [
        ("process", _process),
        ("machine", _machine),
        ("seeds", _seeds),
    ]
    if settings.environment:
        steps.append(("environment", _environment))
    if settings.packages:
        steps.append(("packages", lambda: {"packages": packages(sys.path)}))
    steps.append(("git", lambda: git.facts(Path.cwd(), diff=settings.diff)))
    steps.append(("gpus", _gpus))
    return steps


def _process() -> Mapping[str, Any]:
    found: Dict[str, Any] = {
        "python": sys.version.split()[0],
        "implementation": sys.implementation.name,
        "executable": sys.executable,
        "argv": list(sys.argv),
        "cwd": os.getcwd(),  # noqa: PTH109 - as the process sees it
        "pid": os.getpid(),
    }
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if main and "ipykernel" not in sys.modules:
        found["script"] = str(Path(main).absolute())
    return found


def _machine() -> Mapping[str, Any]:
    with whole_imports():
        import platform
        import subprocess  # noqa: F401 - some versions of platform bring it when they are asked

        # In here, because `platform` asks under a lock: a child forked meanwhile would wait for ever.
        system, processor = platform.platform(), platform.processor() or platform.machine()
    found: Dict[str, Any] = {
        "host": host_name(),
        "machine": host_name(),  # on a GPU machine `host` is home's
        "user": _user(),
        "platform": system,
        "cpu": {"model": _cpu_model() or processor, "count": _cpu_count()},
    }
    memory = _memory_gib()
    if memory is not None:
        found["memory_gib"] = memory
    found.update(_torch())
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in many containers
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def _cpu_count() -> Optional[int]:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return ""


def _memory_gib() -> Optional[float]:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1024**3, 2)
    except (AttributeError, OSError, ValueError):
        return None


def _torch() -> Mapping[str, Any]:
    """Of torch only what is known without importing or starting anything."""
    torch = sys.modules.get("torch")
    version = getattr(torch, "__version__", None)
    if version is None:
        return {}
    return {
        "torch": {"version": str(version), "cuda": getattr(getattr(torch, "version", None), "cuda", None)}
    }


def _gpus() -> Mapping[str, Any]:
    found = nvml.Devices.open().describe()
    return {"gpus": found} if found else {}


def _environment() -> Mapping[str, Any]:
    return {
        "environment": {
            name: mask_text(name) if looks_secret(name) else value
            for name, value in sorted(os.environ.items())
        }
    }


def _seeds() -> Mapping[str, Any]:
    """Seeds that can be known: torch tells its own, NumPy's legacy generator shows it until first used."""
    found: Dict[str, Any] = {}
    hashing = os.environ.get("PYTHONHASHSEED")
    if hashing:
        found["PYTHONHASHSEED"] = hashing
    initial_seed = getattr(sys.modules.get("torch"), "initial_seed", None)
    if initial_seed is not None:
        found["torch"] = int(initial_seed())
    get_state = getattr(getattr(sys.modules.get("numpy"), "random", None), "get_state", None)
    if get_state is not None:
        name, key, position = get_state()[:3]
        # numpy/random/src/mt19937: seeding by an int leaves it in key[0], by entropy leaves 0x80000000.
        if name == "MT19937" and position == 624 and int(key[0]) != 0x80000000:
            found["numpy"] = int(key[0])
    return {"seeds": found} if found else {}


def packages(search_path: List[str]) -> Dict[str, str]:
    """Versions of the installed distributions by normalised name (PEP 503), the first on the path wins.

    Read from the names of the metadata folders (PEP 376, PEP 427), which takes 2 ms where
    ``importlib.metadata`` opens every file and takes 300.
    """
    found: Dict[str, str] = {}
    for folder in search_path:
        try:
            entries = sorted(entry.name for entry in os.scandir(folder or "."))
        except OSError:
            continue
        for entry in entries:
            stem, _, ending = entry.rpartition(".")
            if ending not in ("dist-info", "egg-info"):
                continue
            name, _, version = stem.partition("-")
            if ending == "egg-info":
                version = re.sub(r"-py\d.*$", "", version)
            if name and version:
                found.setdefault(_NORMAL.sub("-", name).lower(), version)
    return dict(sorted(found.items()))
