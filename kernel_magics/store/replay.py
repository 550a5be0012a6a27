"""Cells of a run as they go on: where each stands, and its messages from any place on.

For a page that was not there when they came. A position is the offset of a frame in the cell's journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernel_magics import paths
from kernel_magics.journal.changes import moment
from kernel_magics.journal.format import Kind

from .current import CurrentIndex
from .records import read_frames

Message = tuple[int, str, dict[str, Any]]
"""Position, type and content."""


@dataclass(frozen=True)
class CellHead:
    """One execution of a cell, without what it showed.

    Attributes:
        key: its key on the record; of a cell of a notebook the request's ``msg_id``.
        session: of the front-end that asked.
        finished: seconds since the epoch, ``None`` when nothing on the record says so.
    """

    key: str
    cell_id: str | None
    session: str | None
    execution_count: int | None
    finished: float | None


class CellReplay:
    """Asks for cells on behalf of a store. Of a run that there is not there are none."""

    def __init__(self, index: CurrentIndex) -> None:
        self._index = index

    def heads(self, run_id: str) -> list[CellHead]:
        """The tracked cells of a run in the order in which they started, without what they showed."""
        return self._index.ask(lambda sql: cell_heads(sql, self._index.data_dir, run_id))

    def messages(self, run_id: str, key: str, after: int = 0) -> list[Message]:
        """What the cell ``key`` showed after the position ``after``, message by message."""
        return self._index.ask(lambda sql: cell_messages(sql, self._index.data_dir, run_id, key, after))

    def messages_since(
        self, run_id: str, ends: Mapping[str, int], begin: int
    ) -> tuple[dict[str, list[Message]], dict[str, int]]:
        """What all cells of a run showed, by cell, and how far each journal has been read now.

        Args:
            ends: by writer, the position up to which its journal has been read; ``begin`` for the others.
        """
        return self._index.ask(lambda sql: messages_since(sql, self._index.data_dir, run_id, ends, begin))


def cell_heads(sql: sqlite3.Connection, data_dir: Path, run_id: str) -> list[CellHead]:
    """The tracked cells of a run in the order in which they started."""
    starts: dict[str, dict[str, Any]] = {}
    for journal, writer in _journals(sql, run_id):
        for _kind, _offset, content in _frames(sql, data_dir, run_id, (journal, writer), Kind.CELL, 0):
            starts.setdefault(str(content.get("key")), {}).update(content)
    return [_head(key, content) for key, content in starts.items()]


def cell_messages(
    sql: sqlite3.Connection, data_dir: Path, run_id: str, key: str, after: int
) -> list[Message]:
    """What the cell ``key`` showed after the position ``after`` (0: all of it)."""
    found: list[Message] = []
    for journal in _journals(sql, run_id):
        for _kind, offset, content in _frames(sql, data_dir, run_id, journal, Kind.OUTPUT, after):
            if content.get("cell") == key:
                found.append(_message(offset, content))
        if found:
            break  # a cell's messages are all in the journal of the process that ran it
    return found


def messages_since(
    sql: sqlite3.Connection, data_dir: Path, run_id: str, ends: Mapping[str, int], begin: int
) -> tuple[dict[str, list[Message]], dict[str, int]]:
    """What all cells of a run showed, by cell, and how far each journal has been read now.

    Args:
        ends: by writer, the position up to which its journal has been read; ``begin`` for the others.
    """
    found: dict[str, list[Message]] = {}
    read = dict(ends)
    for journal in _journals(sql, run_id):
        after = ends.get(journal[1], begin)
        for _kind, offset, content in _frames(sql, data_dir, run_id, journal, Kind.OUTPUT, after):
            read[journal[1]] = max(offset, read.get(journal[1], begin))
            found.setdefault(str(content.get("cell")), []).append(_message(offset, content))
    return found, read


def _message(offset: int, content: Mapping[str, Any]) -> Message:
    message = content.get("content")
    return offset, str(content.get("type")), message if isinstance(message, dict) else {}


def _journals(sql: sqlite3.Connection, run_id: str) -> list[tuple[int, str]]:
    return sql.execute(
        "SELECT j.id, j.writer FROM run JOIN journal j ON j.run = run.id WHERE run.run_id=?"
        " ORDER BY j.began, j.writer",
        (run_id,),
    ).fetchall()


def _frames(
    sql: sqlite3.Connection, data_dir: Path, run_id: str, journal: tuple[int, str], kind: int, after: int
) -> list[tuple[int, int, dict[str, Any]]]:
    number, writer = journal
    places = sql.execute(
        "SELECT kind, offset, length FROM frame WHERE journal=? AND kind=? AND offset>? ORDER BY offset",
        (number, int(kind), after),
    ).fetchall()
    if not places:
        return []
    return list(read_frames(paths.runs_dir(data_dir) / run_id / f"{writer}.journal", places))


def _head(key: str, content: dict[str, Any]) -> CellHead:
    count, finished = content.get("execution_count"), content.get("finished")
    return CellHead(
        key=key,
        cell_id=_text(content.get("cell_id")),
        session=_text(content.get("session")),
        execution_count=count if isinstance(count, int) else None,
        finished=moment(finished) or None,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
