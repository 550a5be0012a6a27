"""The bodies of the answers: from a question to the store to JSON text. All of it runs in threads."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from kernel_magics.errors import UsageMistake
from kernel_magics.model import MetricInfo, RunInfo
from kernel_magics.store import CellRecord, Store

from .encode import array, dumps, light_run, record
from .queries import WindowQuery

API = 1
"""Version of this interface; ``hello`` and ``GET info`` carry it."""
JOURNAL = 1
"""Newest version of the journal format that the store here reads."""


def runs(store: Store, project: str | None, limit: int | None) -> str:
    """``GET runs``."""
    return record(runs=array(map(_light, store.runs(project=project, limit=limit))))


def run(store: Store, run_id: str) -> str:
    """``GET runs/{id}``; raises ``UnknownRun``."""
    return dumps(store.run(run_id).to_json())


def outputs(store: Store, run_id: str) -> str:
    """``GET runs/{id}/outputs``; raises ``UnknownRun``."""
    return record(cells=array(map(_cell, store.outputs(run_id))))


def metrics(store: Store, run_ids: Collection[str]) -> str:
    """``GET metrics``: one entry for each name and source, in the order of their first appearance."""
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    for run_id, infos in store.metrics(list(run_ids)).items():
        for info in infos:
            _join(entries, run_id, info)
    return record(metrics=array(entries.values()))


def windows(store: Store, query: WindowQuery) -> str:
    """``POST windows``."""
    return record(windows=array(_windows(store, query, query.runs)))


def feed_hello(version: str) -> str:
    """The first message of the feed."""
    return dumps({"type": "hello", "version": version, "api": API})


def feed_runs(store: Store, changed: Collection[str], removed: Collection[str]) -> str:
    """A ``runs`` message. A run that changed and cannot be found any more has been removed."""
    found = store.runs(ids=sorted(changed)) if changed else []
    gone = (set(changed) | set(removed)) - {one.id for one in found}
    return record(type='"runs"', changed=array(map(_light, found)), removed=dumps(sorted(gone)))


def feed_all_runs(store: Store) -> str:
    """A ``runs`` message with every run, for a listener that may have missed some."""
    return record(type='"runs"', changed=array(map(_light, store.runs())), removed="[]")


def feed_metrics(run_ids: Collection[str]) -> str:
    """A ``metrics`` message."""
    return dumps({"type": "metrics", "runs": sorted(run_ids)})


def feed_series(
    store: Store, watch: int, index: int, query: WindowQuery, runs: Collection[str]
) -> str | None:
    """A ``series`` message with the windows of ``runs``, or of the groups that have one of them; ``None``
    when none of them has the metrics.

    Args:
        watch: the browser's number of its watch.
        index: which of the watch's series ``query`` is, from 0.
    """
    try:
        found = list(_windows(store, query, runs))
    except UsageMistake:
        found = []  # nobody has the metric of the x axis (yet); who asked by REST was told so
    if not found:
        return None
    return record(
        type='"series"',
        watch=dumps(watch),
        index=dumps(index),
        metric=dumps(query.metric),
        source=dumps(query.source),
        windows=array(found),
    )


def feed_error(message: str) -> str:
    """An ``error`` message: what the browser said wrongly."""
    return dumps({"type": "error", "message": message})


def _light(info: RunInfo) -> dict[str, Any]:
    return light_run(info.to_json())


def _cell(cell: CellRecord) -> dict[str, Any]:
    return {
        "key": cell.key,
        "source": cell.source,
        "execution_count": cell.execution_count,
        "cell_id": cell.cell_id,
        "started": cell.started,
        "finished": cell.finished,
        "outputs": cell.outputs,
    }


def _windows(store: Store, query: WindowQuery, runs: Collection[str]) -> Iterator[dict[str, Any]]:
    """Windows of those of ``runs`` that there are; of the groups that have one of them."""
    there = {info.id for info in store.runs(ids=query.runs if query.groups else runs)}
    groups = None
    if query.groups:
        # All of them, also for one that has changed: their cells depend on how far all of them reach.
        groups = [members for group in query.groups if (members := [run for run in group if run in there])]
    found = store.window(
        [run_id for run_id in runs if run_id in there],
        query.metric,
        query.x,
        query.start,
        query.stop,
        query.width,
        source=query.source,
        smoothing=query.smoothing,
        groups=groups,
    )
    for window in found:
        if window.group is None or not set(runs).isdisjoint(window.group.runs):
            yield window.to_json()


def _join(entries: dict[tuple[str, str], dict[str, Any]], run_id: str, info: MetricInfo) -> None:
    key = (info.name, str(info.source))
    fresh: dict[str, Any] = {
        "name": info.name,
        "source": str(info.source),
        "unit": None,
        "better": None,
        "runs": [],
    }
    entry = entries.setdefault(key, fresh)
    entry["unit"] = entry["unit"] or info.unit
    entry["better"] = entry["better"] or info.better
    entry["runs"].append(run_id)
