"""Cells, events, artifacts and media of a run: read from its journals, where the index knows their places.

Each of them raises ``UnknownRun`` when the index has no such run.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kernel_magics import paths
from kernel_magics.errors import JournalError
from kernel_magics.journal.changes import LATEST
from kernel_magics.journal.format import FRAME_OVERHEAD, Kind, unpack_json
from kernel_magics.journal.reader import open_journal

from .encoding import IndexDamage
from .folding import Folder
from .frames import HEAD, frame_end
from .model import CellRecord
from .queries import run_row

Json = dict[str, Any]
_DIGEST = re.compile("[0-9a-f]{64}")


def read_cells(sql: sqlite3.Connection, data_dir: Path, run_id: str) -> list[CellRecord]:
    """The tracked cells of a run in the order in which they started, with their outputs."""
    folder, starts, ends = Folder(adopts=True), dict[str, Json](), dict[str, Json]()
    for kind, content in _contents(sql, data_dir, run_id, (Kind.CELL, Kind.OUTPUT)):
        if kind == Kind.OUTPUT:
            message = content.get("content")
            cell = str(content.get("cell"))
            starts.setdefault(cell, {})
            folder.add(cell, str(content.get("type")), message if isinstance(message, dict) else {})
            continue
        key = str(content.get("key"))
        known = starts.setdefault(key, {})
        if "finished" in content:
            ends[key] = content
        else:
            known.update(content)
    return [_cell(key, start, ends.get(key, {}), folder) for key, start in starts.items()]


def read_events(sql: sqlite3.Connection, data_dir: Path, run_id: str) -> list[Json]:
    """Events of a run by time, and what of its journals could not be read."""
    events = [content for _kind, content in _contents(sql, data_dir, run_id, (Kind.EVENT,))]
    events.sort(key=lambda event: _seconds(event.get("time")) or 0.0)
    rows = sql.execute(
        "SELECT d.detail FROM run JOIN journal j ON j.run = run.id JOIN damage d ON d.journal = j.id"
        " WHERE run.run_id=?1 UNION ALL"
        " SELECT j.refused FROM run JOIN journal j ON j.run = run.id"
        " WHERE run.run_id=?1 AND j.refused IS NOT NULL",
        (run_id,),
    )
    damage = [
        {"time": None, "name": "journal-damaged", "level": "warning", "detail": str(detail)}
        for (detail,) in rows
    ]
    return events + damage


def read_artifacts(sql: sqlite3.Connection, data_dir: Path, run_id: str) -> list[Json]:
    """Artifacts of a run in the order of logging: ``{name, type, digest, size, path}``."""
    return [content for _kind, content in _contents(sql, data_dir, run_id, (Kind.ARTIFACT,))]


def read_media(sql: sqlite3.Connection, data_dir: Path, run_id: str) -> list[Json]:
    """``media`` frames in the order of logging; ``blob`` is the path of bytes that are not in the frame.

    ``metric``, ``type`` and ``mime`` are texts, ``step`` and ``size`` whole numbers, ``time`` is in seconds
    since the epoch; ``None`` where the frame says something else. All other keys are as they are there.
    """
    found = []
    for _kind, content in _contents(sql, data_dir, run_id, (Kind.MEDIA,)):
        content |= {name: _text(content.get(name)) for name in ("metric", "type", "mime")}
        content |= {name: _whole(content.get(name)) for name in ("step", "size")}
        content["time"] = _seconds(content.get("time"))
        digest = content.get("digest")
        if isinstance(digest, str) and _DIGEST.fullmatch(digest):  # checked before it is a path
            content["blob"] = str(paths.blobs_dir(data_dir) / digest)
        found.append(content)
    return found


def _cell(key: str, start: Json, end: Json, folder: Folder) -> CellRecord:
    count = start.get("execution_count")
    return CellRecord(
        key=key,
        source=_text(start.get("source")),
        execution_count=count if isinstance(count, int) else None,
        cell_id=_text(start.get("cell_id")),
        started=_seconds(start.get("started")),
        finished=_seconds(end.get("finished")),
        status=str(end.get("status") or ""),
        outputs=folder.outputs(key),
        recorded=start.get("outputs") is not False,
    )


def _contents(
    sql: sqlite3.Connection, data_dir: Path, run_id: str, kinds: tuple[int, ...]
) -> Iterator[tuple[int, Json]]:
    run_row(sql, run_id)
    journals = sql.execute(
        "SELECT j.id, j.writer FROM run JOIN journal j ON j.run = run.id WHERE run.run_id=?"
        " ORDER BY j.began, j.writer",
        (run_id,),
    ).fetchall()
    for journal, writer in journals:
        places = sql.execute(
            "SELECT kind, offset, length FROM frame WHERE journal=?"
            f" AND kind IN ({','.join('?' * len(kinds))}) ORDER BY offset",
            (journal, *kinds),
        ).fetchall()
        if places:
            for kind, _offset, content in read_frames(
                paths.runs_dir(data_dir) / run_id / f"{writer}.journal", places
            ):
                yield kind, content


def read_frames(path: Path, places: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, Json]]:
    """Kind, offset and content of the frames at ``places`` (kind, offset, length), as the index has them.

    Raises:
        IndexDamage: the journal does not hold what the index says.
    """
    try:
        descriptor = open_journal(path)
    except (JournalError, OSError) as error:
        raise IndexDamage(f"{path.name} is gone") from error
    try:
        for kind, offset, length in places:
            frame = os.pread(descriptor, length + FRAME_OVERHEAD, offset - HEAD)
            if len(frame) < FRAME_OVERHEAD or frame_end(frame, 0, len(frame)) != length + FRAME_OVERHEAD:
                raise IndexDamage(f"{path.name} does not hold what the index says")
            try:
                yield kind, offset, unpack_json(frame[HEAD:-4])
            except ValueError:
                continue  # undamaged, but never was JSON: there is nothing to show
    finally:
        os.close(descriptor)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    return value if type(value) is int and -(1 << 63) <= value < 1 << 63 else None


def _seconds(value: object) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) < LATEST:
        return None
    return float(value)
