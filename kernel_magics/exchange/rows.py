"""What a file of runs holds, whatever its format: documents of runs, and blocks of points."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kernel_magics.journal import format as fmt
from kernel_magics.model import MetricSource

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLUMNS = ("run", "metric", "source", "step", "time", "value")
"""A point's row. ``run`` is the id of the run in its document."""
BLOCK = 50_000
"""Points that are worked on at a time."""

Document = Mapping[str, Any]
"""A run: ``id, name, project, group, tags, created, finished, status, status_detail, error, config, summary,
facts, metrics``; the last is ``[{name, source, unit?, better?, x?}, …]``."""

Progress = Callable[[int, int], None]
"""Called with the points that are done, and all of them (0: not known)."""


class Block(NamedTuple):
    """Points of one metric in the order of logging: step int64[n], time float64[n], value float64[n]."""

    run: str
    metric: str
    source: str
    step: NDArray[np.int64]
    time: NDArray[np.float64]
    value: NDArray[np.float64]


Content = tuple[list[Document], Iterator[Block]]
"""What a file holds; blocks are read while they are asked for."""


def checked(value: Any) -> Document:
    """A document of a file, after a look at what importing relies on.

    Raises:
        ValueError: it is none; says why.
    """
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        raise ValueError("a run's document has no id")
    for key in ("config", "summary", "facts", "error"):
        if not isinstance(value.get(key) or {}, dict):
            raise ValueError(f"{key} of run {value['id']} is no object")
    tags = value.get("tags") or []
    if not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise ValueError(f"tags of run {value['id']} are no texts")
    if fmt.is_too_deep(fmt.pack_json(value)):
        raise ValueError(f"run {value['id']} is nested deeper than {fmt.DEEPEST} levels")
    for metric in value.get("metrics") or ():
        if not (isinstance(metric, dict) and isinstance(metric.get("name"), str)):
            raise ValueError(f"a metric of run {value['id']} has no name")
        source_of(metric.get("source"))
    return value


def source_of(text: object) -> MetricSource:
    """The source of that name.

    Raises:
        ValueError: there is none.
    """
    try:
        return MetricSource(text)
    except ValueError:
        raise ValueError(f"{text!r} is no source: {', '.join(MetricSource)}") from None


def nothing(_done: int, _all: int) -> None:
    """Shows no progress."""
