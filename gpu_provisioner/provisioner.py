"""Get a machine for a notebook, and give it back."""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from pathlib import Path
from typing import Any, Callable, List, Mapping, Optional, Sequence

from gpu_provisioner.bootstrap import open_carrier
from gpu_provisioner.catalog import Catalog
from gpu_provisioner.errand import call_on
from gpu_provisioner.errors import BootstrapError, LeaseError, NoOffer, ProvisionError
from gpu_provisioner.holder import Holder
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import GpuRequest, Lease, LeaseState, Offer
from gpu_provisioner.providers import provider_of, provider_of_lease
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


def provision(  # noqa: PLR0913 - the facts of one lease, all by name
    requests: Sequence[GpuRequest],
    *,
    targets: Sequence[Target],
    data_dir: Path,
    name: Optional[str] = None,
    notebook: Optional[str] = None,
    kernel_id: Optional[str] = None,
    on_progress: Progress = _silent,
) -> Lease:
    """Find what was asked for, get it, start an agent and a kernel there.

    The kernel may still be starting when this returns; :meth:`Holder.start` waits for it.

    Args:
        requests: alternatives, in the order they are to be tried. Nothing else is ever taken.
        on_progress: called with a stage (``"offer"``, ``"lease"``, ``"payload"``, ``"agent"``) and a
            sentence.

    Raises:
        NoOffer: nothing fits; nothing was rented.
        BootstrapError, ProviderError: it was found but does not work; it has been given back.
        LeaseError: the lease could not be written down; nothing was rented.
    """
    book = LeaseBook(data_dir)
    catalog = Catalog(targets, book.live)
    offer, lease = _reserve(
        catalog, book, requests, on_progress, {"notebook": notebook, "kernel_id": kernel_id}, name
    )
    target = next(target for target in targets if target.name == offer.target)
    try:
        lease = book.save(provider_of(target, book.live).submit(offer, lease))
        on_progress("agent", f"Starting a kernel on {lease.machine or offer.target}.")
        return _bring_up(book, lease, on_progress)
    except BaseException as error:
        _give_back(book, lease, error)
        raise


def release(lease: Lease, data_dir: Path, by: str = "the user") -> Lease:
    """Give a lease back from any process: the notebook that holds it, the server, the command line.

    Everything its kernel said comes home first: to its holder if one is there, else to this process.
    """
    book = LeaseBook(data_dir)
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


def refresh(book: LeaseBook) -> List[Lease]:
    """All leases, after asking the providers of the live ones; what has vanished becomes ``LOST``, with a
    reason.
    """
    for lease in book.live():
        if lease.state != LeaseState.READY and time.time() - lease.created < _BRING_UP_LIMIT_S:
            continue  # Somebody is bringing it up right now.
        if lease.state == LeaseState.PLANNED and not lease.handle:
            why = "the process that asked for it ended before it was rented"
            book.finish(lease.id, LeaseState.RELEASED, why)
            continue
        try:
            state = provider_of_lease(lease).status(lease)
        except ProvisionError:
            continue
        if state == LeaseState.LOST:
            book.finish(
                lease.id,
                LeaseState.LOST,
                f"its agent on {lease.machine or lease.target} has died or vanished",
            )
    return book.all()


def _reserve(
    catalog: Catalog,
    book: LeaseBook,
    requests: Sequence[GpuRequest],
    on_progress: Progress,
    home: Mapping[str, Any],
    name: Optional[str],
) -> tuple[Offer, Lease]:
    """Choose an offer and write its lease down, before anybody else takes the same GPUs."""
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
            return offer, book.save(lease)
    raise NoOffer("Others were quicker each time; nothing was rented.", "try again")


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
    return book.update(lease.id, state=LeaseState.READY, machine=str(machine.get("host", "")))


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
    try:
        current = book.load(lease.id)
        if current.handle:
            provider_of_lease(current).release(current)
    finally:
        book.finish(lease.id, LeaseState.RELEASED, f"given back: {error}".splitlines()[0])


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
