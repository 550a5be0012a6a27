"""Get a machine for a notebook, and give it back."""

from __future__ import annotations

import dataclasses
import logging
import re
import secrets
import time
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Sequence, Tuple

from gpu_provisioner import typed
from gpu_provisioner.bootstrap import open_carrier
from gpu_provisioner.calling_off import out_of_reach
from gpu_provisioner.catalog import Catalog
from gpu_provisioner.environment import AS_IT_IS, Environment, prepare
from gpu_provisioner.errand import call_on
from gpu_provisioner.errors import BootstrapError, LeaseError, NoOffer
from gpu_provisioner.giving_back import give_back, release, tidy
from gpu_provisioner.home import home_folder
from gpu_provisioner.lease_lock import LeaseLock, lock_lease
from gpu_provisioner.lease_states import refresh, set_ready
from gpu_provisioner.lease_watch import called_off_with
from gpu_provisioner.leases import LeaseBook, owner_of
from gpu_provisioner.model import GpuRequest, Lease, LeaseState, Offer
from gpu_provisioner.providers import provider_of
from gpu_provisioner.providers.base import Target
from gpu_provisioner.terms import NO_LIMITS, Terms, price_for_runs, source_of
from gpu_provisioner.typed import Typed

__all__ = ["provision", "refresh", "release"]

Progress = Callable[[str, str], None]


def _silent(_stage: str, _text: str) -> None:
    pass


EXTENSIONS = ("kernel_magics",)
HOOK = "kernel_magics.tracking.aftermath:close_runs"
"""Named, not imported: what the kernel loads and who closes its runs is another package's business."""

_ATTEMPTS = 3
_WELCOME_LIMIT_S = 30.0

log = logging.getLogger("trackside.provisioner")


def provision(  # noqa: PLR0913 - the facts of one lease, all by name
    requests: Sequence[GpuRequest],
    *,
    targets: Sequence[Target],
    data_dir: Path,
    name: Optional[str] = None,
    notebook: Optional[str] = None,
    kernel_id: Optional[str] = None,
    cwd: Optional[Path] = None,
    environment: Environment = AS_IT_IS,
    terms: Terms = NO_LIMITS,
    asked_for: Optional[Typed] = None,
    on_progress: Progress = _silent,
) -> Lease:
    """Find what was asked for, get it, start an agent and a kernel there.

    The kernel may still be starting when this returns; :meth:`Holder.start` waits for it.

    Args:
        requests: alternatives, in the order they are to be tried. Nothing else is ever taken.
        cwd: the folder the notebook works in; default: this process' own.
        environment: the Python over there, and what is to be installed for it.
        terms: how much it may cost, and when it is given back because nobody needs it.
        asked_for: what was typed, for advice now and later; default: the requests alone.
        on_progress: called with a stage (``"offer"``, ``"lease"``, ``"payload"``, ``"install"``, ``"agent"``)
            and a sentence.

    Raises:
        NoOffer: nothing fits; nothing was rented.
        OverLimit: it would cost more than ``terms`` allow; nothing was rented.
        BootstrapError, ProviderError: it was found but does not work; it has been given back.
        LeaseError: the lease could not be written down; nothing was rented.
        CalledOff: somebody called it off (:mod:`gpu_provisioner.calling_off`); it has been given back.
    """
    book = LeaseBook(data_dir)
    catalog = Catalog(targets, book.live)
    home = {"notebook": notebook, "kernel_id": kernel_id}
    asked_for = asked_for or Typed(tuple(request.text for request in requests))
    choice = _Choice(catalog, requests, terms, asked_for, on_progress)
    offer, lease, lock = _reserve(choice, book, home, name)
    target = next(target for target in targets if target.name == offer.target)
    try:
        offer = dataclasses.replace(offer, options={**offer.options, "cwd": str(cwd or Path.cwd())})
        lease = provider_of(target, book.live).submit(offer, lease)
        book.save(lease)  # what is rented by now is given back also when this fails
        lease = dataclasses.replace(lease, handle={**lease.handle, "typed": asked_for.to_json()})
        lease = book.save(_agreed(lease, terms.idle_of(offer, target.options), target, data_dir))
        with called_off_with(book, lease):
            if environment.is_given:
                lease = book.save(prepare(lease, environment, on_progress))
            on_progress("agent", f"Starting a kernel on {lease.machine or offer.target}.")
            return _bring_up(book, lease, on_progress)
    except BaseException as error:
        with out_of_reach():
            give_back(book, lease, error)
        lock.close()
        tidy(home_folder(data_dir, lease.id))
        raise
    finally:
        lock.close()


def _agreed(lease: Lease, idle_s: float, target: Target, data_dir: Path) -> Lease:
    """The lease with what its agent has to know of the terms, and of who began it."""
    handle = {**lease.handle, "price_source": source_of(target.options)}
    lease = dataclasses.replace(lease, handle=handle)
    agent = {**handle.get("agent", {}), "idle_s": idle_s, "price": price_for_runs(lease)}
    agent["owner"] = owner_of(data_dir)
    return dataclasses.replace(lease, handle={**handle, "agent": agent})


@dataclasses.dataclass(frozen=True)
class _Choice:
    """What may be chosen from, and on which terms."""

    catalog: Catalog
    requests: Sequence[GpuRequest]
    terms: Terms
    asked_for: Typed
    on_progress: Progress

    def offer(self) -> Offer:
        return self.catalog.choose(self.requests, self.on_progress, self.asked_for)


def _reserve(
    choice: _Choice, book: LeaseBook, home: Mapping[str, Any], name: Optional[str]
) -> Tuple[Offer, Lease, LeaseLock]:
    """Choose an offer and write its lease down, before anybody else takes the same GPUs.

    The lock tells others, as long as it is open, that somebody is bringing the lease up.
    """
    for _ in range(_ATTEMPTS):
        offer = choice.offer()
        with book.exclusive():
            live = book.live()
            choice.terms.check(offer, book.all(), time.time(), choice.asked_for)
            taken = {gpu.uuid for lease in live for gpu in lease.gpus}
            if any(gpu.uuid in taken for gpu in offer.gpus):
                continue
            identity = _new_id(offer)
            lease = Lease(
                id=identity,
                name=_free_name(name or offer.device, [lease.name for lease in live]),
                provider=offer.provider,
                target=offer.target,
                spec=" --or ".join(request.text for request in choice.requests),
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
                tidy(home_folder(book.data_dir, identity))
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
    return set_ready(book, lease.id, machine=str(machine.get("host", "")))


def _verify_gpus(lease: Lease, machine: Mapping[str, Any]) -> None:
    seen = {gpu["uuid"]: gpu["name"] for gpu in machine.get("gpus", ())}
    missing = [gpu for gpu in lease.gpus if gpu.uuid not in seen]
    if missing:
        there = ", ".join(seen.values()) or machine.get("gpu_problem") or "no GPU"
        raise BootstrapError(
            f"{machine.get('host')} was to have {lease.gpus[0].name}, but the agent there sees: {there}. "
            "The lease has been given back.",
            str(typed.again(lease)),
        )


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
