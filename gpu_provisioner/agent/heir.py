"""An agent that only brings home what a former one left: where the stream goes on, and how that one ended."""

from __future__ import annotations

import socket
from typing import Any, Callable, Mapping, Optional

from gpu_provisioner import wire
from gpu_provisioner.agent.keeper import Keeper

ReportDeath = Callable[[Optional[int], str], None]
"""Called with the kernel's exit status and the reason; closes its runs."""


class Inheritance:
    """What a dead agent left, for the first holder who comes.

    Args:
        died: how it died: ``reason``, ``time``; more: see :mod:`gpu_provisioner.agent.leftover`.
    """

    def __init__(self, keeper: Keeper, died: Mapping[str, Any], report_death: ReportDeath) -> None:
        self._keeper, self._died, self._report_death = keeper, died, report_death
        self._resumed_at = -1
        self.is_told = False
        """Whether the spool says how the former agent died. Only a holder knows where that belongs."""

    def meet(self, home: int, boundary: int) -> int:
        """A holder has the stream up to ``home``, and whole records up to ``boundary``.

        Returns:
            the offset from which he gets it. A machine that went down without warning may have lost what is
            home already; then that is the boundary, and what he has behind it is the beginning of a record
            of which nobody has the end.
        """
        if not self.is_told:
            self.is_told = True
            if home > self._keeper.spool.end:
                self._keeper.resume_at(boundary)
                self._resumed_at = boundary
            self._tell()
        return boundary if boundary == self._resumed_at else home

    def _tell(self) -> None:
        host, died = socket.gethostname(), self._died
        reason = f"the agent on {host} died ({died.get('reason')}), and its kernel was ended with it"
        if "restarted" in died:
            reason = f"{host} was restarted, and the kernel ended with it"
        self._report_death(None, reason)
        more = {name: died[name] for name in ("restarted", "last_word") if name in died}
        self._keeper.keep(wire.encode_event("agent-died", reason=reason, time=died.get("time"), **more))
