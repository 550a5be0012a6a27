"""The log of a lease's agent, read over there by an errand: it is there also when the line is down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from gpu_provisioner.agent.log_reading import NAMES
from gpu_provisioner.errors import BadRequest
from gpu_provisioner.model import Lease
from gpu_provisioner.providers import provider_of_lease
from gpu_provisioner.stub import ask, stub_command

_LIMIT_S = 20.0


@dataclass(frozen=True)
class LogPiece:
    """A part of a log. Untrusted text.

    Attributes:
        start, end: where it lies, in bytes; ``end`` is where the next one begins.
        size: of the whole log, in bytes.
        missing: there is no such log (any more).
    """

    text: str = ""
    start: int = 0
    end: int = 0
    size: int = 0
    missing: bool = False


def read_log(lease: Lease, name: str = "agent", offset: Optional[int] = None) -> LogPiece:
    """What the log has gained since ``offset``, at most 64 KiB; without it, its end.

    Args:
        name: ``"agent"`` or ``"kernel"``.

    Raises:
        BadRequest: there is no log of that name.
        ProvisionError: the machine could not be asked.
    """
    if name not in NAMES:
        raise BadRequest(f"There is no log {name!r}; there are {' and '.join(NAMES)}.")
    if not lease.handle:
        return LogPiece(missing=True)
    provider = provider_of_lease(lease)
    argv = provider.carrier_argv(lease, stub_command(str(lease.handle.get("python") or "python3")))
    header = {"mode": "log", "env": dict(lease.handle.get("env") or {}), "lease": lease.id}
    answer = ask(argv, {**header, "name": name, "offset": offset}, _LIMIT_S, provider.explain)
    if answer.get("missing"):
        return LogPiece(missing=True)
    start, end, size = (int(answer[key]) for key in ("start", "end", "size"))
    return LogPiece(str(answer["text"]), start, end, size)
