"""``--python``, ``--install`` and ``--requirements`` of ``%gpu_provision``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import List, Optional, Sequence

from gpu_provisioner.environment import Environment, of_lease
from gpu_provisioner.model import Lease
from gpu_provisioner.providers.base import Target
from gpu_provisioner.typed import release
from kernel_magics.errors import UsageMistake
from kernel_magics.magics.provision_wanted import Wanted


def environment_of(python: Optional[str], install: bool, requirements: Optional[str]) -> Environment:
    """What the options ask for.

    Args:
        requirements: path of a requirements file here.

    Raises:
        UsageMistake: that file cannot be read.
        BadRequest: it speaks of files that stay here.
    """
    text = ""
    if requirements is not None:
        try:
            text = Path(requirements).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            told = error.strerror if isinstance(error, OSError) else "it is not text"
            raise UsageMistake(
                f"{requirements} cannot be read: {told}. Nothing was rented.", "--requirements FILE"
            ) from None
    wanted = Environment(python or "", install, text)
    wanted.check()
    return wanted


def with_python(targets: Sequence[Target], wanted: Wanted) -> List[Target]:
    """The targets with the Python that was named.

    Raises:
        UsageMistake: several targets: a path means something on one machine only.
    """
    python = wanted.environment.python
    if not python:
        return list(targets)
    if len(targets) > 1:
        raise UsageMistake(
            "--python names a Python of one machine, so that machine must be named too. Nothing was rented.",
            str(wanted.typed.given("--on", targets[-1].name)),
        )
    [target] = targets
    return [dataclasses.replace(target, options={**target.options, "python": python})]


def must_have(lease: Lease, wanted: Environment) -> None:
    """Raises ``UsageMistake`` when a lease that would be taken again has another Python than is wanted."""
    if wanted.is_given and of_lease(lease) != wanted:
        raise UsageMistake(
            f"{lease.name!r} is yours already, with another Python or other packages. Nothing was rented.",
            f"{release(lease)}; then the same again, or with --new for a second one",
        )
