"""The agent's loop: everything its kernel says goes to the spool, whatever the spool holds goes home."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from gpu_provisioner import wire
from gpu_provisioner.agent import idle
from gpu_provisioner.agent.clients import Clients
from gpu_provisioner.agent.gauge import Gauge
from gpu_provisioner.agent.guard import Guard
from gpu_provisioner.agent.heir import Inheritance
from gpu_provisioner.agent.keeper import Keeper
from gpu_provisioner.agent.kernels import Kernels, Place
from gpu_provisioner.agent.machine import describe_machine
from gpu_provisioner.agent.mirror import MirroredFolder, work_folder
from gpu_provisioner.agent.places import process_birth, write_private
from gpu_provisioner.agent.process import AgentConfig, KernelProcess
from gpu_provisioner.agent.streams import is_needed
from gpu_provisioner.agent.zeromq import zmq

_ACTIVE_POLL_S = 0.1
_IDLE_POLL_S = 0.5
_ACTIVE_FOR_S = 3.0
_HOUSEKEEPING_S = 1.0
_LAST_ACK_S = 15.0
_NOBODY_S, _NOBODY_FOR_HEIR_S, _GONE_FROM_HEIR_S = 3.0, 120.0, 8.0
"""How long an agent whose work is over waits for somebody to fetch the rest: one that has just been stopped,
and one that was started for nothing else, until he comes and after he has gone. Whoever comes later starts
another."""


class Agent:
    """One kernel's keeper. Single-threaded; :meth:`run` returns when its work is over.

    Args:
        folder: the agent's folder.
        runtime: the folder of its sockets.
        kernel: the first kernel, already started; ``None`` to bring home what a former agent left.
        wakeup: file descriptor that becomes readable, with its number, when a signal has arrived.
        guard: told the process group of every kernel that starts, for the supervisor.
    """

    def __init__(
        self,
        config: AgentConfig,
        folder: Path,
        runtime: Path,
        kernel: Optional[KernelProcess],
        wakeup: int,
        guard: Guard,
    ) -> None:
        self._config, self._folder, self._runtime = config, folder, runtime
        self._wakeup, self._guard = wakeup, guard
        self._poller = zmq.Poller()
        self._keeper = Keeper(folder, config.quota_bytes, lambda full: self._kernels.be_quiet(full))
        place = Place(config, folder, runtime)
        self._kernels = Kernels(place, self._poller, self._keeper, guard, kernel, self._write_facts)
        self._mirrored: Optional[MirroredFolder] = None
        if config.work:
            self._mirrored = MirroredFolder(work_folder(config.work, os.environ), self._keeper.notice)
        self._machine: Optional[Dict[str, Any]] = None
        self._idleness = idle.Idleness(config.idle_s, idle.use_of(config.gpus), time.monotonic())
        self._stopped_by = ""
        self._over = "" if kernel is not None else "died"
        """Why no kernel will run here any more: ``"stopped"``, ``"died"`` (the former agent), or ``""``."""
        self._nobody_s = _NOBODY_S if kernel is not None else _NOBODY_FOR_HEIR_S
        self._inheritance: Optional[Inheritance] = None
        self._released = False
        """Whether its holder was told to give the machine back."""
        self._ack_seen = (0, time.monotonic())
        """What the holder last acknowledged, and when that was new."""
        self._over_since = self._scanned = self._kept_house = time.monotonic()
        self._poller.register(wakeup, zmq.POLLIN)
        self._clients = Clients(
            runtime, self._poller, self._keeper, self._on_message, self._on_holder, self._describe
        )
        self._clients.gauge = Gauge(config.gpus)
        self._keeper.spool.meanwhile = self._clients.send
        self._write_facts()

    @property
    def is_all_home(self) -> bool:
        """Whether every byte of the spool has been acknowledged."""
        return self._keeper.is_all_home

    def succeed_dead(self, died: Mapping[str, Any]) -> None:
        """Bring home the rest of an agent that died; ``died``: how (:class:`Inheritance`)."""
        self._inheritance = Inheritance(self._keeper, died, self._kernels.report_death)

    def succeed_stopped(self, ended: Mapping[str, Any]) -> None:
        """Bring home the rest of an agent that ended as it should, but while nobody was there to fetch it;
        ``ended``: what its :meth:`word_for_heir` was."""
        self._finish("stopped")
        self._stopped_by, self._released = str(ended.get("by")), bool(ended.get("release"))

    def word_for_heir(self) -> Dict[str, Any]:
        """How this agent was stopped, for one that fetches the rest; empty if it was not."""
        if self._over != "stopped":
            return {}
        return {"by": self._stopped_by, "release": self._released, "time": time.time()}

    def _on_holder(self, home: int, boundary: int) -> int:
        if self._over:
            self._nobody_s = min(self._nobody_s, _GONE_FROM_HEIR_S)
        return self._inheritance.meet(home, boundary) if self._inheritance is not None else home

    def run(self) -> None:
        try:
            while not self._is_done():
                self._turn()
        finally:
            self._clients.close()
            if self._mirrored is not None:
                self._mirrored.save()

    def _turn(self) -> None:
        active = time.monotonic() - self._keeper.grew_at < _ACTIVE_FOR_S
        pause = _ACTIVE_POLL_S if active or self._over else _IDLE_POLL_S
        self._clients.prepare()
        self._kernels.let_output_gather()
        events = dict(self._poller.poll(0 if self._keeper.has_more_files else int(pause * 1000)))
        self._kernels.receive(events)
        if self._wakeup in events and signal.SIGTERM in os.read(self._wakeup, 4096):
            self._stop("SIGTERM")
        self._kernels.watch()
        self._finish_if_stopped()
        self._clients.receive(events)
        now = time.monotonic()
        if now - self._scanned >= pause or self._keeper.has_more_files:
            self._scanned = now
            self._keeper.scan_files()
        if now - self._kept_house >= _HOUSEKEEPING_S:
            self._kept_house = now
            self._keep_house()
        self._clients.flush()

    def _is_done(self) -> bool:
        if self._kernels.process is not None or not self._over:
            return False
        now = time.monotonic()
        holder = self._clients.holder()
        if holder is None:
            alone = now - max(self._clients.lonely_since, self._over_since)
            told = self._inheritance is None or self._inheritance.is_told
            return (told and self.is_all_home) or alone > self._nobody_s
        if holder.acked >= self._keeper.spool.end and not holder.closing:
            holder.put(wire.REFUSAL, wire.to_json({"reason": self._over, "by": self._stopped_by}))
            holder.closing = True
        if holder.acked != self._ack_seen[0]:
            self._ack_seen = (holder.acked, now)
        # A slow line may need long for the rest: as long as some of it arrives, it is waited for.
        return self._over == "stopped" and now - max(self._over_since, self._ack_seen[1]) > _LAST_ACK_S

    # ------------------------------------------------------------------ from home

    def _on_message(self, epoch: int, channel: int, parts: List[wire.Buffer]) -> None:
        self._keeper.grew_at = time.monotonic()
        self._idleness.needed(self._keeper.grew_at)
        if channel == wire.FILE:
            if self._mirrored is not None:
                self._mirrored.apply([bytes(part) for part in parts])
        elif channel == wire.EVENT:
            self._on_command(wire.from_json(parts[0]))
        else:
            self._kernels.take(epoch, channel, parts)

    def _on_command(self, command: Mapping[str, Any]) -> None:
        kind = command.get("type")
        if kind == "stop":
            self._stop(str(command.get("by") or "the user"))
        elif kind == "restart" and not self._over and not self._stopped_by:
            self._kernels.restart()
        elif kind == "interrupt":
            self._kernels.interrupt()
        elif kind == "hand-over":
            self._keeper.keep(wire.encode_event("hand-over", by=str(command.get("by") or "somebody else")))

    def _stop(self, by: str, **more: Any) -> None:
        if self._stopped_by:
            return
        self._stopped_by = by
        self._released = bool(more.get("release"))
        self._keeper.keep(wire.encode_event("stopping", by=by, **more))
        self._kernels.stop(by)
        self._finish_if_stopped()

    def _finish_if_stopped(self) -> None:
        if self._stopped_by and not self._over and self._kernels.process is None:
            self._finish("stopped")

    def _finish(self, why: str) -> None:
        self._over = why
        self._over_since = time.monotonic()

    # ------------------------------------------------------------------ house

    def _keep_house(self) -> None:
        if self._keeper.keep_house():
            write_private(self._folder / "config.json", json.dumps(asdict(self._config)).encode())
            self._write_facts()
            self._keeper.notice(
                f"The agent's folder {self._folder} was deleted while its kernel runs. The kernel "
                "goes on, but what runs have logged into deleted files since the last look is lost."
            )
        if self._mirrored is not None:
            self._mirrored.save()
        self._clients.keep_house()
        self._guard.look()
        if not self._over and not self._stopped_by:
            self._look_whether_needed(time.monotonic())

    def _look_whether_needed(self, now: float) -> None:
        verdict = self._idleness.look(now, self._kernels.is_busy or is_needed(self._folder))
        if verdict == "warn":
            self._keeper.keep(idle.warning(self._idleness, now))
        elif verdict == "stay":
            self._keeper.keep(idle.stays())
        elif verdict == "end":
            self._stop(idle.reason(self._idleness), release=True)

    def _write_facts(self) -> None:
        """``agent.json``: how to find this agent, and how to tell that it is this one."""
        kernel = self._kernels.process
        facts = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "birth": process_birth(os.getpid()),
            "lease": self._config.lease,
            "epoch": self._keeper.epoch,
            "kernel": kernel.pid if kernel else None,
            "kernel_birth": process_birth(kernel.pid) if kernel else None,
            "python": sys.executable,
            "socket": str(self._runtime / "attach"),
            "pipes": "taken",  # see gpu_provisioner.agent.attach
        }
        write_private(self._folder / "agent.json", json.dumps(facts).encode())

    def _describe(self) -> Dict[str, Any]:
        """What the welcome says besides positions."""
        if self._machine is None:
            self._machine = describe_machine(self._folder, with_gpus=self._config.device != "cpu")
        return {
            "epoch": self._keeper.epoch,
            "pid": self._kernels.process.pid if self._kernels.process else None,
            "ready": self._kernels.is_ready,
            "machine": self._machine,
        }
