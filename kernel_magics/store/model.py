"""Values that the store gives out: series, windows, cells, changes, summaries of metrics."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from kernel_magics.model import MetricSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int32]

X_KINDS = ("step", "relative", "time")


@dataclass(frozen=True, eq=False)
class Series:
    """Every point of one metric of one run, in the order in which they were logged.

    Attributes:
        step: int64[n], as given; any order, repeated steps are kept.
        time: float64[n], seconds since the epoch.
        value: float64[n]; NaN and ±Inf as logged.
    """

    step: NDArray[np.int64]
    time: Floats
    value: Floats

    def __len__(self) -> int:
        return len(self.value)


_FLOAT_FIELDS = ("x", "min", "max", "first", "last")
_COUNT_FIELDS = ("count", "nan", "posinf", "neginf")


@dataclass(frozen=True, eq=False)
class GroupMembers:
    """What stands behind the window of a group of runs (:mod:`kernel_magics.store.groups`).

    Attributes:
        runs: those of the group that have the metric.
        members: int32[m], how many of them the mean of a bucket is of.
        std: float64[m], how far apart they lie there: the sample's standard deviation.
    """

    runs: tuple[str, ...]
    members: Counts
    std: Floats


@dataclass(frozen=True, eq=False)
class Window:
    """One metric of one run between two x, reduced to at most two buckets a pixel; no extreme is lost.

    Bucket ``i`` stands for ``count[i]`` points. ``min``, ``max``, ``first`` and ``last`` are of its finite
    points (NaN where there is none), first and last in the order of x, and among equal x in the order of
    logging. What is not finite is counted in ``nan``, ``posinf`` and ``neginf``. With ``raw`` each bucket is
    one point.

    This is the M4 aggregation (Jugel et al., VLDB 2014) over cells of a power of two, so that a bucket does
    not move when a chart scrolls or grows.

    Attributes:
        x_kind: ``step``, ``relative`` (seconds since the run's start), ``time`` (seconds since the epoch), or
            the name of a metric.
        points: points between the two x, all buckets together.
        x: float64[m], ascending: where the bucket's ``last`` point lies.
        min, max, first, last: float64[m].
        count, nan, posinf, neginf: int32[m].
        group: of a group of runs; ``run`` is its first one then, ``first`` and ``last`` are the mean.
    """

    run: str
    metric: str
    x_kind: str
    raw: bool
    points: int
    x: Floats
    min: Floats
    max: Floats
    first: Floats
    last: Floats
    count: Counts
    nan: Counts
    posinf: Counts
    neginf: Counts
    group: GroupMembers | None = None

    def __len__(self) -> int:
        return len(self.x)

    def to_json(self) -> dict[str, Any]:
        """The window as the REST interface and the feed spell it (``Window`` in
        ``jupyter_ext/openapi.yaml``)."""
        plain = {name: getattr(self, name) for name in ("run", "metric", "x_kind", "raw", "points")}
        floats = {name: _wire(getattr(self, name), "float64") for name in _FLOAT_FIELDS}
        counts = {name: _wire(getattr(self, name), "int32") for name in _COUNT_FIELDS}
        return {**plain, **floats, **counts, **self._group_json()}

    def _group_json(self) -> dict[str, Any]:
        if self.group is None:
            return {}
        members, std = _wire(self.group.members, "int32"), _wire(self.group.std, "float64")
        return {"group": {"runs": list(self.group.runs), "members": members, "std": std}}


def _wire(array: Any, dtype: str) -> dict[str, str]:
    data = np.ascontiguousarray(array, np.dtype(dtype).newbyteorder("<")).tobytes()
    return {"dtype": dtype, "base64": base64.b64encode(data).decode("ascii")}


@dataclass(frozen=True)
class CellRecord:
    """One execution of a tracked cell and what it showed.

    Attributes:
        key: names the execution; a cell that ran twice has two records.
        started, finished: seconds since the epoch; ``finished`` is ``None`` while it runs, or when it was
            killed.
        status: ``"ok"``, ``"error"`` … as recorded at its end, else ``""``.
        outputs: nbformat 4 outputs, display updates and ``clear_output`` applied; untrusted.
        recorded: ``False`` where what it showed was left out on purpose.
    """

    key: str
    source: str | None = None
    execution_count: int | None = None
    cell_id: str | None = None
    started: float | None = None
    finished: float | None = None
    status: str = ""
    outputs: list[dict[str, Any]] = field(default_factory=list)
    recorded: bool = True


@dataclass(frozen=True)
class Changes:
    """What has changed since the last look.

    Attributes:
        runs: ids of runs that are new or changed in any way.
        metrics: ``(run id, metric name)`` with new points.
        new_metrics: ids of runs that have a metric which they did not have.
        removed: ids of runs whose folder is gone.
    """

    runs: set[str] = field(default_factory=set)
    metrics: set[tuple[str, str]] = field(default_factory=set)
    new_metrics: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.runs or self.metrics or self.new_metrics or self.removed)


@dataclass(frozen=True)
class MetricSummary:
    """What one metric of one run came to.

    Attributes:
        last: the value logged last (NaN and ±Inf too), at ``last_step``.
        min, max: of the finite values, ``None`` when there is none; reached first at ``min_step``,
            ``max_step``.
        best, best_step: the minimum or the maximum, when somebody said which is better.
        count: points.
    """

    name: str
    source: MetricSource
    count: int
    last: float
    last_step: int
    min: float | None
    min_step: int | None
    max: float | None
    max_step: int | None
    best: float | None = None
    best_step: int | None = None
    unit: str | None = None
    better: str | None = None
