"""What the end of a long journal says, before all of it has been read: how the run ended, its last values.

It is shown until the ingester gets there, and is never written into what is derived from the whole journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kernel_magics.journal.format import Kind, unpack_json

from .documents import Document, fold
from .frames import Batch

_KINDS = frozenset({Kind.SUMMARY, Kind.FINISH, Kind.CHANGE, Kind.METRIC, Kind.LAYOUT})


@dataclass(frozen=True)
class Ahead:
    """The end of one journal.

    Attributes:
        document: what its JSON frames come to.
        last: name of a logged metric to ``(time, value)`` of its last point there.
    """

    document: Document = field(default_factory=dict)
    last: dict[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, batch: Batch, layouts: Mapping[int, list[int]], names: Mapping[int, str]) -> Ahead:
        """From the frames at the end.

        Args:
            layouts: those that are known so far, and
            names: of logged metrics by number, likewise; what is defined at the end is known too.
        """
        found, layouts, names = cls(), dict(layouts), dict(names)
        for frame in batch.frames:
            if frame.kind in _KINDS:
                try:
                    found._take(frame.kind, unpack_json(frame.payload), layouts, names)
                except (ValueError, KeyError, TypeError, AttributeError):
                    continue  # the ingester reports it when it gets there
        places: dict[str, int] = {}
        for block in batch.points:
            offset = int(block.offset[-1])
            for column, metric in enumerate(layouts.get(block.layout, ())[: block.values.shape[1]]):
                name = names.get(metric)
                if name is not None and places.get(name, -1) < offset:
                    places[name] = offset
                    found.last[name] = float(block.time[-1]), float(block.values[-1, column])
        return found

    def _take(
        self, kind: int, content: dict[str, Any], layouts: dict[int, list[int]], names: dict[int, str]
    ) -> None:
        if kind == Kind.LAYOUT:
            layouts[int(content["id"])] = [int(metric) for metric in content["metrics"]]
        elif kind == Kind.METRIC:
            if content.get("source", "logged") == "logged":
                names[int(content["id"])] = str(content["name"])
        else:
            fold(self.document, kind, content)

    def over(self, document: Document) -> Document:
        """A journal's document as it will be."""
        merged = {**document, **{key: self.document[key] for key in ("finish",) if key in self.document}}
        for part in ("change", "changed", "summary"):
            if part in self.document:
                merged[part] = {**document.get(part, {}), **self.document[part]}
        gone = "summary deleted"
        if gone in self.document:
            merged[gone] = [*document.get(gone, ()), *self.document[gone]]
        return merged


def last_values(ends: Iterable[Ahead]) -> dict[str, float]:
    """The newest value of each metric that any of the ends has."""
    newest: dict[str, tuple[float, float]] = {}
    for end in ends:
        for name, (when, value) in end.last.items():
            if name not in newest or when >= newest[name][0]:
                newest[name] = when, value
    return {name: value for name, (_when, value) in newest.items()}
