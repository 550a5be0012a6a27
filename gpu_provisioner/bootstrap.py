"""From "a command that reaches the machine" to "a pipe that reaches the agent"."""

from __future__ import annotations

from typing import Optional, Tuple

from gpu_provisioner.carrier import Carrier
from gpu_provisioner.errors import BootstrapError
from gpu_provisioner.model import Lease
from gpu_provisioner.providers import provider_of_lease
from gpu_provisioner.stub import AgentGone, Progress, stub_command, talk

__all__ = ["AgentGone", "Progress", "open_carrier"]

_ATTACH_LIMIT_S = 60.0
_LAUNCH_LIMIT_S = 120.0


def open_carrier(
    lease: Lease, launch: bool = False, on_progress: Optional[Progress] = None
) -> Tuple[Carrier, bytes]:
    """Reach the lease's agent.

    Args:
        launch: start the agent if none runs; otherwise only attach. (An agent that died and left its
            folder is followed by one that brings home what is there.)

    Returns:
        the carrier, now a pipe to the agent, and bytes that already came from the agent.

    Raises:
        BootstrapError: the machine answers, but no agent can be had there; or it does not answer.
        Unreachable: the machine could not be reached, and nothing happened there.
        AgentGone: the agent is not there any more.
    """
    provider = provider_of_lease(lease)
    handle = lease.handle
    argv = provider.carrier_argv(lease, stub_command(str(handle.get("python") or "python3")))
    gpus = [gpu.uuid for gpu in lease.gpus]
    header = {
        "mode": "launch" if launch else "attach",
        "lease": lease.id,
        "env": dict(handle.get("env") or {}),
        "agent": {"lease": lease.id, "device": lease.device, "gpus": gpus, **(handle.get("agent") or {})},
    }
    limit_s = _LAUNCH_LIMIT_S if launch else _ATTACH_LIMIT_S
    carrier, rest, answer = talk(argv, header, limit_s, provider.explain, on_progress)
    if answer is not None:
        raise BootstrapError("The machine took an attachment for an errand.", "try again")
    return carrier, rest
