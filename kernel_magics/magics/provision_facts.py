"""Facts of home that travel with every cell: the remote machine has no notebook and no ``.git``.

Cheap for every cell (a few file stats); only for a cell that may begin a run is git asked for what
differs from the commit, in a thread and with a time limit.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import socket
from dataclasses import asdict
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from kernel_magics.bridge.cells import asks_for_facts
from kernel_magics.model import CaptureSettings

_GIT_LIMIT_S = 3.0
_OF_THIS_MOMENT = frozenset({"dirty", "diff", "diff_truncated"})
"""What only a fresh answer of git can tell; not repeated for the cells after it."""

AskGit = Callable[[bool], Mapping[str, Any]]
"""``ask(with_diff)``: ``{"git": {root, commit, branch, dirty, diff, …}}``, or ``{}`` outside a repository."""


class HomeFacts:
    """Collects ``metadata["trackside"]`` of a request.

    Args:
        static: what does not change while the kernel lives; values of ``None`` are left out.
        ask_git: asks git; called in a thread.
        capture: the ``[capture]`` settings.
    """

    def __init__(self, static: Mapping[str, Any], ask_git: AskGit, capture: CaptureSettings) -> None:
        self._static = {key: value for key, value in static.items() if value is not None}
        self._ask_git = ask_git
        self._capture = asdict(capture)
        self._git: Dict[str, Any] = {}
        self._mark: Any = None

    async def of_request(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The facts that go with one ``execute_request``."""
        home: Dict[str, Any] = dict(self._static)
        cell_id = (request.get("metadata") or {}).get("cellId")
        if cell_id is not None:
            home["cell_id"] = cell_id
        git = await self._git_facts(asks_for_facts(str(request["content"].get("code", ""))))
        if git:
            home["git"] = git
        return {"home": home, "capture": self._capture}

    async def _git_facts(self, fresh: bool) -> Mapping[str, Any]:
        """Commit and branch as last seen, asked anew when HEAD has moved or the cell may begin a run."""
        if not fresh and self._mark is not None and self._mark == self._head_mark():
            return self._git
        asking = asyncio.get_running_loop().run_in_executor(
            None, self._ask_git, fresh and self._capture["diff"]
        )
        try:
            found = dict((await asyncio.wait_for(asking, _GIT_LIMIT_S)).get("git", {}))
        except asyncio.TimeoutError:
            return {**self._git, "incomplete": f"git did not answer within {_GIT_LIMIT_S:.0f} s"}
        except Exception as error:  # noqa: BLE001 - a deleted folder, no more processes: the cell runs all the same
            return {**self._git, "incomplete": repr(error)}
        self._git = {key: value for key, value in found.items() if key not in _OF_THIS_MOMENT}
        self._mark = self._head_mark()
        return found

    def _head_mark(self) -> Tuple[Any, ...]:
        """Changes with every commit, checkout and reset; the same outside of a repository."""
        folder = Path(self._git.get("root", "")) / ".git"
        return tuple(_changed(folder / name) for name in ("HEAD", "logs/HEAD")) if self._git else ()


def _changed(path: Path) -> Optional[int]:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def static_facts(kernel_id: Optional[str], lease_id: str, environ: Mapping[str, str]) -> Dict[str, Any]:
    """Notebook, host, user and lease, as the journal names them."""
    return {
        "notebook": notebook_path(environ),
        "host": socket.gethostname(),
        "user": _user(environ),
        "kernel_id": kernel_id,
        "lease": lease_id,
    }


def notebook_path(environ: Mapping[str, str]) -> Optional[str]:
    """Path of the notebook whose kernel this is, as Jupyter Server told it (VS Code tells it otherwise)."""
    path = environ.get("JPY_SESSION_NAME")
    return str(Path(path)) if path else None


def kernel_id_of(connection_file: str) -> Optional[str]:
    """Jupyter Server's id of a kernel, from the name of its connection file (``kernel-<id>.json``)."""
    name = Path(connection_file).stem
    return name[len("kernel-") :] if name.startswith("kernel-") else None


def _user(environ: Mapping[str, str]) -> Optional[str]:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return environ.get("USER") or str(os.getuid())
