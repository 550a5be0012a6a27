"""How the machine over there differs from this one: one line about the packages the notebook uses, and one
about a clock that is wrong.
"""

from __future__ import annotations

import ast
import json
import sys
import threading
import time
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Iterator, List, Mapping, Optional, Set

from gpu_provisioner.environment import packages_there
from gpu_provisioner.errors import ProvisionError
from gpu_provisioner.model import Lease

_OURS = frozenset({"kernel_magics", "gpu_provisioner", "jupyter_ext", "IPython", "ipykernel", "__main__"})
_SHOWN = 6
_CLOCK_LIMIT_S = 30.0
"""An answer may take some seconds on its way."""
_UNITS = (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))


class Comparison:
    """Asks the machine in a thread of its own, while its kernel is starting.

    Args:
        lease: whose Python is compared.
        modules: top-level names of what the notebook uses.
    """

    def __init__(self, lease: Lease, modules: Set[str]) -> None:
        self._lease, self._modules = lease, modules
        self._said: List[str] = []
        self._thread = threading.Thread(target=self._ask, daemon=True, name="trackside-packages")
        self._thread.start()

    def lines(self, limit_s: float) -> List[str]:
        """What differs; nothing when nothing does, or the machine does not tell in time."""
        self._thread.join(limit_s)
        return self._said

    def _ask(self) -> None:
        if self._lease.provider == "local" and self._lease.handle.get("python") == sys.executable:
            return
        packages = packages_of(self._modules)
        try:
            there = packages_there(self._lease, packages)
        except ProvisionError as error:
            self._said = [f"Packages: they could not be compared ({error.message.splitlines()[0]})"]
            return
        packages_said = differences(packages, there)
        self._said = [f"Packages: {packages_said}."] if packages_said else []
        self._said += clock_difference(float(there["time"]) - time.time())


def modules_of_notebook(namespace: Mapping[str, Any], notebook: Optional[str]) -> Set[str]:
    """Top-level names of the modules a notebook has loaded or imports in any of its cells.

    Neither the standard library's nor ours, nor files beside the notebook (they go along).
    """
    loaded = {value.__name__ for value in namespace.values() if isinstance(value, ModuleType)}
    names = {name.partition(".")[0] for name in (*loaded, *_imported(notebook))}
    return {
        name
        for name in names
        if name not in sys.stdlib_module_names and name not in _OURS and not _lies_beside(name)
    }


def packages_of(modules: Set[str]) -> Dict[str, str]:
    """Module → the package (distribution) that brings it here; its own name where that is not known."""
    known = packages_distributions()
    return {module: known.get(module, [module])[0] for module in sorted(modules)}


def differences(packages: Mapping[str, str], there: Mapping[str, Any]) -> str:
    """``"torch 2.13.0 here, 2.4.0 there; einops missing there"``, or ``""``.

    What follows a ``+`` (``2.13.0+cu128``) is the build and no difference.
    """
    if "versions" not in there:
        return "the Python there did not tell which it has"
    python = ".".join(map(str, sys.version_info[:2]))
    told: List[str] = [] if there["python"] == python else [f"Python {python} here, {there['python']} there"]
    missing: List[str] = []
    for module, found in there["versions"].items():
        if found is None:
            missing.append(module)
            continue
        here = _version_here(packages[module])
        if here and found and here.partition("+")[0] != found.partition("+")[0]:
            told.append(f"{module} {here} here, {found} there")
    told += [f"{', '.join(missing)} missing there"] if missing else []
    more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return "; ".join(told[:_SHOWN]) + more


def clock_difference(seconds: float) -> List[str]:
    """A sentence about a clock that is ``seconds`` ahead of this one; none when that is little."""
    off = abs(seconds)
    if off < _CLOCK_LIMIT_S:
        return []
    unit, length = next((unit, length) for unit, length in _UNITS if off >= length)
    way = "ahead of" if seconds > 0 else "behind"
    return [
        f"The clock there is {off / length:.1f} {unit} {way} this one; runs carry the times of the machine "
        "they ran on."
    ]


def _imported(notebook: Optional[str]) -> Iterator[str]:
    """Names in ``import`` statements of a notebook file's code cells."""
    for source in _cells(notebook):
        lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
        try:
            tree = ast.parse("\n".join(lines))
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module


def _cells(notebook: Optional[str]) -> Iterator[str]:
    try:
        cells = json.loads(Path(notebook or "").read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # Not saved yet, or not a notebook: what is loaded tells enough.
    for cell in cells:
        if cell.get("cell_type") == "code":
            source = cell.get("source", "")
            yield source if isinstance(source, str) else "".join(source)


def _lies_beside(name: str) -> bool:
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return False
    origin = spec.origin if spec is not None else None
    return bool(origin) and Path(str(origin)).resolve().is_relative_to(Path.cwd().resolve())


def _version_here(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
