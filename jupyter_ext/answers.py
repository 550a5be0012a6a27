"""The bodies of the answers: from a question to the store to JSON text. All of it runs in threads."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kernel_magics.errors import UsageMistake
from kernel_magics.model import MetricInfo, RunInfo
from kernel_magics.store import CellRecord, Store
from kernel_magics.store.happenings import happenings

from .encode import array, dumps, light_run, record
from .errors import UnknownMedia
from .queries import ReportQuery, WindowQuery

API = 1
"""Version of this interface; ``hello`` and ``GET info`` carry it."""
JOURNAL = 1
"""Newest version of the journal format that the store here reads."""


def runs(store: Store, project: str | None, limit: int | None, where: str | None = None) -> str:
    """``GET runs``; raises ``FilterMistake``."""
    return record(runs=array(map(_light, store.runs(project=project, limit=limit, where=where))))


def run(store: Store, run_id: str) -> str:
    """``GET runs/{id}``; raises ``UnknownRun``."""
    return dumps(store.run(run_id).to_json())


def outputs(store: Store, run_id: str) -> str:
    """``GET runs/{id}/outputs``; raises ``UnknownRun``."""
    return record(cells=array(map(_cell, store.outputs(run_id))))


def events(store: Store, run_ids: Collection[str]) -> str:
    """``GET events``: run by run, each with the step that the run had reached."""
    found = (event for run in store.runs(ids=run_ids) for event in happenings(store, run))
    return record(events=array(found))


def summaries(store: Store, run_ids: Collection[str]) -> str:
    """``GET summaries``: what each metric of each run came to, with the steps."""
    there = [info.id for info in store.runs(ids=run_ids)]
    found = store.metric_summaries(there)
    return record(
        summaries=array(
            {"run": run_id, **asdict(one), "source": str(one.source)}
            for run_id in run_ids
            for one in found.get(run_id, ())
        )
    )


def media(store: Store, run_id: str) -> str:
    """``GET runs/{id}/media``: what there is to look at, without the content; raises ``UnknownRun``."""
    return record(media=array(map(_medium, enumerate(store.media(run_id)))))


def medium(store: Store, run_id: str, number: int) -> str:
    """``GET runs/{id}/media/{number}``; raises ``UnknownRun``, ``UnknownMedia``."""
    found = store.media(run_id)
    if number >= len(found):
        raise UnknownMedia(f"Run {run_id} has no media number {number}: it has {len(found):,}.")
    blob = found[number].get("blob")
    try:
        data = Path(blob).read_bytes() if blob else None
    except OSError as error:
        raise UnknownMedia(f"The media's file cannot be read: {error.strerror} ({blob}).") from error
    content = None if blob else found[number].get("content")
    return dumps({"content": content, "base64": data and base64.b64encode(data).decode("ascii")})


def report(store: Store, query: ReportQuery) -> str:
    """``POST report``; raises ``UnknownRun``, and ``UsageMistake`` for a view that makes no sense."""
    from kernel_magics.figures import View, comparison_notebook, comparison_page  # brings Bokeh

    view = View(**{name: value for name, value in asdict(query).items() if name not in ("runs", "format")})
    make = comparison_page if query.format == "html" else comparison_notebook
    suffix = "html" if query.format == "html" else "ipynb"
    return dumps({"name": f"comparison.{suffix}", "content": make(store, query.runs, view)})


def metrics(store: Store, run_ids: Collection[str]) -> str:
    """``GET metrics``: one entry for each name and source, in the order of their first appearance."""
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    for run_id, infos in store.metrics(list(run_ids)).items():
        for info in infos:
            _join(entries, run_id, info)
    return record(metrics=array({**entry, "x": _only(entry["x"])} for entry in entries.values()))


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
        "recorded": cell.recorded,
    }


_MEDIA_KEYS = ("metric", "step", "time", "type", "mime", "size")
_MEDIA_BYTES = ("content", "digest", "blob")


def _medium(numbered: tuple[int, dict[str, Any]]) -> dict[str, Any]:
    number, item = numbered
    more = {key: value for key, value in item.items() if key not in (*_MEDIA_KEYS, *_MEDIA_BYTES)}
    return {"number": number, **{key: item.get(key) for key in _MEDIA_KEYS}, "more": more}


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
        "x": set(),
        "runs": [],
    }
    entry = entries.setdefault(key, fresh)
    entry["unit"] = entry["unit"] or info.unit
    entry["better"] = entry["better"] or info.better
    entry["x"].update({info.x} - {None})
    entry["runs"].append(run_id)


def _only(said: Collection[str]) -> str | None:
    """Over what the metric is meant to be drawn; where its runs do not agree, only the step is common."""
    return next(iter(said)) if len(said) == 1 else None
