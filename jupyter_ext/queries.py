"""What browsers may ask: values that are checked before anything is done with them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from kernel_magics.model import is_run_id

from .errors import BadQuery

MAX_RUNS = 1_000
"""Runs that one query may name."""
MAX_SERIES = 200
"""Series that one connection may watch."""
MAX_LIMIT = 100_000
MAX_WIDTH = 10_000
MAX_NAME = 1_024
X_KINDS = ("step", "relative", "time")
SOURCES = ("logged", "inferred", "system", None)
STYLES = 24
"""Styles of lines, as :data:`kernel_magics.figures.palette.STYLES`."""
LEASE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,126}")


@dataclass(frozen=True)
class WindowQuery:
    """One metric of several runs between two x, for a width in pixels.

    Attributes:
        x: one of :data:`X_KINDS`, or the name of a metric.
        start, stop: in the unit of ``x`` (steps, seconds, or the metric's); ``None`` for the whole series.
        source: of metrics that have the same name; ``None`` for the first of :data:`SOURCES` that a run has.
        smoothing: weight of the past in a moving average, from 0 (none) to below 1.
        groups: a part of ``runs`` each; a window is of a group's mean then. ``None``: each run by itself.
    """

    runs: tuple[str, ...]
    metric: str
    x: str = "step"
    start: float | None = None
    stop: float | None = None
    width: int = 1000
    source: str | None = None
    smoothing: float = 0.0
    groups: tuple[tuple[str, ...], ...] | None = None

    @classmethod
    def from_json(cls, body: object) -> WindowQuery:
        """Raises :class:`BadQuery` that names the first field that is wrong."""
        query = _object(body, "A window query")
        unknown = sorted(set(query) - set(cls.__dataclass_fields__))
        if unknown:
            raise BadQuery(f"A window query has no field {unknown[0][:80]!r}.")
        source = query.get("source")
        if source not in SOURCES:
            raise BadQuery("`source` is one of logged, inferred, system, or null.")
        runs = _runs(query.get("runs"))
        return cls(
            runs=runs,
            metric=_name(query.get("metric"), "metric"),
            x=_name(query.get("x", "step"), "x"),
            start=_number(query.get("start"), "start"),
            stop=_number(query.get("stop"), "stop"),
            width=_whole(query.get("width", 1000), "width", MAX_WIDTH),
            source=source,
            smoothing=_smoothing(query.get("smoothing", 0)),
            groups=_groups(query.get("groups"), runs),
        )

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics on which its windows depend."""
        return (self.metric,) if self.x in X_KINDS else (self.metric, self.x)

    def touched(self, changed: Collection[tuple[str, str]]) -> tuple[str, ...]:
        """Those of its runs whose windows are others when these ``(run, metric)`` have changed."""
        return tuple(run for run in self.runs if any((run, name) in changed for name in self.metrics))


MAX_NOTES = 100_000
FORMATS = ("html", "notebook")
BANDS = ("range", "std")


@dataclass(frozen=True)
class ReportQuery:
    """A comparison as a file; the fields but ``format`` are those of ``kernel_magics.figures.View``."""

    runs: tuple[str, ...]
    format: str = "html"
    x: str = "auto"
    log: bool = False
    group_by: str | None = None
    smoothing: float = 0.0
    notes: str = ""
    baseline: str | None = None
    band: str = "range"
    inferred: bool = False
    styles: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_json(cls, body: object) -> ReportQuery:
        """Raises :class:`BadQuery` that names the first field that is wrong."""
        query = _object(body, "A report")
        unknown = sorted(set(query) - set(cls.__dataclass_fields__))
        if unknown:
            raise BadQuery(f"A report has no field {unknown[0][:80]!r}.")
        if query.get("format", "html") not in FORMATS:
            raise BadQuery("`format` is one of html, notebook.")
        for name in ("log", "inferred"):
            if not isinstance(query.get(name, False), bool):
                raise BadQuery(f"`{name}` is true or false.")
        if query.get("band", "range") not in BANDS:
            raise BadQuery(f"`band` is one of {', '.join(BANDS)}.")
        group_by, baseline = query.get("group_by"), query.get("baseline")
        return cls(
            runs=_runs(query.get("runs")),
            format=query.get("format", "html"),
            x=_name(query.get("x", "auto"), "x"),
            log=query.get("log", False),
            group_by=None if group_by is None else _name(group_by, "group_by"),
            smoothing=_smoothing(query.get("smoothing", 0)),
            notes=_name(query.get("notes", ""), "notes", 0, MAX_NOTES),
            baseline=None if baseline is None else _runs([baseline])[0],
            band=query.get("band", "range"),
            inferred=query.get("inferred", False),
            styles=_styles(query.get("styles", {})),
        )


@dataclass(frozen=True)
class Watch:
    """What a connection wants to be told about; ``id`` is the browser's own number for it.

    Attributes:
        pulses: whether somebody looks at how busy the leased machines are.
    """

    id: int
    series: tuple[WindowQuery, ...]
    pulses: bool = False

    @classmethod
    def from_json(cls, message: object) -> Watch:
        """Raises :class:`BadQuery` with a sentence about what is wrong."""
        watch = _object(message, "A message")
        if watch.get("type") != "watch":
            raise BadQuery(
                f"There is no message of the type {str(watch.get('type'))[:80]!r}; there is `watch`."
            )
        number, series = watch.get("id"), watch.get("series")
        if not isinstance(number, int) or isinstance(number, bool):
            raise BadQuery("A watch has a whole number `id`.")
        if not isinstance(series, list):
            raise BadQuery("A watch has a list `series`.")
        if len(series) > MAX_SERIES:
            raise BadQuery(f"A watch names at most {MAX_SERIES} series; this one has {len(series)}.")
        pulses = watch.get("pulses", False)
        if not isinstance(pulses, bool):
            raise BadQuery("`pulses` is true or false.")
        return cls(number, tuple(WindowQuery.from_json(one) for one in series), pulses)


def json_body(text: str | bytes) -> object:
    """The value of a JSON text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadQuery("This is not JSON.") from error


def run_id(text: str) -> str:
    """``text`` when it can be a run id."""
    if not is_run_id(text):
        raise BadQuery(f"{text[:80]!r} is no run id.", "trackside ls")
    return text


def media_number(text: str) -> int:
    """``text`` when it can be the number of something in a run's media, from 0."""
    if re.fullmatch(r"[0-9]{1,9}", text) is None:
        raise BadQuery(f"{text[:80]!r} is no number of media.")
    return int(text)


def number_known(text: str | None) -> int | None:
    """The number of an earlier answer, ``None`` when there was none."""
    if text is not None and re.fullmatch(r"[0-9]{1,12}", text) is None:
        raise BadQuery(f"{text[:80]!r} is no number of an answer.")
    return None if text is None else int(text)


def lease_id(text: str) -> str:
    """``text`` when it can be a lease id."""
    if LEASE_ID.fullmatch(text) is None:
        raise BadQuery(f"{text[:80]!r} is no lease id.", "trackside leases")
    return text


def run_ids(text: str | None) -> tuple[str, ...]:
    """The ids of ``?runs=a,b``."""
    return _runs((text or "").split(",") if text else None)


def limit(text: str | None) -> int | None:
    """The number of ``?limit=``; ``None`` when it is left out."""
    if text is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", text) is None:
        raise BadQuery(f"`limit` is a whole number from 1 to {MAX_LIMIT:,}.")
    return _whole(int(text), "limit", MAX_LIMIT)


def project(text: str | None) -> str | None:
    """The name of ``?project=``; ``None`` when it is left out."""
    return None if text is None else _name(text, "project", least=0)


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadQuery(f"{what} is a JSON object.")
    return value


def _runs(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise BadQuery("`runs` names one run or several.")
    if len(value) > MAX_RUNS:
        raise BadQuery(f"`runs` names at most {MAX_RUNS:,} runs; these are {len(value):,}.")
    return tuple(dict.fromkeys(run_id(one) for one in value))


def _styles(value: object) -> dict[str, int]:
    if not isinstance(value, dict) or len(value) > MAX_RUNS:
        raise BadQuery(f"`styles` has a number for each run, of at most {MAX_RUNS:,} runs.")
    return {run_id(run): _whole(number, "styles", STYLES - 1, 0) for run, number in value.items()}


def _groups(value: object, runs: tuple[str, ...]) -> tuple[tuple[str, ...], ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not value:
        raise BadQuery("`groups` is a list of lists of runs, or null.")
    groups = tuple(_runs(group) for group in value)
    members = [run for group in groups for run in group]
    if sorted(members) != sorted(runs):
        raise BadQuery("`groups` names each of `runs` in exactly one group.")
    return groups


def _name(value: object, field: str, least: int = 1, most: int = MAX_NAME) -> str:
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise BadQuery(f"`{field}` is a text of at most {most:,} characters.")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise BadQuery(f"`{field}` is not valid Unicode.")
    return value


def _number(value: object, field: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadQuery(f"`{field}` is a number, or null for the whole series.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadQuery(f"`{field}` is a finite number, or null for the whole series.")
    return number


def _smoothing(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise BadQuery("`smoothing` is a number from 0 (none) to below 1.")
    return float(value)


def _whole(value: object, field: str, most: int, least: int = 1) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JavaScript has one kind of number, and JSON Schema agrees
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadQuery(f"`{field}` is a whole number from {least} to {most:,}.")
    return value
