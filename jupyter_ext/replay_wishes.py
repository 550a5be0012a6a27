"""What a page says on the replay's WebSocket: checked before anything is done with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

from .errors import BadQuery

_LONGEST = 4_096
"""Characters of an id or a path."""


@dataclass(frozen=True)
class Follow:
    """A page shows a notebook.

    Attributes:
        kernel: id of its kernel, ``None`` when it has none.
        path: as the contents manager names it.
        saved: when that was saved, in seconds since the epoch; 0.0 when it never was.
        number: the page counts these messages; the answer names it.
    """

    kernel: str | None
    path: str | None
    saved: float
    number: int


@dataclass(frozen=True)
class Want:
    """A page wants what a cell shows, after a position that it was told (``None``: from the beginning)."""

    key: str
    position: int | None


def wish(message: object) -> Follow | Want:
    """The wish in a message; raises :class:`BadQuery` with a sentence."""
    if not isinstance(message, dict):
        raise BadQuery("A message is a JSON object.")
    kind, position, saved = message.get("type"), message.get("position"), message.get("saved", 0)
    number = message.get("number", 0)
    if kind == "follow":
        if isinstance(saved, bool) or not isinstance(saved, (int, float)) or not 0 <= saved < 1e12:
            raise BadQuery("`saved` is in seconds since the epoch; 0 for never.")
        if not _is_count(number):
            raise BadQuery("`number` is a count.")
        kernel, path = _text(message.get("kernel"), "kernel"), _text(message.get("path"), "path")
        return Follow(kernel, path, float(saved), number)
    if kind == "want":
        key = _text(message.get("key"), "key")
        if key is None:
            raise BadQuery("`want` names the `key` of a cell.")
        if position is not None and not _is_count(position):
            raise BadQuery("`position` is one that was told, or null.")
        return Want(key, position)
    raise BadQuery(f"There is no message of the type {str(kind)[:80]!r}; there are `follow` and `want`.")


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _text(value: object, field: str) -> str | None:
    if value is not None and (not isinstance(value, str) or not 0 < len(value) <= _LONGEST or "\0" in value):
        raise BadQuery(f"`{field}` is a text of at most {_LONGEST:,} characters, or null.")
    return value
