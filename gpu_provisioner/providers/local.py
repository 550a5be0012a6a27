"""The machine this runs on: its GPUs by NVML, or its processors."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import socket
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from gpu_provisioner.agent.devices import describe_gpus
from gpu_provisioner.agent.places import agent_facts, agent_folder, runtime_folder
from gpu_provisioner.gpus import canonical_name, matches
from gpu_provisioner.model import Gpu, GpuRequest, Lease, LeaseState, Offer
from gpu_provisioner.prices import price_of
from gpu_provisioner.providers.base import LiveLeases, Target

_STOP_LIMIT_S = 20.0


class LocalProvider:
    """Leases parts of this machine. They cost nothing, so no price is shown unless the target names one."""

    OPTIONS: Mapping[str, type] = {"python": str, "env": dict, "usd_per_gpu_hour": float, "price_list": str}

    def __init__(self, target: Target, live_leases: LiveLeases) -> None:
        self._target = target
        self._live_leases = live_leases

    def offers(self, request: GpuRequest) -> List[Offer]:
        """One offer for each model that has enough free GPUs; of these the ones with the lowest index."""
        if request.is_cpu:
            return [self._offer("cpu", ())]
        free: Dict[str, List[Gpu]] = defaultdict(list)
        for gpu in self.gpus()[0]:
            if not gpu.busy and matches(request, gpu):
                free[gpu.model].append(gpu)
        return [
            self._offer(model, tuple(gpus[: request.count]))
            for model, gpus in sorted(free.items(), key=lambda item: (item[1][0].memory_gib, item[0]))
            if len(gpus) >= request.count
        ]

    def inventory(self) -> str:
        """What this machine has: its GPUs and who uses them, or why there is none."""
        gpus, problem = self.gpus()
        if not gpus:
            return f"no GPU here: {problem}" if problem else "no GPU here"
        return "; ".join(
            f"GPU {gpu.index} {gpu.model} {gpu.memory_gib:.0f} GiB, "
            + (f"busy ({gpu.busy_reason})" if gpu.busy else "free")
            for gpu in gpus
        )

    def submit(self, offer: Offer, lease: Lease) -> Lease:
        """Nothing is rented here; what the other methods need is put down."""
        options = dict(self._target.options)
        python = str(options.get("python") or sys.executable)
        env = {str(name): str(value) for name, value in (options.get("env") or {}).items()}
        env["CUDA_VISIBLE_DEVICES"] = ",".join(gpu.uuid for gpu in offer.gpus)
        folder = agent_folder(lease.id, {**os.environ, **env})
        handle = {
            "python": python,
            "env": env,
            "options": options,
            "folder": str(folder),
            "runtime": str(runtime_folder(lease.id, {**os.environ, **env})),
            "agent": {"cwd": str(Path.cwd())},
        }
        return dataclasses.replace(
            lease, handle={**lease.handle, **handle}, machine=socket.gethostname(), state=LeaseState.STARTING
        )

    def status(self, lease: Lease) -> LeaseState:
        """``READY`` while the lease's agent lives on this machine, else ``LOST``."""
        if "folder" not in lease.handle:
            return LeaseState.LOST
        return LeaseState.READY if agent_facts(Path(lease.handle["folder"])) else LeaseState.LOST

    def carrier_argv(self, lease: Lease, command: Sequence[str]) -> List[str]:  # noqa: ARG002 - the contract
        """The command itself: this machine is where it should run."""
        return list(command)

    def release(self, lease: Lease) -> None:
        """End the agent, and with it the kernel; then remove what it left, if all of that is home."""
        if "folder" not in lease.handle:
            return
        folder = Path(lease.handle["folder"])
        facts = agent_facts(folder)
        if facts is not None:
            _end_agent(folder, int(facts["pid"]))
        shutil.rmtree(lease.handle["runtime"], ignore_errors=True)
        if lease.state in (LeaseState.PLANNED, LeaseState.STARTING):
            # Nobody has ever held it: there is nothing in the folder that anybody could miss.
            shutil.rmtree(folder, ignore_errors=True)

    def find(self, tag: str) -> List[Lease]:
        """Leases of this machine have their lease files here too; none is ever found without one."""
        return [
            lease
            for lease in self._live_leases()
            if lease.id == tag and self.status(lease) == LeaseState.READY
        ]

    def gpus(self) -> Tuple[List[Gpu], str]:
        """This machine's GPUs, and why there are none or fewer than there should be (or ``""``)."""
        described = describe_gpus()
        leased = _leased_gpus(self._live_leases())
        return [_gpu(facts, leased) for facts in described["gpus"]], str(described["gpu_problem"])

    def _offer(self, device: str, gpus: Tuple[Gpu, ...]) -> Offer:
        if gpus:
            detail = f"{len(gpus)} × " if len(gpus) > 1 else ""
            detail += f"{gpus[0].name}, {gpus[0].memory_gib:.0f} GiB, free"
        else:
            detail = f"{os.cpu_count()} processor cores"
        price = price_of(device, self._target.options)
        return Offer(
            provider=self._target.provider,
            target=self._target.name,
            device=device,
            gpus=gpus,
            usd_per_hour=price.usd_per_gpu_hour * len(gpus) if price else None,
            price_as_of=price.as_of if price else None,
            detail=detail,
        )


def _gpu(facts: Mapping[str, Any], leased: Mapping[str, str]) -> Gpu:
    holder: Optional[str] = leased.get(facts["uuid"])
    return Gpu(
        index=facts["index"],
        name=facts["name"],
        uuid=facts["uuid"],
        memory_gib=facts["memory_gib"],
        model=canonical_name(facts["name"], facts["memory_gib"]),
        busy=facts["busy"] or holder is not None,
        busy_reason=f"leased by you as {holder!r}" if holder else facts["busy_reason"],
    )


def _leased_gpus(leases: Iterable[Lease]) -> Dict[str, str]:
    """UUID → name of the live lease that has it."""
    return {gpu.uuid: lease.name for lease in leases for gpu in lease.gpus}


def _end_agent(folder: Path, pid: int) -> None:
    """SIGTERM, which lets the agent end its kernel and bring home the rest; SIGKILL after 20 s, which makes
    its
    supervisor end the kernel."""
    deadline = time.monotonic() + _STOP_LIMIT_S
    _kill(pid, signal.SIGTERM)
    while agent_facts(folder) is not None:
        if time.monotonic() > deadline:
            _kill(pid, signal.SIGKILL)
            return
        time.sleep(0.02)


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        pass
