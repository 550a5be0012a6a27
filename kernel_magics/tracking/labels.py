"""What a run is called: any text, but not one that no list could show."""

from __future__ import annotations

from typing import Any, Callable, Tuple

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


def tags_of(value: Any, tell: Callable[[str], Any] = notice) -> Tuple[str, ...]:
    """Tags as texts; one text is one tag, and ``None`` is none.

    Raises:
        TypeError: it is no list of anything.
    """
    given = (value,) if isinstance(value, str) else () if value is None else value
    return tuple(label(tag, "tag", tell) for tag in given)


def inside(name: str) -> str:
    """``name`` as a path that stays where it is put: without ``..``, ``.`` and empty parts."""
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))
