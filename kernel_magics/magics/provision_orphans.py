"""Machines that run for this user although no lease here says so, as ``%gpu_status`` reports them."""

from __future__ import annotations

from typing import Callable, List, Sequence

from gpu_provisioner.catalog import Problem
from gpu_provisioner.errors import ConfigurationError
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.obituary import clock
from gpu_provisioner.providers.base import Target
from gpu_provisioner.reaper import Orphan, find_orphans

_LIMIT_S = 8.0
"""A target that takes longer is shown as slow: a look at what is there must not become a wait."""

Show = Callable[[Sequence[str]], None]


def look_for_orphans(load_targets: Callable[[], Sequence[Target]], book: LeaseBook, show: Show) -> None:
    """Ask all targets at once by the tags of what runs there, and show what is found, a sentence each.

    Args:
        show: called with what is known so far; before the first answer if another machine has to be asked.
    """
    try:
        targets = load_targets()
    except ConfigurationError as error:  # what is leased is shown all the same
        show([f"Not asked for machines without a lease: {error.message}"])
        return
    far = [target.name for target in targets if target.provider != "local"]
    if far:
        show([f"Asking {', '.join(far)} for machines of yours without a lease …"])
    orphans, problems = find_orphans(targets, book, _LIMIT_S)
    show([*map(_of_orphan, orphans), *_of_problems(problems)])


def _of_orphan(orphan: Orphan) -> str:
    lease = orphan.lease
    what = f"{lease.id} ({lease.device}) runs on {lease.machine or lease.target} since {clock(lease.created)}"
    if orphan.ours:
        return (
            f"Without a lease: {what}, begun from this data folder. End it: !trackside reap --yes {lease.id}"
        )
    owner = orphan.owner or "somewhere that it does not name"
    return (
        f"Without a lease here: {what}, begun from {owner}, and perhaps in use there. If not, end it: "
        f"!trackside reap --yes {lease.id}"
    )


def _of_problems(problems: Sequence[Problem]) -> List[str]:
    return [f"Not asked for machines without a lease: {each.target}: {each.message}" for each in problems]
