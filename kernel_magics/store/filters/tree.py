"""What a filter says, as values; and the text that says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Union

from kernel_magics.errors import UsageMistake


class FilterMistake(UsageMistake):
    """A filter that cannot be understood.

    Attributes:
        start, end: the characters of the filter that are wrong; ``start == end`` at a place where
            something is missing.
        reason: what is wrong, without the place.
    """

    def __init__(self, reason: str, start: int, end: int, remedy: str | None = None) -> None:
        super().__init__(f"The filter is wrong at character {start + 1}: {reason}", remedy)
        self.reason, self.start, self.end = reason, start, end


@dataclass(frozen=True)
class Field:
    """Something a run has.

    Attributes:
        kind: ``run`` (a field of the run itself), ``config``, ``summary``, ``facts``, or ``metric``.
        name: the key; nested keys have dots between them.
        stat: of a metric: ``last``, ``min``, ``max`` or ``best``; else "".
    """

    kind: str
    name: str
    stat: str = ""

    def __str__(self) -> str:
        name = self.name if _PLAIN_NAME.fullmatch(self.name) else f"`{self.name}`"
        if self.kind == "run":
            return name
        return f"{name}.{self.stat}" if self.kind == "metric" else f"{self.kind}.{name}"


@dataclass(frozen=True)
class Literal:
    """A value as it was written. What it means depends on what it is compared with.

    Attributes:
        quoted: a text, whatever it looks like.
    """

    text: str
    quoted: bool = False

    def __str__(self) -> str:
        return quote(self.text) if self.quoted else self.text


@dataclass(frozen=True)
class All:
    """Every run: the empty filter."""


@dataclass(frozen=True)
class And:
    """All of the parts, none of which is an :class:`And`."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Or:
    """One of the parts, none of which is an :class:`Or`."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Not:
    """Not the part."""

    part: Expression


@dataclass(frozen=True)
class Compare:
    """``field op value``; ``op`` is one of ``= != < <= > >= ~ !~``."""

    field: Field
    op: str
    value: Literal


@dataclass(frozen=True)
class OneOf:
    """``field in (value, …)``."""

    field: Field
    values: tuple[Literal, ...]


@dataclass(frozen=True)
class Within:
    """``value in field``: a part of a text, or an element of a list."""

    value: Literal
    field: Field


@dataclass(frozen=True)
class Has:
    """``field`` alone: it is there, and is not false, not empty."""

    field: Field


@dataclass(frozen=True)
class Search:
    """A word or a quoted text alone: it occurs somewhere in what the run is called and configured with."""

    text: str


Expression = Union[All, And, Or, Not, Compare, OneOf, Within, Has, Search]
_PLAIN_NAME = re.compile(r"[^\s\"'`()\[\],=<>!~]+")


def quote(text: str) -> str:
    """``text`` between quotation marks."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def conjunction(parts: list[Expression]) -> Expression:
    """All of the parts, as flat as can be."""
    flat = [one for part in parts for one in (part.parts if isinstance(part, And) else (part,))]
    return flat[0] if len(flat) == 1 else And(tuple(flat))


def disjunction(parts: list[Expression]) -> Expression:
    """One of the parts, as flat as can be."""
    flat = [one for part in parts for one in (part.parts if isinstance(part, Or) else (part,))]
    return flat[0] if len(flat) == 1 else Or(tuple(flat))


def to_text(expression: Expression) -> str:
    """The filter that :func:`~kernel_magics.store.filters.parse` reads as ``expression``."""
    if isinstance(expression, Or):
        return " or ".join(map(to_text, expression.parts))
    if isinstance(expression, And):
        return " and ".join(_enclosed(part, Or) for part in expression.parts)
    if isinstance(expression, Not):
        return f"not {_enclosed(expression.part, And, Or)}"
    if isinstance(expression, Compare):
        return f"{expression.field} {expression.op} {expression.value}"
    if isinstance(expression, OneOf):
        return f"{expression.field} in ({', '.join(map(str, expression.values))})"
    if isinstance(expression, Within):
        return f"{expression.value} in {expression.field}"
    if isinstance(expression, Has):
        return str(expression.field)
    return quote(expression.text) if isinstance(expression, Search) else ""


def _enclosed(part: Expression, *kinds: type) -> str:
    return f"({to_text(part)})" if isinstance(part, kinds) else to_text(part)
