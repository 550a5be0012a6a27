"""What an agent says of itself when a line to it comes up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional

from gpu_provisioner import wire


@dataclass(frozen=True)
class Welcome:
    """What the agent said when the line came up.

    Attributes:
        epoch: number of the kernel, from 1; each restart or death begins another.
        offset, end: spool offsets in bytes: where this connection resumed, and how far the spool reached.
        pid: of the remote kernel, ``None`` when none runs.
        machine: ``host``, ``python``, ``executable``, ``platform``, ``cores``, ``gpus``, ``folder``.
    """

    epoch: int
    offset: int
    end: int
    pid: Optional[int]
    machine: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> Welcome:
        """From the message.

        Raises:
            WireError: no agent of ours sends such a one.
        """
        pid, machine = message.get("pid"), message.get("machine")
        return cls(
            epoch=wire.whole(message, "epoch"),
            offset=wire.whole(message, "offset"),
            end=wire.whole(message, "end"),
            pid=pid if isinstance(pid, int) else None,
            machine=machine if isinstance(machine, dict) else {},
        )
