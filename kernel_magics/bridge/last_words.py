"""What is said of a remote kernel that has ended."""

from __future__ import annotations

from typing import Any, Mapping


def sentence(clause: str) -> str:
    """A reason as a sentence of its own: "the agent died" is "The agent died."."""
    clause = clause.strip()
    return f"{clause[:1].upper()}{clause[1:]}" + ("" if clause.endswith((".", "!", "?")) else ".")


def obituary_of(event: Mapping[str, Any], machine: str) -> str:
    """What the cell reads that ran when its kernel died; ``event`` is the agent's ``kernel-died``."""
    reason = str(event.get("reason") or "nobody saw why")
    if reason.startswith("restarted"):
        return f"The kernel on {machine} was restarted while this cell ran; its variables are gone."
    if reason.startswith("released"):
        return (
            f"The kernel on {machine} was {reason} while this cell ran. What it printed and recorded is kept."
        )
    next_cell = "The next cell runs in a fresh kernel there."
    if event.get("returncode") is None:  # nobody saw it end: its agent died, and the lease with it
        next_cell = "Cells run here again; %gpu_provision starts another."
    return (
        f"The kernel on {machine} died: {reason}. Everything printed and recorded before is kept; its "
        f"variables are gone. {next_cell}"
    )
