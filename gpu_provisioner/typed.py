"""What to type: the line of a magic, spelled so that IPython reads from it what is meant.

IPython splits a magic's line at blanks, keeps what stands between quotes together, and knows no way to write
a quote inside of its own kind. Before that it puts values in for ``$name`` and ``{expression}``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Dict, Optional, Tuple

from gpu_provisioner.model import Lease

_BARE = re.compile(r"(?!-)[\w.:@+=/~<>%-]*[\w:@+=/~<>%-]")
_CHANGED_BY_IPYTHON = re.compile(r"[${}\x00-\x1f\x7f-\x9f\u2028\u2029]")


def word(text: str) -> str:
    """``text`` as one argument of a magic, in quotes where it needs them; see :func:`can_be_typed`."""
    if _BARE.fullmatch(text):
        return text
    quote = '"' if "'" in text else "'"
    return f"{quote}{text}{quote}"


def can_be_typed(text: str) -> bool:
    """Whether a magic that is given ``word(text)`` reads ``text``."""
    return not _CHANGED_BY_IPYTHON.search(text) and not ("'" in text and '"' in text)


def lease_word(lease: Lease) -> str:
    """What to call a lease in a magic: its name, or where that cannot be typed its id."""
    return word(lease.name) if lease.name and can_be_typed(lease.name) else lease.id


def attach(lease: Lease) -> str:
    """``%gpu_attach NAME``."""
    return f"%gpu_attach {lease_word(lease)}"


def release(lease: Lease) -> str:
    """``%gpu_release NAME``."""
    return f"%gpu_release {lease_word(lease)}"


@dataclass(frozen=True)
class Typed:
    """A ``%gpu_provision`` as somebody typed it, so that advice can say what to type instead.

    Attributes:
        specs: the alternatives, in their order.
        options: each as its words: ``("--on", "gpu1")``, ``("--install",)``.
    """

    specs: Tuple[str, ...]
    options: Tuple[Tuple[str, ...], ...] = ()

    def __str__(self) -> str:
        specs = " --or ".join(word(spec) for spec in self.specs)
        options = "".join(
            " ".join(["", name, *(word(value) for value in values)]) for name, *values in self.options
        )
        return f"%gpu_provision {specs}{options}"

    def instead(self, spec: str, meant: str) -> Typed:
        """With ``meant`` in the place of ``spec``."""
        return replace(self, specs=tuple(meant if each == spec else each for each in self.specs))

    def or_else(self, spec: str) -> Typed:
        """With one more alternative."""
        return self if spec in self.specs else replace(self, specs=(*self.specs, spec))

    def given(self, option: str, value: Optional[str] = None) -> Typed:
        """With that option, in place of what it was, and that value."""
        others = tuple(each for each in self.options if each[0] != option)
        return replace(self, options=(*others, (option,) if value is None else (option, value)))

    def to_json(self) -> Dict[str, Any]:
        """For the handle of a lease."""
        return {"specs": list(self.specs), "options": [list(option) for option in self.options]}


def again(lease: Lease) -> Typed:
    """What would get another one like it: as it was typed, if that was put down."""
    said = lease.handle.get("typed")
    if isinstance(said, dict):
        return Typed(tuple(said["specs"]), tuple(tuple(option) for option in said["options"]))
    return Typed(tuple(lease.spec.split(" --or ")))
