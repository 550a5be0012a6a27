"""The Python a kernel over there gets: which one, what is installed for it, and what it has.

Works over any provider: all it needs is the carrier.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

from gpu_provisioner.errors import BadRequest
from gpu_provisioner.model import Lease
from gpu_provisioner.providers import provider_of_lease
from gpu_provisioner.stub import Progress, ask, stub_command

_INSTALL_LIMIT_S = 3600.0
_PACKAGES_LIMIT_S = 20.0
_STAYS_HERE = ("-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-f", "--find-links")
_PATHS = (".", "/", "file:")


@dataclass(frozen=True)
class Environment:
    """What ``%gpu_provision`` was told about the Python over there.

    Attributes:
        python: a path or a name there; ``""`` for the target's own.
        install: make an environment on top of that Python, in the cache folder there, with ipykernel.
        requirements: text of a requirements file, to be installed there; ``""`` for none.
    """

    python: str = ""
    install: bool = False
    requirements: str = ""

    @property
    def is_given(self) -> bool:
        return self != AS_IT_IS

    def check(self) -> None:
        """Raises ``BadRequest`` for requirements that speak of files which stay here."""
        for line in self.requirements.splitlines():
            if line.strip().startswith((*_STAYS_HERE, *_PATHS)) or " @ file:" in line:
                raise BadRequest(
                    f"The requirements speak of a file of this machine ({line.strip()[:80]!r}), which is not "
                    "there. Nothing was rented.",
                    "name packages only; the working folder goes along by itself",
                )


AS_IT_IS = Environment()
"""The target's own Python, and nothing is installed."""


def of_lease(lease: Lease) -> Environment:
    """What ``lease`` was provisioned with."""
    return Environment(**(lease.handle.get("environment") or {}))


def prepare(lease: Lease, wanted: Environment, on_progress: Progress) -> Lease:
    """Have installed on the lease's machine what is wanted; the lease, which uses that Python.

    Ctrl-C ends pip over there as well.

    Raises:
        BootstrapError: it cannot be installed; the message says why. Nothing half-made stays there.
    """
    lease = dataclasses.replace(lease, handle={**lease.handle, "environment": dataclasses.asdict(wanted)})
    if not (wanted.install or wanted.requirements):
        return lease
    facts = {"own": wanted.install, "requirements": wanted.requirements}
    answer = _errand(lease, "install", _INSTALL_LIMIT_S, on_progress, **facts)
    on_progress("install", f"Installed for {answer['python']}.")
    return dataclasses.replace(lease, handle={**lease.handle, "python": str(answer["python"])})


def packages_there(lease: Lease, packages: Mapping[str, str]) -> Mapping[str, Any]:
    """``{"python": "3.9", "versions": {module: version}, "time": seconds}`` of the Python over there; only
    the time of its clock when it does not tell the rest.

    Args:
        packages: module → the package (distribution) it belongs to.

    Raises:
        ProvisionError: it could not be asked.
    """
    return _errand(lease, "packages", _PACKAGES_LIMIT_S, None, packages=dict(packages))


def _errand(
    lease: Lease, mode: str, limit_s: float, on_progress: Optional[Progress], **header: Any
) -> Mapping[str, Any]:
    provider = provider_of_lease(lease)
    python = str(lease.handle.get("python") or "python3")
    argv = provider.carrier_argv(lease, stub_command(python))
    head: Dict[str, Any] = {"mode": mode, "env": dict(lease.handle.get("env") or {}), **header}
    return ask(argv, head, limit_s, provider.explain, on_progress)
