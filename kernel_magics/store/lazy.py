"""The mappings of a listing: short ones are decoded at once, long ones when somebody looks.

The texts of a column are decoded many at a time, in one call of the JSON decoder: for short objects the call
costs more than the decoding. Ten thousand long ones cost more than whoever lists runs wants to pay.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, KeysView, Mapping, Sequence
from typing import Any

AT_ONCE = 2_000_000
"""Characters of a column that are decoded without being asked for."""
BLOCK = 256
"""Objects of a long column that are decoded together."""


def mappings(texts: Sequence[str | None]) -> Sequence[Mapping[str, Any]]:
    """The objects that a column of JSON texts spells; ``None`` spells the empty one."""
    whole = [text or "{}" for text in texts]
    return _decoded(whole) if sum(map(len, whole)) <= AT_ONCE else mappings_later(whole)


def mappings_later(texts: Sequence[str | None]) -> Sequence[Mapping[str, Any]]:
    """The same for a column that few look at: nothing is decoded without being asked for."""
    column = _Column([text or "{}" for text in texts])
    return [JsonMapping(column, row) for row in range(len(texts))]


def _decoded(texts: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(f"[{','.join(texts)}]")
    return found


class _Column:
    __slots__ = ("_blocks", "_texts")

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._blocks: dict[int, list[dict[str, Any]]] = {}

    def value(self, row: int) -> dict[str, Any]:
        """The object of one row."""
        number, place = divmod(row, BLOCK)
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = _decoded(self._texts[number * BLOCK : (number + 1) * BLOCK])
        return block[place]


class JsonMapping(Mapping[str, Any]):
    """One row of a long column, decoded at the first look."""

    __slots__ = ("_column", "_row", "_value")

    def __init__(self, column: _Column, row: int) -> None:
        self._column = column
        self._row = row
        self._value: dict[str, Any] | None = None

    def _decoded(self) -> dict[str, Any]:
        if self._value is None:
            self._value = self._column.value(self._row)
        return self._value

    def __getitem__(self, key: str) -> Any:
        return self._decoded()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded())

    def __len__(self) -> int:
        return len(self._decoded())

    def keys(self) -> KeysView[str]:
        """As of a dict; ``dict(mapping)`` asks for them."""
        return self._decoded().keys()

    def __eq__(self, other: object) -> bool:
        return dict(self) == dict(other) if isinstance(other, Mapping) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as every mapping whose values can change

    def __repr__(self) -> str:
        return repr(self._decoded())
