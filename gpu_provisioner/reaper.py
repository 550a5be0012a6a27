"""Machines that run for this user although no lease of this data folder says so: found by their tags, ended.

A lease file was deleted, a disk was restored, a laptop was lost: the agent over there goes on, and may cost
money. It carries its lease's id, and says which data folder began it.
"""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple

from gpu_provisioner import provisioner
from gpu_provisioner.catalog import Problem
from gpu_provisioner.errors import LeaseError, ProvisionError
from gpu_provisioner.leases import LIVE, LeaseBook, owner_of
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.providers import provider_of
from gpu_provisioner.providers.base import Target

_ANSWER_LIMIT_S = 30.0


@dataclass(frozen=True)
class Orphan:
    """A living agent without a live lease here.

    Attributes:
        lease: as far as it can be told from over there, or as it was written down here.
        owner: ``host:data folder`` that began it; ``""`` where it does not say.
        ours: whether that is this data folder; others may well be in use from elsewhere.
    """

    lease: Lease
    owner: str
    ours: bool


def find_orphans(
    targets: Sequence[Target], book: LeaseBook, limit_s: float = _ANSWER_LIMIT_S
) -> Tuple[List[Orphan], List[Problem]]:
    """Ask all targets at once; those that could not be asked, or did not answer within ``limit_s``, are
    named."""
    answers: queue.Queue[Tuple[str, Any]] = queue.Queue()
    for target in targets:
        # Daemon threads: one that hangs in a dead network must not keep the interpreter from ending.
        threading.Thread(target=_ask, args=(target, book, answers), daemon=True).start()
    waiting = {target.name for target in targets}
    found: List[Lease] = []
    problems: List[Problem] = []
    deadline = time.monotonic() + limit_s
    while waiting:
        try:
            name, said = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        waiting.discard(name)
        if isinstance(said, Problem):
            problems.append(said)
        else:
            found += said
    problems += [Problem(name, f"did not answer within {limit_s:.0f} s") for name in sorted(waiting)]
    known = {lease.id: lease for lease in book.all()}
    return _without_live(found, known, owner_of(book.data_dir)), problems


def reap(orphan: Orphan, data_dir: Path) -> Lease:
    """End it, and bring home what it has. The lease is written down anew, so that a failure is not forgotten.

    Raises:
        ProvisionError: it could not be ended and may still cost money; it is a live lease here from now on.
    """
    book = LeaseBook(data_dir)
    lease = book.save(dataclasses.replace(orphan.lease, state=LeaseState.READY, released=None))
    return provisioner.release(lease, data_dir, by="trackside reap")


def _ask(target: Target, book: LeaseBook, answers: queue.Queue[Tuple[str, Any]]) -> None:
    try:
        answers.put((target.name, provider_of(target, book.live).living()))
    except ProvisionError as error:
        answers.put((target.name, Problem(target.name, error.message, error.remedy)))
    except Exception as error:  # noqa: BLE001 - a provider from elsewhere; its failure is shown, others go on
        answers.put((target.name, Problem(target.name, f"{type(error).__name__}: {error}")))


def _without_live(found: Sequence[Lease], known: dict[str, Lease], here: str) -> List[Orphan]:
    orphans = {}
    for lease in found:
        written: Optional[Lease] = known.get(lease.id)
        if written is not None and written.state in LIVE:
            continue
        owner = str(lease.handle.get("owner") or "")
        # What was written down here knows more, but where it runs is as it was found.
        best = dataclasses.replace(written, handle=lease.handle) if written is not None else lease
        orphans[lease.id] = Orphan(best, owner, owner == here or written is not None)
    return sorted(orphans.values(), key=lambda orphan: orphan.lease.created)


def chosen(orphans: Sequence[Orphan], wanted: Sequence[str]) -> List[Orphan]:
    """Those that are meant: by id, or all that this data folder began.

    Raises:
        LeaseError: no orphan has that id; nothing was ended.
    """
    if not wanted:
        return [orphan for orphan in orphans if orphan.ours]
    by_id = {orphan.lease.id: orphan for orphan in orphans}
    for each in wanted:
        if each not in by_id:
            told = f"No machine without a lease is called {each!r}; nothing was ended."
            raise LeaseError(told, "trackside reap")
    return [by_id[each] for each in wanted]
