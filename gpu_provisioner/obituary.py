"""What is said of a kernel that ended by itself or with its machine: what is lost, and what is kept."""

from __future__ import annotations

import time
from typing import Any, Mapping, Optional

TERMINATED = "SIGTERM"
"""Who ended an agent that nobody of ours ended: a machine that shuts down sends it to all."""


LEFT = "the last of what it said waits on its machine"
"""In the detail of a lease whose rest can still be fetched."""

_NO_TIME = 1e11
"""Seconds since the epoch in which no machine dies; ``localtime`` takes not much more."""


def told_by_heir(event: Mapping[str, Any]) -> str:
    """Of an agent that died, when all that its disk had is home; ``event``: ``agent-died``, whose ``told``
    says it all where nothing could come home any more."""
    if "told" in event:
        return str(event["told"])
    reason = _sentence(str(event.get("reason") or "its agent died"))
    last = event.get("last_word")
    if not isinstance(last, (int, float)) or not 0 < last < _NO_TIME:
        return f"{reason} Its variables are lost; all it had printed and recorded is here."
    return (
        f"{reason} Its variables are lost. Its last word on that disk is of {clock(last)} (its clock); all "
        "it had printed and recorded by then is here."
    )


def vanished(reason: str, arrived: float) -> str:
    """Of an agent that left nothing.

    Args:
        arrived: when the last of it came home (seconds since the epoch), 0.0 if nothing ever did.
    """
    if not arrived:
        return f"{_sentence(reason)} Its variables are lost; nothing of it had come here."
    return (
        f"{_sentence(reason)} Its variables are lost, and what it printed or recorded after "
        f"{clock(arrived)}, when the last of it came here. What came before is kept."
    )


def stopped(by: Optional[Any]) -> str:
    """Who ended an agent in order: "released by the user", "ended by SIGTERM: …"."""
    if by == TERMINATED:
        return "ended by SIGTERM: its machine was shut down, or somebody ended it there"
    return f"released by {by}"


def clock(seconds: float) -> str:
    """``14:02:13``, of another day with its date."""
    same_day = time.strftime("%F", time.localtime(seconds)) == time.strftime("%F")
    return time.strftime("%H:%M:%S" if same_day else "%F %H:%M:%S", time.localtime(seconds))


def _sentence(clause: str) -> str:
    clause = clause.strip()
    return f"{clause[:1].upper()}{clause[1:]}" + ("" if clause.endswith((".", "!", "?")) else ".")
