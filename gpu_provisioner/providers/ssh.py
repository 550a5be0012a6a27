"""A machine reached by ssh: its GPUs by NVML over there, or its processors.

Nothing is installed there and no port is opened: code crosses on the standard input of one ``ssh``, and the
kernel's agent outlives that connection.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
import threading
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from gpu_provisioner import far_command, typed
from gpu_provisioner.agent.launch import NAME_THAT_MACHINE
from gpu_provisioner.agent.whereabouts import not_here
from gpu_provisioner.errors import LoginNeeded, ProviderError, ProvisionError
from gpu_provisioner.far_command import FarCommand
from gpu_provisioner.model import GpuRequest, Lease, LeaseState, Offer
from gpu_provisioner.openssh import NOT_THERE, SshHost
from gpu_provisioner.openssh_errors import HUNG_UP, explain
from gpu_provisioner.openssh_login import log_in
from gpu_provisioner.providers.base import TERMS, Ask, LiveLeases, Target
from gpu_provisioner.providers.one_machine import Machine
from gpu_provisioner.stub import ask, stub_command
from gpu_provisioner.working_folder import WorkingFolder

_SURVEY_LIMIT_S = 18.0
"""A little less than a catalog waits, so that its reason is told instead of "did not answer"."""

_ERRAND_LIMIT_S = 15.0
_END_LIMIT_S = 45.0


class SshProvider:
    """Leases parts of one machine that ``ssh`` reaches, with the user's own configuration and keys.

    Options of a target: ``host`` (default: the target's name), ``python`` (default ``python3``),
    ``ssh_args``, ``env`` (set over there), ``prefix``, ``conda``, ``container`` (see
    :mod:`gpu_provisioner.far_command`), ``working_folder`` (``false``: it does not go along),
    ``usd_per_gpu_hour`` or ``price_list``, ``idle_s``.
    """

    OPTIONS: Mapping[str, type] = {
        "host": str,
        "python": str,
        "ssh_args": list,
        "env": dict,
        **far_command.OPTIONS,
        "working_folder": bool,
        **TERMS,
    }
    ASK_PAUSE_S = 60.0

    def __init__(self, target: Target, live_leases: LiveLeases) -> None:
        self._target = target
        self._live_leases = live_leases
        options = target.options
        self._ssh = SshHost(str(options.get("host") or target.name), tuple(options.get("ssh_args") or ()))
        self._python = str(options.get("python") or "python3")
        self._command = FarCommand.of(options)
        self._env: Dict[str, str] = dict(options.get("env") or {})
        self._survey: Optional[Mapping[str, Any]] = None
        self._asking = threading.Lock()

    def offers(self, request: GpuRequest) -> List[Offer]:
        """One offer for each model that has enough free GPUs; of these the ones with the lowest index."""
        return self._machine().offers(self._target, request)

    def inventory(self) -> str:
        """What that machine has: its GPUs and who uses them, or why there is none."""
        return self._machine().inventory("there")

    def submit(self, offer: Offer, lease: Lease) -> Lease:
        """Nothing is rented; what the other methods need is put down, without the configuration."""
        env = {**self._env, "CUDA_VISIBLE_DEVICES": ",".join(gpu.uuid for gpu in offer.gpus)}
        options = {**self._target.options, "host": self._ssh.host}
        handle: Dict[str, Any] = {"python": self._python, "env": env, "options": options, "agent": {}}
        if options.get("working_folder", True):
            work = WorkingFolder.around(Path(offer.options.get("cwd") or Path.cwd()))
            handle["agent"] = {"work": work.name, "cwd": work.cwd}
            handle["work_here"] = {"root": str(work.root), "cwd": work.cwd, "git": work.git}
        return dataclasses.replace(
            lease,
            handle={**lease.handle, **handle},
            machine=self._ssh.host,
            state=LeaseState.STARTING,
        )

    def status(self, lease: Lease) -> LeaseState:
        """``READY`` while the lease's agent lives there, else ``LOST``; ``ProviderError`` if nobody knows."""
        answer = self._ask("status", _ERRAND_LIMIT_S, lease=lease.id)
        if answer.get("elsewhere"):
            host = str(answer["elsewhere"])
            told = f"{lease.name!r} cannot be asked after: {not_here(host, self._ssh.host)}."
            raise ProviderError(told, NAME_THAT_MACHINE.format(host=host))
        return LeaseState.READY if answer.get("alive") else LeaseState.LOST

    def carrier_argv(self, lease: Lease, command: Sequence[str]) -> List[str]:
        """``ssh HOST command`` with what must come before it, quoted for the shell over there; never asks."""
        try:
            return self._ssh.argv(self._command.wrap(command))
        except LoginNeeded as error:
            terminal = f"while a cell waits, in a terminal: trackside login {shlex.quote(lease.name)}"
            raise LoginNeeded(error.message, f"{typed.attach(lease)}; or, {terminal}") from None

    def explain(self, complaint: str, status: Optional[int]) -> Optional[ProvisionError]:
        """What ssh meant."""
        error = explain(self._ssh.host, self._python, complaint, status)
        error = self._command.explain(self._ssh.host, complaint, status) or error
        if status == NOT_THERE and re.search(HUNG_UP, complaint):
            error = self._blame_jump_host() or error
        return self._invite(error) if isinstance(error, LoginNeeded) else error

    def _blame_jump_host(self) -> Optional[LoginNeeded]:
        """What a jump host says is lost (ssh sends it to /dev/null when it shares the connection)."""
        jump = self._ssh.jump_hosts()
        if not jump:
            return None
        return LoginNeeded(
            f"The way to {self._ssh.host} leads over {jump}, which does not answer, or asks for a password "
            "or a second factor."
        )

    def _invite(self, error: LoginNeeded) -> LoginNeeded:
        named = f"name it, and you are asked: --on {typed.word(self._target.name)}"
        key = f"ssh-copy-id {shlex.quote(self._ssh.host)}"
        return LoginNeeded(error.message, f"{named}; or let a key in: {key}")

    def needs_login(self) -> bool:
        """Whether the last login had to ask, and its connection has ended."""
        return self._ssh.is_known_to_ask() and not self._ssh.has_connection()

    def log_in(self, ask: Ask) -> None:
        """See to it that this machine lets us in without a question from now on; asks where it has to."""
        log_in(self._ssh, ask, self.explain)

    def release(self, lease: Lease) -> None:
        """End the agent over there, and with it the kernel; what is not home yet stays there."""
        never_held = lease.state in (LeaseState.PLANNED, LeaseState.STARTING)
        try:
            answer = self._ask("end", _END_LIMIT_S, lease=lease.id, never_held=never_held)
            if answer.get("problem"):
                raise ProviderError(f"{answer['problem']}.")
        except ProvisionError as error:
            raise ProviderError(
                f"{lease.name!r} could not be ended, its kernel may still run on {self._ssh.host}: "
                f"{error.message}",
                error.remedy or typed.release(lease),
            ) from None

    def living(self) -> List[Lease]:
        """This user's living agents there."""
        answer = self._ask("find", _ERRAND_LIMIT_S)
        return [self._found(each, str(answer["host"])) for each in answer["agents"]]

    def find(self, tag: str) -> List[Lease]:
        """The living agent with that lease id, if this user has one there."""
        return [lease for lease in self.living() if lease.id == tag]

    def _found(self, agent: Mapping[str, Any], machine: str) -> Lease:
        options = {**self._target.options, "host": self._ssh.host}
        return Lease(
            id=agent["lease"],
            name=agent["lease"],
            provider=self._target.provider,
            target=self._target.name,
            spec=agent["device"],
            state=LeaseState.READY,
            created=float(agent["since"]),
            device=agent["device"],
            machine=machine,
            handle={
                "python": self._python,
                "env": self._env,
                "options": options,
                "agent": {},
                "owner": agent["owner"],
            },
        )

    def _machine(self) -> Machine:
        """Asked once; the leases are looked at each time."""
        with self._asking:
            if self._survey is None:
                self._survey = self._ask("survey", _SURVEY_LIMIT_S)
        return Machine.described(self._survey, self._live_leases())

    def _ask(self, mode: str, limit_s: float, **header: Any) -> Mapping[str, Any]:
        try:
            argv = self._ssh.argv(self._command.wrap(stub_command(self._python)))
        except LoginNeeded as error:
            raise self._invite(error) from None
        answer = ask(argv, {"mode": mode, "env": self._env, **header}, limit_s, self.explain)
        self._ssh.has_answered()
        return answer
