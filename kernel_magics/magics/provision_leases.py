"""Which of the user's leases a magic means, and what one costs, in words."""

from __future__ import annotations

import difflib
import time
from typing import Optional, Sequence

from gpu_provisioner.gpus import matches
from gpu_provisioner.model import GpuRequest, Lease
from gpu_provisioner.typed import lease_word
from kernel_magics.errors import UsageMistake
from kernel_magics.magics.suggestion import did_you_mean


def named_lease(name: Optional[str], mine: Sequence[Lease], live: Sequence[Lease], magic: str) -> Lease:
    """The lease that ``name`` means; without a name the one of this notebook, if there is no doubt.

    Args:
        mine: those of this notebook, the one it is joined to first; ``live``: all.
        magic: for the message: ``%gpu_release`` ends something, so it never guesses.

    Raises:
        UsageMistake: none, or no telling which. Nothing was done.
    """
    if not live:
        raise UsageMistake("No machine is yours at the moment.", "%gpu_provision a100 --or cpu")
    names = ", ".join(lease.name for lease in live)
    if name is not None:
        for lease in live:
            if name in (lease.name, lease.id):
                return lease
        guess = did_you_mean(name, [lease.name for lease in live]).lstrip("; ").capitalize()
        told = f"No machine of yours is called {name!r}; yours are: {names}."
        close = difflib.get_close_matches(name, [lease.name for lease in live], n=1)
        meant = next((lease for lease in live if lease.name in close), live[0])
        raise UsageMistake(f"{told} {guess}".rstrip(" ."), f"{magic} {lease_word(meant)}")
    if len(mine) == 1 or (mine and magic != "%gpu_release"):
        return mine[0]
    if not mine and len(live) == 1 and magic != "%gpu_release":
        return live[0]
    what = "This notebook has several machines" if mine else "This notebook has no machine"
    raise UsageMistake(
        f"{what}; yours are: {names}. Which one? Nothing was done.", f"{magic} {lease_word(live[0])}"
    )


def fits(lease: Lease, requests: Sequence[GpuRequest], name: Optional[str], target: Optional[str]) -> bool:
    """Whether a lease that is there is what was asked for."""
    if (name is not None and name != lease.name) or (target is not None and target != lease.target):
        return False
    return any(_satisfies(lease, request) for request in requests)


def _satisfies(lease: Lease, request: GpuRequest) -> bool:
    if request.is_cpu or not lease.gpus:
        return request.is_cpu and not lease.gpus
    return len(lease.gpus) >= request.count and all(matches(request, gpu) for gpu in lease.gpus)


def duration(seconds: float) -> str:
    """``1:02:03``, hours first."""
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}"


def price_sentence(lease: Lease) -> str:
    """What an hour costs, with the price's date; nothing where no price is known."""
    if not lease.usd_per_hour:
        return ""
    return f" ≈ ${lease.usd_per_hour:.2f}/h" + (
        f" (as of {lease.price_as_of})." if lease.price_as_of else "."
    )


def cost_clause(lease: Lease, now: Optional[float] = None) -> str:
    """What it has cost by now, with a comma before it; nothing where no price is known."""
    if not lease.usd_per_hour:
        return ""
    hours = ((time.time() if now is None else now) - lease.created) / 3600
    return f", ≈ ${lease.usd_per_hour * hours:.2f}"
