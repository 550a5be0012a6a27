"""A machine that asks at login (password, second factor) asks in the notebook, unseen as it is typed."""

from __future__ import annotations

import getpass
from typing import Any

from IPython.core.error import StdinNotImplementedError

from gpu_provisioner.errors import NoOffer, ProvisionError
from gpu_provisioner.model import Lease
from gpu_provisioner.providers import provider_of, provider_of_lease
from gpu_provisioner.providers.base import LogsIn, NobodyToAsk, Target


def log_in_to_target(target: Target) -> None:
    """Before a target that the user has named is asked for anything.

    Raises:
        NoOffer: there is no way in. Nothing was rented.
    """
    try:
        _log_in(provider_of(target, lambda: ()))
    except ProvisionError as error:
        said = error.message.rstrip(".")
        raise NoOffer(f"{said}. Nothing was rented on {target.name}.", error.remedy) from None


def log_in_to_lease(lease: Lease, only_if_needed: bool = False) -> None:
    """Before a lease that the user has named is reached.

    Args:
        only_if_needed: trust a way in that needed no login before.

    Raises:
        Unreachable: there is no way in.
    """
    provider = provider_of_lease(lease)
    if not only_if_needed or (isinstance(provider, LogsIn) and provider.needs_login()):
        _log_in(provider)


def _log_in(provider: Any) -> None:
    if isinstance(provider, LogsIn):
        provider.log_in(_ask)


def _ask(question: str, said: str) -> str:
    """In the front-end, as any ``getpass`` of a cell: ipykernel has put its own in place of Python's."""
    if said:
        print(said, flush=True)
    try:
        return getpass.getpass(f"{question} ")
    except StdinNotImplementedError:
        raise NobodyToAsk from None
