"""What has become of the leases: a holder knows it of its own; of the others the providers are asked."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import queue
import threading
import time
from typing import Any, Dict, List, Optional, Tuple

from gpu_provisioner.errors import LeaseError, ProvisionError
from gpu_provisioner.home import home_folder
from gpu_provisioner.lease_lock import is_held, is_held_elsewhere
from gpu_provisioner.lease_watch import GivenBack
from gpu_provisioner.leases import LIVE, LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.providers import provider_class, provider_of_lease
from gpu_provisioner.remains import fetch_remains

_BRING_UP_LIMIT_S = 300.0
_STATUS_LIMIT_S = 12.0
_REMAINS_LIMIT_S = 10.0

log = logging.getLogger("trackside.provisioner")


def refresh(book: LeaseBook, asked: Optional[Dict[str, float]] = None) -> List[Lease]:
    """All leases, after asking the providers of the live ones. Of one whose agent has ended what it left is
    fetched; then it is ``LOST``, or ``RELEASED`` if it gave itself back, with a reason.

    All are asked at once, for at most :data:`_STATUS_LIMIT_S`; a lease whose machine does not answer stays as
    it is, and so does one that is held: its holder knows better.

    Args:
        asked: when each lease was asked last, by id (:func:`time.monotonic`). For who calls this again and
            again: a provider is then not asked more often than its ``ASK_PAUSE_S``.
    """
    answers: queue.Queue[Tuple[Lease, Optional[LeaseState]]] = queue.Queue()
    waiting = 0
    for lease in book.live():
        folder = home_folder(book.data_dir, lease.id)
        is_young = lease.state != LeaseState.READY and time.time() - lease.created < _BRING_UP_LIMIT_S
        if is_held(folder) or (is_young and is_held_elsewhere(folder)):
            continue  # Its holder knows better, or somebody is bringing it up right now.
        if lease.state == LeaseState.PLANNED and not lease.handle:
            why = "the process that asked for it ended before it was rented"
            book.finish(lease.id, LeaseState.RELEASED, why)
        elif _is_due(lease, asked):
            waiting += 1
            # Daemon threads: one that hangs in a dead network must not keep the interpreter from ending.
            threading.Thread(target=_ask_status, args=(lease, book, answers), daemon=True).start()
    deadline = time.monotonic() + _STATUS_LIMIT_S
    with contextlib.suppress(queue.Empty):
        while waiting:
            lease, state = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            waiting -= 1
            if state == LeaseState.LOST and book.load(lease.id).state in LIVE:
                where = lease.machine or lease.target
                book.finish(lease.id, LeaseState.LOST, f"its agent on {where} has died or vanished")
            elif state == LeaseState.READY and lease.state != LeaseState.READY:
                # Who brought it up was killed before it could put that down.
                with contextlib.suppress(LeaseError):
                    set_ready(book, lease.id)
    return book.all()


def _is_due(lease: Lease, asked: Optional[Dict[str, float]]) -> bool:
    if asked is None:
        return True
    now = time.monotonic()
    try:
        pause = float(provider_class(lease.provider).ASK_PAUSE_S)
    except (ProvisionError, AttributeError):
        pause = 0.0
    if now - asked.get(lease.id, -math.inf) < pause:
        return False
    asked[lease.id] = now
    return True


def _ask_status(
    lease: Lease, book: LeaseBook, answers: queue.Queue[Tuple[Lease, Optional[LeaseState]]]
) -> None:
    try:
        state = provider_of_lease(lease).status(lease)
        if state == LeaseState.LOST and lease.state == LeaseState.READY:
            fetch_remains(lease, book.data_dir, _REMAINS_LIMIT_S)
        answers.put((lease, state))
    except (ProvisionError, OSError):
        answers.put((lease, None))
    except Exception:
        # A provider from elsewhere; its failure is in the log, the other leases are shown.
        log.exception("the provider %s failed to tell about %s", lease.provider, lease.id)
        answers.put((lease, None))


def set_ready(book: LeaseBook, lease_id: str, **more: Any) -> Lease:
    """Put down that the kernel runs, unless somebody has given the lease back meanwhile."""
    with book.exclusive():
        lease = book.load(lease_id)
        if lease.state in LIVE:
            return book.save(dataclasses.replace(lease, state=LeaseState.READY, **more))
    raise GivenBack(lease, lease.detail)
