"""A kernel of this server has died: the runs it was recording learn by what.

Jupyter Server's restarter notices a death within three seconds and says so before it starts the kernel
again, while the provisioner still knows the dead process. A kernel that a person restarts or shuts down
ends its runs itself; when it had to be killed for that, this says who asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from kernel_magics.tracking.processes import start_ticks

KERNEL_ACTIONS = "https://events.jupyter.org/jupyter_server/kernel_actions/v1"

Report = dict[str, Any]
"""``{"pid", "start_ticks", "returncode", "signal", "reason"}`` for ``tracking.aftermath``."""


@dataclass
class _Watched:
    """A kernel and its process whose end has not been reported.

    ``start_ticks`` is asked while the process lives: its id may be another's when the end is reported.
    """

    manager: Any
    pid: int | None = None
    start_ticks: int | None = None

    def look(self) -> None:
        """Learn which process the kernel has now."""
        self.pid = _pid(self.manager)
        self.start_ticks = None if self.pid is None else start_ticks(self.pid)


class KernelDeaths:
    """Watches the kernels of a ``MappingKernelManager``.

    Args:
        kernels: the server's kernel manager.
        close_runs: called in a thread with a report for each process that has ended.
    """

    def __init__(self, kernels: Any, close_runs: Callable[[Report], object], log: logging.Logger) -> None:
        self._kernels = kernels
        self._close_runs = close_runs
        self._log = log
        self._watched: dict[str, _Watched] = {}
        self._reports: set[asyncio.Task[None]] = set()
        self._ending = False

    def listen(self, event_logger: Any) -> None:
        """Hears of kernels that start from now on; those that run already are watched at once."""
        event_logger.add_listener(schema_id=KERNEL_ACTIONS, listener=self._on_action)
        self._watch_new()

    async def finish(self) -> None:
        """Waits for the reports under way; those that still come are written at once, as the server ends."""
        self._ending = True
        await asyncio.gather(*self._reports)

    async def _on_action(self, *, data: dict[str, Any], **_about: Any) -> None:
        """An action of the kernel manager. Takes any keyword: if the call failed, no kernel could start."""
        self._watch_new()
        watched = self._watched.get(data.get("kernel_id", ""))
        if watched is None or data.get("status") != "success":
            return
        if data["action"] == "restart":
            self._ended(
                watched, signal=_asked_by(watched.manager), reason="the kernel was restarted from Jupyter"
            )
            watched.look()
        elif data["action"] == "shutdown":
            self._ended(
                watched, signal=_asked_by(watched.manager), reason="the kernel was shut down from Jupyter"
            )
            del self._watched[data["kernel_id"]]

    def _watch_new(self) -> None:
        for kernel_id in self._kernels.list_kernel_ids():
            if kernel_id not in self._watched:
                manager = self._kernels.get_kernel(kernel_id)
                watched = self._watched[kernel_id] = _Watched(manager)
                watched.look()
                manager.add_restart_callback(partial(self._died, watched), "restart")
                manager.add_restart_callback(partial(self._died, watched), "dead")

    def _died(self, watched: _Watched) -> None:
        process = getattr(watched.manager.provisioner, "process", None)
        self._ended(watched, returncode=getattr(process, "returncode", None))

    def _ended(
        self, watched: _Watched, returncode: int | None = None, signal: str | None = None, reason: str = ""
    ) -> None:
        """Reports the end of the process that ``watched`` names, once."""
        pid, watched.pid = watched.pid, None
        if pid is None:
            return
        report = {
            "pid": pid,
            "start_ticks": watched.start_ticks,
            "returncode": returncode,
            "signal": signal,
            "reason": reason,
        }
        if self._ending:
            self._report(report)
            return
        task = asyncio.get_running_loop().create_task(asyncio.to_thread(self._report, report))
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    def _report(self, report: Report) -> None:
        try:
            self._close_runs(report)
        except Exception:  # noqa: BLE001  a full disk must not break the restarting of kernels
            self._log.exception("Trackside: the end of process %s could not be recorded", report["pid"])


def _pid(manager: Any) -> int | None:
    """The process of a local kernel; ``None`` for a kernel that is not this machine's."""
    pid = getattr(getattr(manager, "provisioner", None), "pid", None)
    return pid if isinstance(pid, int) else None


def _asked_by(manager: Any) -> str | None:
    """The signal to which Jupyter had to resort when it ended the kernel; ``None`` when asking was enough.

    ``jupyter_client`` keeps it in ``_shutdown_status``; where that is not there, the signal stays unnamed.
    """
    status = getattr(getattr(manager, "_shutdown_status", None), "name", "")
    return {"SigtermRequest": "SIGTERM", "SigkillRequest": "SIGKILL"}.get(status)
