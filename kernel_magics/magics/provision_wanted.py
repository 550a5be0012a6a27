"""What ``%gpu_provision`` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Optional, Sequence, Tuple

from gpu_provisioner.environment import AS_IT_IS, Environment
from gpu_provisioner.errors import BadRequest
from gpu_provisioner.gpus import parse
from gpu_provisioner.model import GpuRequest
from gpu_provisioner.terms import NO_LIMITS, Terms
from gpu_provisioner.typed import Typed

_WITH_A_VALUE = ("on", "name", "python", "requirements", "idle", "max_usd_per_hour", "max_usd_per_day")
_ALONE = ("install", "new", "bg")


def typed_of(options: Any) -> Typed:
    """What was typed, of the options as the magic's parser reads them."""
    said: List[Tuple[str, ...]] = []
    for name in _WITH_A_VALUE:
        value = getattr(options, name)
        if value is not None:
            said.append((_option(name), str(value)))
    said += [(_option(name),) for name in _ALONE if getattr(options, name)]
    return Typed((options.spec, *options.alternatives), tuple(said))


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


@dataclass(frozen=True)
class Wanted:
    """The options of one ``%gpu_provision``.

    Attributes:
        typed: the whole of it, for advice.
        new: another one, even if this notebook has one that fits.
        target: the only one to be asked, by name.
        background: cells run where they ran until it is ready.
    """

    typed: Typed
    name: Optional[str] = None
    new: bool = False
    target: Optional[str] = None
    environment: Environment = AS_IT_IS
    terms: Terms = NO_LIMITS
    background: bool = False

    @property
    def specs(self) -> Sequence[str]:
        """The alternatives, in the order they are to be tried."""
        return self.typed.specs

    @property
    def specs_text(self) -> str:
        """The alternatives, for sentences."""
        return " --or ".join(self.specs)

    @property
    def title(self) -> str:
        """What was typed, in short."""
        return f"%gpu_provision {self.specs_text}" + (" --bg" if self.background else "")

    def requests(self) -> List[GpuRequest]:
        """The alternatives, understood.

        Raises:
            BadRequest: one cannot be; the remedy is the whole line as it was probably meant.
        """
        return [self._request(spec) for spec in self.specs]

    def _request(self, spec: str) -> GpuRequest:
        try:
            return parse(spec)
        except BadRequest as error:
            if error.meant is not None:
                error.remedy = str(self.typed.instead(spec, error.meant))
            raise

    def is_met_by(self, other: Wanted) -> bool:
        """Whether what is got for ``other`` is what this asks for; what it leaves open may be anything."""
        return (
            not self.new
            and list(self.specs) == list(other.specs)
            and self.name in (None, other.name)
            and self.target in (None, other.target)
            and (not self.environment.is_given or self.environment == other.environment)
            and self.terms.asked_idle_s in (None, other.terms.asked_idle_s)
        )
