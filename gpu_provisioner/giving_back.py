"""A machine goes back: on somebody's word, or because it could not be brought up."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from pathlib import Path

from gpu_provisioner import typed
from gpu_provisioner.bootstrap import open_carrier
from gpu_provisioner.errand import call_on
from gpu_provisioner.errors import BootstrapError, LeaseError, ProvisionError, Unreachable
from gpu_provisioner.holder import Holder
from gpu_provisioner.home import home_folder
from gpu_provisioner.lease_lock import is_held
from gpu_provisioner.lease_watch import GIVE_BACK_NOTE, GivenBack, ask_to_give_back
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.providers import provider_of_lease

_WELCOME_LIMIT_S = 30.0
_STOP_LIMIT_S = 30.0
_GIVING_BACK_LIMIT_S = 15.0
"""How long a process that brings a lease up may need to give it back; then it is done without it."""

log = logging.getLogger("trackside.provisioner")


def release(lease: Lease, data_dir: Path, by: str = "the user") -> Lease:
    """Give a lease back from any process: the notebook that holds it, the server, the command line.

    Everything its kernel said comes home first: to its holder if one is there, else to this process.
    """
    book = LeaseBook(data_dir)
    if _never_started(lease, data_dir):
        provider_of_lease(lease).release(lease)
        return book.finish(lease.id, LeaseState.RELEASED, f"released by {by}, before its kernel ran")
    if lease.state in (LeaseState.PLANNED, LeaseState.STARTING) and is_held(home_folder(data_dir, lease.id)):
        over = ask_to_give_back(lease, book, by, _GIVING_BACK_LIMIT_S)
        if over is not None:
            return over
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


def give_back(book: LeaseBook, lease: Lease, error: BaseException) -> None:
    """Give back what ``error`` spoilt. When that fails too, the lease stays live and the error says so."""
    current = book.load(lease.id)
    current = current if current.handle else dataclasses.replace(lease, state=current.state)
    if current.handle and not isinstance(error, Unreachable):
        try:
            # Nobody has held it yet, whatever its file says, so nobody misses what its agent leaves.
            provider_of_lease(current).release(dataclasses.replace(current, state=LeaseState.STARTING))
        except ProvisionError as failure:
            book.update(lease.id, detail=failure.message)
            if isinstance(error, ProvisionError):
                error.message = f"{error.message}\n{failure.message}"
                error.remedy = typed.release(lease)
            return
    try:
        book.finish(lease.id, LeaseState.RELEASED, _why_given_back(error))
    except LeaseError as failure:
        log.warning("%s was given back; %s", lease.id, failure.message)
    if type(error) is LeaseError and current.handle:
        tell_given_back(error, current)


def _why_given_back(error: BaseException) -> str:
    if isinstance(error, GivenBack):
        return error.why
    why = str(error) or ("interrupted" if isinstance(error, KeyboardInterrupt) else type(error).__name__)
    return f"given back: {why}".splitlines()[0]


def tell_given_back(error: ProvisionError, lease: Lease) -> None:
    """Add to what went wrong here that nothing stays rented, and what to type when it is put right."""
    error.message = f"{error.message} The machine has been given back, so nothing is billed for it."
    first = f"{error.remedy}; then: " if error.remedy else ""
    error.remedy = f"{first}{typed.again(lease)}"


def tidy(folder: Path) -> None:
    """Remove the home folder of a lease that nobody has ever held: the lock in it, and nothing else."""
    with contextlib.suppress(OSError):
        if {path.name for path in folder.iterdir()} <= {"holder.lock", GIVE_BACK_NOTE}:
            (folder / GIVE_BACK_NOTE).unlink(missing_ok=True)
            (folder / "holder.lock").unlink(missing_ok=True)
            folder.rmdir()
