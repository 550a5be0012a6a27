"""The machine this runs on: its GPUs by NVML, or its processors."""

from __future__ import annotations

import dataclasses
import os
import socket
import sys
from pathlib import Path
from typing import Any, List, Mapping, Optional, Sequence

from gpu_provisioner.agent.devices import describe_gpus
from gpu_provisioner.agent.ending import end_agent, living_agents
from gpu_provisioner.agent.places import agent_facts, agent_folder, runtime_folder
from gpu_provisioner.agent.whereabouts import elsewhere, not_here
from gpu_provisioner.errors import ProviderError, ProvisionError
from gpu_provisioner.model import GpuRequest, Lease, LeaseState, Offer
from gpu_provisioner.providers.base import TERMS, LiveLeases, Target
from gpu_provisioner.providers.one_machine import Machine


class LocalProvider:
    """Leases parts of this machine. They cost nothing, so no price is shown unless the target names one."""

    OPTIONS: Mapping[str, type] = {"python": str, "env": dict, **TERMS}
    ASK_PAUSE_S = 0.0

    def __init__(self, target: Target, live_leases: LiveLeases) -> None:
        self._target = target
        self._live_leases = live_leases

    def offers(self, request: GpuRequest) -> List[Offer]:
        """One offer for each model that has enough free GPUs; of these the ones with the lowest index."""
        return self._machine(with_gpus=not request.is_cpu).offers(self._target, request)

    def inventory(self) -> str:
        """What this machine has: its GPUs and who uses them, or why there is none."""
        return self._machine().inventory("here")

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
            "agent": {"cwd": str(offer.options.get("cwd") or Path.cwd())},
        }
        return dataclasses.replace(
            lease, handle={**lease.handle, **handle}, machine=socket.gethostname(), state=LeaseState.STARTING
        )

    def status(self, lease: Lease) -> LeaseState:
        """``READY`` while the lease's agent lives on this machine, else ``LOST``."""
        if "folder" not in lease.handle:
            return LeaseState.LOST
        self._must_be_here(lease, "asked after")
        return LeaseState.READY if agent_facts(Path(lease.handle["folder"])) else LeaseState.LOST

    def carrier_argv(self, lease: Lease, command: Sequence[str]) -> List[str]:  # noqa: ARG002 - the contract
        """The command itself: this machine is where it should run."""
        return list(command)

    def release(self, lease: Lease) -> None:
        """End the agent, and with it the kernel; then remove what it left, if all of that is home."""
        if "folder" not in lease.handle:
            return
        self._must_be_here(lease, "ended")
        # A lease nobody has ever held left nothing that anybody could miss.
        never_held = lease.state in (LeaseState.PLANNED, LeaseState.STARTING)
        end_agent(Path(lease.handle["folder"]), Path(lease.handle["runtime"]), never_held)

    def _must_be_here(self, lease: Lease, what: str) -> None:
        """Raises ``ProviderError`` when the lease's agent lives on another machine that shares this home."""
        host = elsewhere(Path(lease.handle["folder"]))
        if host:
            raise ProviderError(f"{lease.name!r} cannot be {what}: {not_here(host)}.", f"the same on {host}")

    def living(self) -> List[Lease]:
        """This user's living agents on this machine, below this cache folder."""
        options = dict(self._target.options)
        env = {str(name): str(value) for name, value in (options.get("env") or {}).items()}
        return [self._found(each, env) for each in living_agents({**os.environ, **env})]

    def find(self, tag: str) -> List[Lease]:
        """The living agent with that lease id, if this user has one here."""
        return [lease for lease in self.living() if lease.id == tag]

    def _found(self, agent: Mapping[str, Any], env: Mapping[str, str]) -> Lease:
        folders = {**os.environ, **env}
        handle = {
            "python": str(self._target.options.get("python") or sys.executable),
            "env": dict(env),
            "options": dict(self._target.options),
            "folder": str(agent_folder(agent["lease"], folders)),
            "runtime": str(runtime_folder(agent["lease"], folders)),
            "agent": {},
            "owner": agent["owner"],
        }
        return Lease(
            id=agent["lease"],
            name=agent["lease"],
            provider="local",
            target=self._target.name,
            spec=agent["device"],
            state=LeaseState.READY,
            created=float(agent["since"]),
            device=agent["device"],
            machine=socket.gethostname(),
            handle=handle,
        )

    def explain(self, complaint: str, status: Optional[int]) -> Optional[ProvisionError]:  # noqa: ARG002
        """Nothing is known here that the command itself did not say."""
        return None

    def _machine(self, with_gpus: bool = True) -> Machine:
        gpus = describe_gpus() if with_gpus else {"gpus": [], "gpu_problem": ""}
        return Machine.described({**gpus, "cores": os.cpu_count()}, self._live_leases())
