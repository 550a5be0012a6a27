"""What a run is called: any text, but not one that no list could show."""

from __future__ import annotations

from typing import Any, Callable

from kernel_magics.tracking.notices import notice

LONGEST = 1000
"""Characters of a name, a project, a group or a tag."""


def label(value: Any, what: str, tell: Callable[[str], Any] = notice) -> str:
    """``value`` as a text; a longer one is cut, which ``tell`` is told."""
    text = str(value)
    if len(text) <= LONGEST:
        return text
    tell(f"A {what} of {len(text):,} characters is cut to {LONGEST:,}; it begins with {text[:40]!r}.")
    return text[: LONGEST - 1] + "…"


def inside(name: str) -> str:
    """``name`` as a path that stays where it is put: without ``..``, ``.`` and empty parts."""
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))
