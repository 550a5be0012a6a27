"""Names and layouts: what has to be in a journal before points can refer to it."""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from kernel_magics.journal import format as fmt
from kernel_magics.model import MetricSource

_MOST_LAYOUTS = 4096
_DEFINED = frozenset({MetricSource.LOGGED, MetricSource.INFERRED})
"""Sources that people's definitions are about; telemetry brings its units along."""


class Steps:
    """Counts the steps of one source. ``last`` is the largest step seen, -1 before the first."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last = -1


class Layout:
    """A tuple of metrics that are logged together.

    ``pack(MARKER, length, POINTS, number, step, time, *values)`` is a points frame but for its checksum.
    """

    __slots__ = ("count", "length", "number", "pack", "steps")

    def __init__(self, number: int, count: int, steps: Steps) -> None:
        self.steps = steps
        self.number = number
        self.count = count
        self.length = fmt.POINTS_HEAD.size + 8 * count
        self.pack = fmt.points_packer(count).pack


class MetricTable:
    """The metrics and layouts of one journal, defined in it when first used.

    Not thread-safe; the run that owns it holds its lock.

    Args:
        append: appends a frame and says whether it is kept. What is not kept is not defined.
    """

    def __init__(self, append: Callable[[bytes], bool]) -> None:
        self._append = append
        self._metrics: Dict[Tuple[MetricSource, str], int] = {}
        self._layouts: Dict[MetricSource, Dict[Tuple[Any, ...], Layout]] = {
            source: {} for source in MetricSource
        }
        self.steps = {source: Steps() for source in MetricSource}
        self._next_layout = 0
        self._definitions: List[Tuple[re.Pattern[str], Dict[str, str]]] = []

    def define(self, pattern: str, said: Mapping[str, str]) -> None:
        """From now on metrics whose name fits ``pattern`` are as ``said``; those in the journal are refined.

        A later definition wins, key by key. Definitions outlive :meth:`forget`.

        Args:
            pattern: a metric's name, in which ``*`` stands for any characters.
            said: any of ``unit``, ``better``, ``x``.
        """
        expression = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
        self._definitions.append((expression, dict(said)))
        for (source, name), number in self._metrics.items():
            if source in _DEFINED and expression.fullmatch(name):
                self._append(_frame(fmt.Kind.METRIC, self._content(number, name, source)))

    def _content(self, number: int, name: str, source: MetricSource) -> Dict[str, Any]:
        content: Dict[str, Any] = {"id": number, "name": name, "source": str(source)}
        if source in _DEFINED:
            for expression, said in self._definitions:
                if expression.fullmatch(name):
                    content.update(said)
        return content

    @property
    def logged_step(self) -> int:
        """The largest step logged so far, -1 before the first."""
        return self.steps[MetricSource.LOGGED].last

    def forget(self) -> None:
        """Begin anew, for another journal. Steps go on; the dict of :attr:`logged` stays the same object."""
        self._metrics.clear()
        for known in self._layouts.values():
            known.clear()
        self._next_layout = 0

    @property
    def logged(self) -> Dict[Tuple[Any, ...], Layout]:
        """Layouts of logged metrics by their names: what ``log()`` looks into first."""
        return self._layouts[MetricSource.LOGGED]

    def layout(
        self, names: Tuple[str, ...], source: MetricSource, units: Optional[Mapping[str, str]] = None
    ) -> Optional[Layout]:
        """The layout of ``names``, defined if need be; ``None`` when its definition could not be kept.

        Raises:
            ValueError: more metrics than one frame can hold.
        """
        known = self._layouts[source]
        found = known.get(names)
        if found is not None:
            return found
        layout = Layout(self._next_layout, len(names), self.steps[source])
        if layout.length > fmt.MAX_PAYLOAD:
            raise ValueError(f"{len(names):,} metrics in one call are more than a frame can hold")
        numbers: List[int] = []
        for name in names:
            number = self._metric(name, source, (units or {}).get(name))
            if number is None:
                return None
            numbers.append(number)
        if not self._append(_frame(fmt.Kind.LAYOUT, {"id": layout.number, "metrics": numbers})):
            return None
        self._next_layout += 1
        if len(known) >= _MOST_LAYOUTS:  # names made up per call: forget, and define anew when one returns
            known.clear()
        known[names] = layout
        return layout

    def _metric(self, name: str, source: MetricSource, unit: Optional[str]) -> Optional[int]:
        number = self._metrics.get((source, name))
        if number is not None:
            return number
        number = len(self._metrics)
        content = self._content(number, name, source)
        if unit is not None:
            content["unit"] = unit
        if not self._append(_frame(fmt.Kind.METRIC, content)):
            return None
        self._metrics[source, name] = number
        return number


def _frame(kind: fmt.Kind, content: Mapping[str, Any]) -> bytes:
    return fmt.pack_frame(kind, fmt.pack_json(content))
