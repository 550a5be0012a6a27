"""What an agent that has ended left on its machine comes home: its last words, its journals, and why it
ended."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Optional

from gpu_provisioner import typed
from gpu_provisioner.absence import note_absence
from gpu_provisioner.errors import LeaseError
from gpu_provisioner.holder import Holder
from gpu_provisioner.home import arrival, home_folder, stream_end
from gpu_provisioner.lease_lock import STAND_IN, is_wanted
from gpu_provisioner.leases import LIVE, LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.obituary import LEFT, vanished

_LOOK_S = 0.1
_OVER = ("gone", "released")


def fetch_remains(lease: Lease, data_dir: Path, limit_s: float) -> Lease:
    """Fetch what the lease's agent left; to be called when it is known not to live any more.

    The lease is over afterwards, and its ``detail`` says why, what is lost and what is kept; if it was over
    before, that may become clearer.

    Raises:
        LeaseError: somebody else holds it, and does this himself; or it was over before, and there is no way
            to what it left, or not in time.
        OSError: this side's disk does not take it; nothing is lost, it stays there.
    """
    folder, book = home_folder(data_dir, lease.id), LeaseBook(data_dir)
    holder = Holder(lease, data_dir, role=STAND_IN)
    try:
        note_absence(folder, holder.home_end)
        holder.keep_line()
        _wait(holder, folder, time.monotonic() + limit_s)
        problem = holder.detail
    finally:
        holder.detach()
    found = book.load(lease.id)
    told, left, _ = found.detail.partition(f"; {LEFT}")
    if lease.state not in LIVE and holder.state not in _OVER:
        raise LeaseError(
            f"What {lease.name!r} left on {lease.machine or lease.target} was not fetched"
            f"{f': {problem}' if problem else f' within {limit_s:.0f} s'}",
            typed.attach(lease),
        )
    if left and holder.state in _OVER:
        rest = "all it had said is here" if holder.state == "released" else "what it left there is gone"
        return book.update(lease.id, detail=f"{told}; {rest}")
    if found.state in LIVE and not is_wanted(folder):
        # It answered no more, or somebody stopped it while nobody was there to write that down.
        if holder.state == "released":
            return book.finish(lease.id, LeaseState.RELEASED, problem or "its agent was stopped")
        where = lease.machine or lease.target
        told = vanished(f"its agent on {where} has died or vanished", arrived(folder))
        return book.finish(lease.id, LeaseState.LOST, f"{told} {_not_fetched(problem, lease)}".strip())
    return found


def _wait(holder: Holder, folder: Path, deadline: float) -> None:
    """Until it is all here, nobody knows how to get it, or somebody else wants to."""
    holder.wait_over(_LOOK_S)
    while holder.state not in _OVER and time.monotonic() < deadline and not is_wanted(folder):
        holder.wait_over(_LOOK_S)
    if holder.state == "released":
        holder.wait_given_back(max(0.0, deadline - time.monotonic()))


def arrived(folder: Path) -> float:
    """When the last of a lease came home: seconds since the epoch, 0.0 if nothing ever did."""
    with contextlib.suppress(OSError):
        return arrival(folder, stream_end(folder))
    return 0.0


def _not_fetched(problem: Optional[str], lease: Lease) -> str:
    told = f" ({' '.join(problem.split())})" if problem else ""
    # By its id: what is put down here is read when another may have the name.
    return f"If it left more, that could not be fetched{told}; to try again: %gpu_attach {lease.id}"
