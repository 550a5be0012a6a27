"""The agent's kernel, and after a restart the next one: what it says is kept, what is for it is passed on."""

from __future__ import annotations

import importlib
import platform
import socket
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, List, Mapping, Optional, Sequence

from gpu_provisioner import wire
from gpu_provisioner.agent import idle
from gpu_provisioner.agent.cell_note import cell_note
from gpu_provisioner.agent.channels import KernelChannels
from gpu_provisioner.agent.guard import Guard
from gpu_provisioner.agent.keeper import Keeper
from gpu_provisioner.agent.process import AgentConfig, KernelProcess
from gpu_provisioner.agent.zeromq import zmq

_GATHER_MS = 1
_BOOT_DEATHS = 2


@dataclass(frozen=True)
class Place:
    """Where and how kernels run: the agent's configuration, its folder, and the folder of its sockets."""

    config: AgentConfig
    folder: Path
    runtime: Path


class Kernels:
    """One kernel at a time.

    Args:
        poller: the loop's.
        guard: told the process group of every kernel that starts, for the supervisor.
        first: already started; ``None`` when there is none any more.
        on_start: called when another kernel has started.
    """

    def __init__(
        self,
        place: Place,
        poller: Any,
        keeper: Keeper,
        guard: Guard,
        first: Optional[KernelProcess],
        on_start: Callable[[], None],
    ) -> None:
        self._place, self._poller, self._keeper, self._guard = place, poller, keeper, guard
        self._on_start = on_start
        self._context = zmq.Context()
        self.process = first
        self._channels: Optional[KernelChannels] = None
        self._held: List[wire.Message] = []
        """Messages for a kernel that is still starting."""
        self._requests = idle.Requests()
        self._gathers = False
        """Whether the kernel has just said something that was no answer: there may be more of it."""
        self._boot_deaths = 0
        self._restart = False
        self._interrupt_when_ready = False
        self._stopped_by = ""
        if first is not None:
            keeper.epoch = first.epoch
            self._channels = KernelChannels(self._context, poller, first.connection)

    @property
    def is_ready(self) -> bool:
        return self._channels is not None and self._channels.ready

    @property
    def is_busy(self) -> bool:
        """Whether the kernel works on a request."""
        return self._requests.busy

    # ------------------------------------------------------------------ what it says

    def let_output_gather(self) -> None:
        """While a kernel says much, it is heard a thousand times a second and not at every message, which
        would take the processor from it. Answers, and what comes from home, are not waited with."""
        if self._gathers and self._channels is not None and not self._keeper.full:
            self._channels.quiet_iopub(True)
            self._poller.poll(_GATHER_MS)
            self._channels.quiet_iopub(False)
        self._gathers = False

    def receive(self, events: Mapping[Any, int]) -> None:
        """Keep what has come, by what was polled."""
        channels = self._channels
        if channels is None:
            return
        was_ready = channels.ready
        messages, settles = channels.receive(events, iopub=not self._keeper.full)
        if channels.ready and not was_ready:
            self._has_become_ready(channels)
        if settles:
            # When a cell's answer is home, so are its metrics.
            self._keeper.scan_files()
        if messages:
            self._gathers = not settles
            self._requests.heard(messages)
            self._keep(messages)

    def be_quiet(self, quiet: bool) -> None:
        """Leave the kernel's output where it is, or go on."""
        if self._channels is not None:
            self._channels.quiet_iopub(quiet)

    def _keep(self, messages: Sequence[wire.Message]) -> None:
        self._keeper.keep(*(piece for message in messages for piece in wire.record_pieces(*message)))

    def _has_become_ready(self, channels: KernelChannels) -> None:
        assert self.process is not None
        self._boot_deaths = 0
        facts = {"epoch": self.process.epoch, "pid": self.process.pid, "python": platform.python_version()}
        self._keeper.keep(wire.encode_event("kernel-started", **facts))
        held, self._held = self._held, []
        for channel, parts in held:
            self._send(channels, channel, parts)
        if self._interrupt_when_ready:
            self._interrupt_when_ready = False
            self.process.interrupt()

    # ------------------------------------------------------------------ what is for it

    def take(self, epoch: int, channel: int, parts: List[wire.Buffer]) -> None:
        """Pass a message on, when the kernel is ready; drop it when it is for one that has ended: its sender
        will read so in the spool."""
        if epoch != self._keeper.epoch or self._channels is None or channel not in wire.CHANNELS_UP:
            return
        if self._channels.ready:
            self._send(self._channels, channel, parts)
        else:
            self._held.append((channel, parts))

    def restart(self) -> None:
        """End the kernel and start another, or start one where none runs."""
        self._restart = True
        if self.process is None:
            self._start()
        else:
            self._end()

    def interrupt(self) -> None:
        """Ctrl-C, also for a kernel that is still starting."""
        if self.process is None:
            return
        if self.is_ready:
            self.process.interrupt()
        else:
            self._interrupt_when_ready = True

    def stop(self, by: str) -> None:
        """End the kernel; none is started any more."""
        self._stopped_by = by
        self._end()

    def _send(self, channels: KernelChannels, channel: int, parts: Sequence[wire.Buffer]) -> None:
        note = cell_note(parts) if channel == wire.SHELL else None
        if note is not None:
            self._keeper.keep(note)
        channels.send(channel, parts)

    # ------------------------------------------------------------------ from one to the next

    def watch(self) -> None:
        """Notice that the kernel has ended; unless it was stopped, start the next."""
        kernel = self.process
        if kernel is None:
            return
        kernel.push_end()
        if kernel.poll() is None:
            return
        self._drain()
        kernel.sweep()
        reason = kernel.reason()
        if self._stopped_by:
            reason = f"released by {self._stopped_by}"
        elif self._restart:
            reason = "restarted"
        was_ready = self.is_ready
        self.report_death(kernel.process.returncode, reason)
        self.process = None
        self._requests.forget()
        if self._channels is not None:
            self._channels.close()
            self._channels = None
        self._boot_deaths = 0 if was_ready else self._boot_deaths + 1
        if self._stopped_by:
            return
        if self._restart or self._boot_deaths < _BOOT_DEATHS:
            self._start()
        else:
            self._keeper.notice(
                "The kernel ends before it is ready; it is not tried again until you restart it."
            )

    def report_death(self, returncode: Optional[int], reason: str) -> None:
        """The last word on a kernel: its runs are closed, all journals spooled, then the event."""
        number = -returncode if returncode is not None and returncode < 0 else None
        facts = {"epoch": self._keeper.epoch, "returncode": returncode, "signal": number, "reason": reason}
        self._close_runs(facts)
        self._keeper.scan_files(thorough=True)
        self._keeper.keep(wire.encode_event("kernel-died", **facts))

    def _drain(self) -> None:
        """Take what the dead kernel's sockets still hold: until nothing has come for 50 ms."""
        deadline = time.monotonic() + 2.0
        quiet_since = time.monotonic()
        while self._channels and time.monotonic() < deadline and time.monotonic() - quiet_since < 0.05:
            messages, _ = self._channels.receive(dict(self._poller.poll(10)), iopub=True)
            if messages:
                quiet_since = time.monotonic()
                self._keep(messages)

    def _close_runs(self, facts: Mapping[str, Any]) -> None:
        """Call the hook of another package; it may fail, the agent may not."""
        config = self._place.config
        module, _, name = config.hook.partition(":")
        if not module:
            return
        report = {**facts, "time": time.time(), "host": socket.gethostname(), "lease": config.lease}
        try:
            getattr(importlib.import_module(module), name)(self._place.folder / "data", report)
        except Exception as error:  # noqa: BLE001 - another package's code; its failure is told in the notebook
            traceback.print_exc()
            self._keeper.notice(f"The runs of the ended kernel could not be closed: {error}")

    def _start(self) -> None:
        self._restart = False
        self._held.clear()
        self._keeper.epoch += 1
        place = self._place
        self.process = KernelProcess.start(place.config, place.folder, place.runtime, self._keeper.epoch)
        self._guard.tell(self.process.pid)
        self._channels = KernelChannels(self._context, self._poller, self.process.connection)
        self.be_quiet(self._keeper.full)
        self._on_start()

    def _end(self) -> None:
        if self.process is None:
            return
        self.process.end()
        if self._channels is not None and self._channels.ready:
            self._channels.request(wire.CONTROL, "shutdown_request", {"restart": self._restart})
