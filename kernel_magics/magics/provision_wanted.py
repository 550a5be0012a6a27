"""What ``%gpu_provision`` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

from gpu_provisioner.environment import AS_IT_IS, Environment
from gpu_provisioner.terms import NO_LIMITS, Terms


@dataclass(frozen=True)
class Wanted:
    """The options of one ``%gpu_provision``.

    Attributes:
        specs: alternatives, in the order they are to be tried.
        new: another one, even if this notebook has one that fits.
        target: the only one to be asked, by name.
        background: cells run where they ran until it is ready.
    """

    specs: Sequence[str]
    name: Optional[str] = None
    new: bool = False
    target: Optional[str] = None
    environment: Environment = AS_IT_IS
    terms: Terms = NO_LIMITS
    background: bool = False

    @property
    def specs_text(self) -> str:
        """The alternatives, as typed."""
        return " --or ".join(self.specs)

    @property
    def title(self) -> str:
        """What was typed, in short."""
        return f"%gpu_provision {self.specs_text}" + (" --bg" if self.background else "")

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
