"""Get a machine for a notebook, and give it back."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import queue
import re
import secrets
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from gpu_provisioner.bootstrap import open_carrier
from gpu_provisioner.catalog import Catalog
from gpu_provisioner.environment import AS_IT_IS, Environment, prepare
from gpu_provisioner.errand import call_on
from gpu_provisioner.errors import BootstrapError, LeaseError, NoOffer, ProvisionError, Unreachable
from gpu_provisioner.holder import Holder
from gpu_provisioner.home import home_folder
from gpu_provisioner.lease_lock import LeaseLock, is_held, is_held_elsewhere, lock_lease
from gpu_provisioner.leases import LIVE, LeaseBook
from gpu_provisioner.model import GpuRequest, Lease, LeaseState, Offer
from gpu_provisioner.providers import provider_class, provider_of, provider_of_lease
from gpu_provisioner.providers.base import Target

Progress = Callable[[str, str], None]


def _silent(_stage: str, _text: str) -> None:
    pass


EXTENSIONS = ("kernel_magics",)
HOOK = "kernel_magics.tracking.aftermath:close_runs"
"""Named, not imported: what the kernel loads and who closes its runs is another package's business."""

_ATTEMPTS = 3
_WELCOME_LIMIT_S = 30.0
_STOP_LIMIT_S = 30.0
_BRING_UP_LIMIT_S = 300.0
_STATUS_LIMIT_S = 12.0

log = logging.getLogger("trackside.provisioner")


def provision(  # noqa: PLR0913 - the facts of one lease, all by name
    requests: Sequence[GpuRequest],
    *,
    targets: Sequence[Target],
    data_dir: Path,
    name: Optional[str] = None,
    notebook: Optional[str] = None,
    kernel_id: Optional[str] = None,
    environment: Environment = AS_IT_IS,
    on_progress: Progress = _silent,
) -> Lease:
    """Find what was asked for, get it, start an agent and a kernel there.

    The kernel may still be starting when this returns; :meth:`Holder.start` waits for it.

    Args:
        requests: alternatives, in the order they are to be tried. Nothing else is ever taken.
        environment: the Python over there, and what is to be installed for it.
        on_progress: called with a stage (``"offer"``, ``"lease"``, ``"payload"``, ``"install"``, ``"agent"``)
            and a sentence.

    Raises:
        NoOffer: nothing fits; nothing was rented.
        BootstrapError, ProviderError: it was found but does not work; it has been given back.
        LeaseError: the lease could not be written down; nothing was rented.
    """
    book = LeaseBook(data_dir)
    catalog = Catalog(targets, book.live)
    offer, lease, lock = _reserve(
        catalog, book, requests, on_progress, {"notebook": notebook, "kernel_id": kernel_id}, name
    )
    target = next(target for target in targets if target.name == offer.target)
    try:
        lease = book.save(provider_of(target, book.live).submit(offer, lease))
        if environment.is_given:
            lease = book.save(prepare(lease, environment, on_progress))
        on_progress("agent", f"Starting a kernel on {lease.machine or offer.target}.")
        return _bring_up(book, lease, on_progress)
    except BaseException as error:
        _give_back(book, lease, error)
        raise
    finally:
        lock.close()


def release(lease: Lease, data_dir: Path, by: str = "the user") -> Lease:
    """Give a lease back from any process: the notebook that holds it, the server, the command line.

    Everything its kernel said comes home first: to its holder if one is there, else to this process.
    """
    book = LeaseBook(data_dir)
    if _never_started(lease, data_dir):
        provider_of_lease(lease).release(lease)
        return book.finish(lease.id, LeaseState.RELEASED, f"released by {by}, before its kernel ran")
    try:
        holder = Holder(lease, data_dir)
    except LeaseError:
        with contextlib.suppress(ProvisionError):
            call_on(lambda: open_carrier(lease), _STOP_LIMIT_S, {"type": "stop", "by": by})
        provider_of_lease(lease).release(lease)
        return book.finish(lease.id, LeaseState.RELEASED, f"released by {by}")
    try:
        holder.start(_WELCOME_LIMIT_S)
    except BootstrapError:
        pass
    return holder.release(by)


def _never_started(lease: Lease, data_dir: Path) -> bool:
    """Whether no agent of it runs, and none ever did that anybody held."""
    if lease.state not in (LeaseState.PLANNED, LeaseState.STARTING):
        return False
    if is_held(home_folder(data_dir, lease.id)):
        return False
    try:
        return provider_of_lease(lease).status(lease) == LeaseState.LOST
    except ProvisionError:
        return False


def refresh(book: LeaseBook, asked: Optional[Dict[str, float]] = None) -> List[Lease]:
    """All leases, after asking the providers of the live ones; what has vanished becomes ``LOST``, with a
    reason.

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
            threading.Thread(target=_ask_status, args=(lease, answers), daemon=True).start()
    deadline = time.monotonic() + _STATUS_LIMIT_S
    with contextlib.suppress(queue.Empty):
        while waiting:
            lease, state = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            waiting -= 1
            if state == LeaseState.LOST:
                where = lease.machine or lease.target
                book.finish(lease.id, LeaseState.LOST, f"its agent on {where} has died or vanished")
            elif state == LeaseState.READY and lease.state != LeaseState.READY:
                # Who brought it up was killed before it could put that down.
                with contextlib.suppress(LeaseError):
                    _set_ready(book, lease.id)
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


def _ask_status(lease: Lease, answers: queue.Queue[Tuple[Lease, Optional[LeaseState]]]) -> None:
    try:
        answers.put((lease, provider_of_lease(lease).status(lease)))
    except ProvisionError:
        answers.put((lease, None))
    except Exception:
        # A provider from elsewhere; its failure is in the log, the other leases are shown.
        log.exception("the provider %s failed to tell about %s", lease.provider, lease.id)
        answers.put((lease, None))


def _reserve(
    catalog: Catalog,
    book: LeaseBook,
    requests: Sequence[GpuRequest],
    on_progress: Progress,
    home: Mapping[str, Any],
    name: Optional[str],
) -> Tuple[Offer, Lease, LeaseLock]:
    """Choose an offer and write its lease down, before anybody else takes the same GPUs.

    The lock tells others, as long as it is open, that somebody is bringing the lease up.
    """
    for _ in range(_ATTEMPTS):
        offer = catalog.choose(requests, on_progress)
        with book.exclusive():
            live = book.live()
            taken = {gpu.uuid for lease in live for gpu in lease.gpus}
            if any(gpu.uuid in taken for gpu in offer.gpus):
                continue
            identity = _new_id(offer)
            lease = Lease(
                id=identity,
                name=_free_name(name or offer.device, [lease.name for lease in live]),
                provider=offer.provider,
                target=offer.target,
                spec=" --or ".join(request.text for request in requests),
                state=LeaseState.PLANNED,
                created=time.time(),
                device=offer.device,
                gpus=offer.gpus,
                usd_per_hour=offer.usd_per_hour,
                price_as_of=offer.price_as_of,
                **home,
            )
            lock = _hold(book.data_dir, lease)
            try:
                return offer, book.save(lease), lock
            except BaseException:
                lock.close()
                raise
    raise NoOffer("Others were quicker each time; nothing was rented.", "try again")


def _hold(data_dir: Path, lease: Lease) -> LeaseLock:
    folder = home_folder(data_dir, lease.id)
    try:
        return lock_lease(folder, lease)
    except OSError as error:
        raise LeaseError(
            f"The lease cannot be written down ({folder}: {error.strerror}), so nothing was rented.",
            "make that folder writable, or set TRACKSIDE_DIR to another one",
        ) from None


def _bring_up(book: LeaseBook, lease: Lease, on_progress: Progress) -> Lease:
    """Start the agent and see that the GPUs are those that were promised."""
    agent = {"extensions": list(EXTENSIONS), "hook": HOOK, **lease.handle.get("agent", {})}
    lease = book.update(lease.id, handle={**lease.handle, "agent": agent})
    welcome = call_on(lambda: open_carrier(lease, launch=True, on_progress=on_progress), _WELCOME_LIMIT_S)
    if not welcome:
        raise BootstrapError("The agent started but does not answer.", "try again")
    machine = welcome.get("machine") or {}
    _verify_gpus(lease, machine)
    on_progress("agent", f"Python {machine.get('python')} on {machine.get('host')}.")
    return _set_ready(book, lease.id, machine=str(machine.get("host", "")))


def _set_ready(book: LeaseBook, lease_id: str, **more: Any) -> Lease:
    """Put down that the kernel runs, unless somebody has given the lease back meanwhile."""
    with book.exclusive():
        lease = book.load(lease_id)
        if lease.state in LIVE:
            return book.save(dataclasses.replace(lease, state=LeaseState.READY, **more))
    raise LeaseError(f"{lease.name!r} was given back while it was being started: {lease.detail}.")


def _verify_gpus(lease: Lease, machine: Mapping[str, Any]) -> None:
    seen = {gpu["uuid"]: gpu["name"] for gpu in machine.get("gpus", ())}
    missing = [gpu for gpu in lease.gpus if gpu.uuid not in seen]
    if missing:
        there = ", ".join(seen.values()) or machine.get("gpu_problem") or "no GPU"
        raise BootstrapError(
            f"{machine.get('host')} was to have {lease.gpus[0].name}, but the agent there sees: {there}. "
            "The lease has been given back.",
            f"%gpu_provision {lease.spec}",
        )


def _give_back(book: LeaseBook, lease: Lease, error: BaseException) -> None:
    """Give back what ``error`` spoilt. When that fails too, the lease stays live and the error says so."""
    current = book.load(lease.id)
    if current.handle and not isinstance(error, Unreachable):
        try:
            # Nobody has held it yet, whatever its file says, so nobody misses what its agent leaves.
            provider_of_lease(current).release(dataclasses.replace(current, state=LeaseState.STARTING))
        except ProvisionError as failure:
            book.update(lease.id, detail=failure.message)
            if isinstance(error, ProvisionError):
                error.message = f"{error.message}\n{failure.message}"
                error.remedy = f"%gpu_release {lease.name}"
            return
    why = str(error) or ("interrupted" if isinstance(error, KeyboardInterrupt) else type(error).__name__)
    book.finish(lease.id, LeaseState.RELEASED, f"given back: {why}".splitlines()[0])


def _new_id(offer: Offer) -> str:
    """Such as ``a100-80gb-20261122-141503-k3f9``: sorts by time, safe in paths and arguments."""
    device = re.sub(r"[^a-z0-9]+", "-", offer.device).strip("-")[:24] or "gpu"
    return f"{device}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


def _free_name(wanted: str, taken: Sequence[str]) -> str:
    """``wanted``, or ``wanted-2`` and so on when a live lease has that name."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    return name
