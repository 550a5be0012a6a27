"""Machines that are over although nobody here ended them: what became of them and of their runs, in words."""

from __future__ import annotations

import time
from pathlib import Path
from typing import List, Optional, Sequence

from gpu_provisioner import typed
from gpu_provisioner.errors import LeaseError
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.obituary import LEFT, clock
from gpu_provisioner.remains import fetch_remains
from kernel_magics.errors import TracksideError
from kernel_magics.model import RunStatus
from kernel_magics.store import open_store

_LATELY_S = 24 * 3600.0
_FETCH_LIMIT_S = 60.0
_INDEX_LIMIT_S = 3.0
_RUNS_LOOKED_AT = 200
_RUNS_NAMED = 5


def ended_lately(book: LeaseBook, now: float) -> List[Lease]:
    """Leases of the last 24 hours that ended without anybody's wish, the last one first."""
    over = [lease for lease in book.all() if _by_itself(lease) and now - (lease.released or 0.0) < _LATELY_S]
    return sorted(over, key=lambda lease: lease.released or 0.0, reverse=True)


def _by_itself(lease: Lease) -> bool:
    return lease.state == LeaseState.LOST or lease.detail.startswith("released by its idle policy")


def _left_something(lease: Lease) -> bool:
    return LEFT in lease.detail


def ending(lease: Lease, data_dir: Path) -> str:
    """What became of one, what is lost and what is kept, and what to type."""
    return f"{_headline(lease)} {_told(lease)}{_runs_sentence(lease, data_dir)} {_remedy(lease)}"


def fetched_by_name(
    name: Optional[str], book: LeaseBook, notebook: Optional[str], kernel_id: Optional[str]
) -> Optional[Lease]:
    """The lease that ``%gpu_attach NAME`` means when none that lives is meant: the last one of that name, or
    without a name of this notebook, that ended by itself. What it left is fetched, if it left anything.
    """
    over = [lease for lease in book.all() if _left_something(lease)]
    for lease in [*ended_lately(book, time.time()), *over]:
        mine = (notebook and lease.notebook == notebook) or (kernel_id and lease.kernel_id == kernel_id)
        if name in (lease.name, lease.id) or (name is None and mine):
            return fetch_remains(lease, book.data_dir, _FETCH_LIMIT_S)
    return None


def rest_sentence(lease: Lease) -> str:
    """What a lease that was released could not bring home, and how to get it; ``""`` when that is nothing."""
    _, left, why = lease.detail.partition(LEFT)
    if not left:
        return ""
    return f" {LEFT[:1].upper()}{LEFT[1:]}{why}. To fetch it: {typed.attach(lease)}"


def is_over(lease: Lease, data_dir: Path) -> LeaseError:
    """What whoever wants to come back to it reads."""
    told = f"{_headline(lease)} {_told(lease)}{_runs_sentence(lease, data_dir)}"
    return LeaseError(told, str(typed.again(lease)))


def _headline(lease: Lease) -> str:
    ended = "is released" if lease.state == LeaseState.RELEASED else "is lost"
    if ended == "is released" and _by_itself(lease):
        ended = "was released by its idle policy"
    when = f" since {clock(lease.released)}" if lease.released else ""
    return f"{lease.name!r} on {lease.machine or lease.target} {ended}{when}."


def _told(lease: Lease) -> str:
    if not _by_itself(lease):
        return f"It was {lease.detail}."
    if lease.state == LeaseState.RELEASED:
        why = lease.detail[len("released by its idle policy") :].strip(" ()")
        told = f"{why[:1].upper()}{why[1:]}. " if why else ""
        return f"{told}Its variables are gone; all it had printed and recorded is here."
    told = lease.detail.strip()
    return f"{told[:1].upper()}{told[1:]}" + ("" if told.endswith(".") else ".")


def _remedy(lease: Lease) -> str:
    again = typed.again(lease)
    return f"Another one: {again.given('--name', lease.name) if typed.can_be_typed(lease.name) else again}"


def _runs_sentence(lease: Lease, data_dir: Path) -> str:
    """Which of its runs did not come to their end."""
    runs = _killed_runs(lease.id, data_dir)
    if not runs:
        return ""
    more = len(runs) - _RUNS_NAMED
    named = ", ".join(runs[:_RUNS_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f" Run {named} is marked killed." if len(runs) == 1 else f" Runs {named} are marked killed."


def _killed_runs(lease_id: str, data_dir: Path) -> Sequence[str]:
    try:
        with open_store(data_dir) as store:
            store.refresh(limit_s=_INDEX_LIMIT_S)
            runs = store.runs(limit=_RUNS_LOOKED_AT)
    except (TracksideError, OSError):  # the runs are told elsewhere; this is about the machine
        return ()
    return [run.name for run in runs if run.facts.get("lease") == lease_id and run.status == RunStatus.KILLED]
