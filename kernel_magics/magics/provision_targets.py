"""``--on TARGET``: which places are asked for a machine."""

from __future__ import annotations

from typing import List, Mapping, Optional

from gpu_provisioner.config import configuration_path, host_target, load_targets
from gpu_provisioner.providers.base import Target
from gpu_provisioner.typed import word
from kernel_magics.errors import UsageMistake


def targets_named(only: Optional[str], environ: Mapping[str, str]) -> List[Target]:
    """All targets; with a name only that one, which may also be a host of ``~/.ssh/config``.

    Raises:
        UsageMistake: none has that name. Nothing was rented.
    """
    targets = load_targets()
    chosen = [target for target in targets if only in (None, target.name)]
    host = host_target(only) if only and not chosen else None
    if host is not None:
        return [host]
    if not chosen:
        names = ", ".join(target.name for target in targets)
        raise UsageMistake(
            f"No target is called {only!r}; there are: {names}. Nothing was rented.",
            f"--on {word(targets[0].name)}, a host of ~/.ssh/config, or a table [targets.{only}] in "
            f"{configuration_path(environ)}",
        )
    return chosen
