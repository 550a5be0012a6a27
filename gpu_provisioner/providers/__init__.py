"""Providers, found by the entry point group ``trackside.providers``. One file each."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any, Dict, Iterable, Tuple

from gpu_provisioner.errors import ProviderError
from gpu_provisioner.model import Lease
from gpu_provisioner.providers.base import LiveLeases, Provider, Target

GROUP = "trackside.providers"


def provider_names() -> Tuple[str, ...]:
    """Names of all providers that are installed."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def provider_class(name: str) -> Any:
    """The class behind a provider's name; ``ProviderError`` when it is not installed or is broken."""
    for point in entry_points(group=GROUP):
        if point.name == name:
            try:
                return point.load()
            except ImportError as error:
                raise ProviderError(f"The provider {name!r} cannot be imported: {error}.") from error
    known = ", ".join(provider_names()) or "none"
    raise ProviderError(f"No provider {name!r} is installed (installed: {known}).", "pip install trackside")


def provider_of(target: Target, live_leases: LiveLeases) -> Provider:
    """The provider that serves ``target``."""
    made: Provider = provider_class(target.provider)(target, live_leases)
    return made


def provider_of_lease(lease: Lease) -> Provider:
    """The provider that holds ``lease``. Works without the configuration: the handle keeps what it needs."""
    options: Dict[str, Any] = dict(lease.handle.get("options") or {})
    return provider_of(Target(lease.target, lease.provider, options), _no_leases)


def _no_leases() -> Iterable[Lease]:
    return ()
