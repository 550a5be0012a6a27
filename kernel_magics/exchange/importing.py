"""A file of runs into new runs: journals as a recorder writes them, with the times of the file."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import numpy as np

from kernel_magics import paths
from kernel_magics.errors import DataFolderError, UsageMistake
from kernel_magics.journal import format as fmt
from kernel_magics.journal.writer import JournalWriter
from kernel_magics.model import RunStatus, new_run_id, random_word
from kernel_magics.tracking.processes import writer_identity

from .formats import format_of
from .rows import BLOCK, Block, Document, Progress, nothing, source_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

Key = tuple[str, str]
"""Name and source of a metric."""


class _Columns(NamedTuple):
    """Metrics that were logged together: step int64[n], time float64[n], one float64[n] each."""

    source: str
    names: tuple[str, ...]
    step: NDArray[np.int64]
    time: NDArray[np.float64]
    values: list[NDArray[np.float64]]


def import_file(
    path: Path, data_dir: Path, format: str | None = None, on_progress: Progress = nothing
) -> list[str]:
    """The runs of a file as new runs; their ids, in the order of the file.

    Raises:
        UsageMistake: there is no such file, or it is not what its format says. Nothing was imported.
        DataFolderError: the data folder cannot be written. What was imported of the run is removed again.
    """
    chosen = format_of(path, format)
    try:
        documents, blocks = chosen.read(path)
        points: dict[str, dict[Key, list[Block]]] = {document["id"]: {} for document in documents}
        for block in blocks:
            source_of(block.source)
            of_run = points.setdefault(block.run, {})
            of_run.setdefault((block.metric, block.source), []).append(block)
    except OSError as error:
        raise UsageMistake(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageMistake(f"{path} cannot be imported: {error}. Nothing was imported.") from error
    known = {document["id"]: document for document in documents}
    total = sum(len(one.step) for found in points.values() for parts in found.values() for one in parts)
    importer = _Importer(data_dir, path.name, total, on_progress)
    return [
        importer.run(known.get(run_id, {"id": run_id, "name": run_id}), found)
        for run_id, found in points.items()
    ]


class _Importer:
    def __init__(self, data_dir: Path, file: str, total: int, on_progress: Progress) -> None:
        self._data_dir, self._file = data_dir, file
        self._total, self._on_progress, self._done = total, on_progress, 0

    def run(self, document: Document, points: Mapping[Key, Sequence[Block]]) -> str:
        """Writes one run; its id."""
        columns = _together(points)
        first = min((float(one.time[0]) for one in columns if len(one.time)), default=time.time())
        created = document.get("created")
        head = {**document, "created": created if isinstance(created, (int, float)) else first}
        run_id = new_run_id(_second(head["created"]))
        folder = paths.runs_dir(self._data_dir) / run_id
        journal = _Journal(folder, run_id, head)
        try:
            journal.documents(head, {"from": self._file, "run": document["id"], "time": time.time()})
            for one in columns:
                for size in journal.points(one):
                    self._done += size * len(one.names)
                    self._on_progress(self._done, self._total)
            journal.close(head)
        except BaseException:
            journal.abandon()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return run_id


class _Journal:
    """A journal with the times of the past."""

    def __init__(self, folder: Path, run_id: str, document: Document) -> None:
        identity = writer_identity(f"main-{random_word(8)}", "main")
        self._failures: list[str] = []
        self._writer = JournalWriter(folder, identity["id"], report=self._failures.append, batched=False)
        self._metrics: dict[Key, int] = {}
        self._layouts = 0
        keys = ("project", "name", "group", "tags", "created")
        head = {"id": run_id, **{key: document.get(key) for key in keys}, "writer": identity}
        self._json(fmt.Kind.RUN, {**head, "tags": list(document.get("tags") or ())})

    def _json(self, kind: fmt.Kind, content: Mapping[str, Any]) -> None:
        self._writer.append(fmt.pack_frame(kind, fmt.pack_json(content)))

    def documents(self, document: Document, origin: Mapping[str, Any]) -> None:
        """What the run is, and how its metrics are meant."""
        self._json(fmt.Kind.FACTS, {**(document.get("facts") or {}), "imported": origin})
        self._json(fmt.Kind.CONFIG, document.get("config") or {})
        self._json(fmt.Kind.SUMMARY, document.get("summary") or {})
        for metric in document.get("metrics") or ():
            self._metric(metric["name"], metric["source"], metric)

    def _metric(self, name: str, source: str, meant: Mapping[str, Any]) -> int:
        known = self._metrics.get((name, source))
        if known is None:
            known = self._metrics[name, source] = len(self._metrics)
            said = {key: meant[key] for key in ("unit", "better", "x") if meant.get(key) is not None}
            self._json(fmt.Kind.METRIC, {"id": known, "name": name, "source": source, **said})
        return known

    def points(self, columns: _Columns) -> Iterator[int]:
        """Frames of all points; yields their number whenever some are written."""
        metrics = [self._metric(name, columns.source, {}) for name in columns.names]
        layout, self._layouts = self._layouts, self._layouts + 1
        self._json(fmt.Kind.LAYOUT, {"id": layout, "metrics": metrics})
        for start in range(0, len(columns.step), BLOCK):
            part = slice(start, start + BLOCK)
            self._writer.append(_frames(layout, columns, part))
            yield len(columns.step[part])

    def close(self, document: Document) -> None:
        """Says how the run ended.

        Raises:
            DataFolderError: not all of it is on the disk.
        """
        status = document.get("status")
        ended = status in set(RunStatus) and status != RunStatus.RUNNING
        finish = {
            "time": document.get("finished") or document["created"],
            "status": status if ended else str(RunStatus.UNKNOWN),
            "detail": document.get("status_detail") or ""
            if ended
            else "It had not ended when it was exported.",
            "error": document.get("error"),
        }
        self._json(fmt.Kind.FINISH, {key: value for key, value in finish.items() if value is not None})
        self._writer.close()
        if self._failures:
            raise DataFolderError(
                f"{self._failures[-1]} The run is removed again.",
                remedy="free some disk space, then import anew",
            )

    def abandon(self) -> None:
        """Lets go of the file; can be called again."""
        self._writer.close()


def _together(points: Mapping[Key, Sequence[Block]]) -> list[_Columns]:
    """Metrics with equal steps and times share their frames, as they did where they were logged."""
    groups: dict[tuple[str, bytes, bytes], _Columns] = {}
    for (name, source), blocks in points.items():
        parts = zip(*(block[3:] for block in blocks), strict=True)
        step, when, value = (np.concatenate(part) for part in parts)
        key = source, step.tobytes(), when.tobytes()
        known = groups.get(key)
        if known is None:
            groups[key] = _Columns(source, (name,), step, when, [value])
        else:
            groups[key] = known._replace(names=(*known.names, name), values=[*known.values, value])
    return list(groups.values())


def _frames(layout: int, columns: _Columns, part: slice) -> bytes:
    """Points frames (``docs/journal-format.md``), all of one length."""
    count = len(columns.names)
    length = fmt.POINTS_HEAD.size + 8 * count
    fields = [("marker", "S2"), ("length", "<u4"), ("kind", "u1"), ("layout", "<u4"), ("step", "<i8")]
    rows = np.zeros(
        len(columns.step[part]),
        np.dtype([*fields, ("time", "<f8"), ("values", "<f8", (count,)), ("crc", "<u4")]),
    )
    rows["marker"], rows["length"], rows["kind"], rows["layout"] = fmt.MARKER, length, fmt.Kind.POINTS, layout
    rows["step"], rows["time"] = columns.step[part], columns.time[part]
    for place, values in enumerate(columns.values):
        rows["values"][:, place] = values[part]
    data, size = rows.tobytes(), rows.itemsize
    starts = range(0, len(data), size)
    rows["crc"] = np.fromiter((crc32(data[at : at + size - 4]) for at in starts), np.uint32, len(rows))
    return rows.tobytes()


def _second(moment: float) -> float:
    """A time that ``time.gmtime`` takes."""
    return moment if 0 <= moment < 2**33 else time.time()
