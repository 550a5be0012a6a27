"""One run in the index while its journals are being read: documents, names of metrics, streams."""

from __future__ import annotations

import json
import math
import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np

from kernel_magics.journal.format import Kind, unpack_json
from kernel_magics.model import MetricSource, counted

from .ahead import Ahead, last_values
from .documents import DOCUMENT_KINDS, Document, began, derive, fold, light_facts
from .encoding import Points
from .pieces import Piece, whole
from .streams import (
    STREAM_COLUMNS,
    PointSink,
    Stream,
    describe,
    extremes,
    note_extremes,
    note_span,
    save_streams,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .frames import Batch, Frame, PointsBlock

FRAME_KINDS = frozenset({Kind.CELL, Kind.OUTPUT, Kind.EVENT, Kind.ARTIFACT, Kind.MEDIA})
"""Frames that stay in the journal; the index knows where they are."""
_SOURCES = frozenset(str(source) for source in MetricSource)
_SELECT_STREAMS = f"SELECT {', '.join(STREAM_COLUMNS)} FROM stream WHERE run=?"


class _JournalState:
    """What the frames of one journal refer to by number."""

    def __init__(self, sql: sqlite3.Connection, row: int) -> None:
        self.row = row
        found = sql.execute("SELECT document FROM journal WHERE id=?", (row,)).fetchone()
        self.document: Document = json.loads(found[0] or "{}")
        self.local: dict[int, int] = dict(
            sql.execute("SELECT number, stream FROM local WHERE journal=?", (row,))
        )
        layouts = sql.execute("SELECT number, metrics FROM layout WHERE journal=?", (row,))
        self.layouts: dict[int, list[int]] = {number: json.loads(metrics) for number, metrics in layouts}
        self.changed = False


class RunState:
    """Applies batches of frames to the index, inside the ingester's transactions."""

    def __init__(self, sql: sqlite3.Connection, run_id: str) -> None:
        self._sql = sql
        self.run_id = run_id
        self.load()

    def load(self) -> None:
        """Reads what the index knows of the run; makes its row if there is none."""
        self._sql.execute("INSERT OR IGNORE INTO run(run_id, changed) VALUES(?, 0)", (self.run_id,))
        self._sql.execute("DELETE FROM gone WHERE run_id=?", (self.run_id,))
        self.row: int = self._sql.execute("SELECT id FROM run WHERE run_id=?", (self.run_id,)).fetchone()[0]
        journals = self._sql.execute("SELECT writer, id FROM journal WHERE run=?", (self.row,)).fetchall()
        self._journals = {writer: _JournalState(self._sql, row) for writer, row in journals}
        self._streams = {row[0]: Stream(*row) for row in self._sql.execute(_SELECT_STREAMS, (self.row,))}
        self._sink = PointSink(self._sql)
        self._dirty: set[int] = set()
        self._user_summary: dict[str, Any] | None = None
        self._ends: dict[str, Ahead] = {}

    def look_ahead(self, writer: str, end: Batch) -> None:
        """Until :meth:`arrived` the run is shown with what the end of this journal says."""
        journal = self._journal(writer)
        streams = {number: self._streams[row] for number, row in journal.local.items()}
        names = {number: one.name for number, one in streams.items() if one.source == "logged"}
        self._ends[writer] = Ahead.of(end, journal.layouts, names)
        journal.changed = True

    def arrived(self, writer: str) -> None:
        """All of the journal has been read."""
        if self._ends.pop(writer, None) is not None:
            self._journal(writer).changed = True

    def refuse(self, writer: str, reason: str) -> bool:
        """The journal cannot be read; the run says so. Answers whether that was not known."""
        journal = self._journal(writer)
        changed = self._sql.execute(
            "UPDATE journal SET refused=? WHERE id=? AND refused IS NOT ?", (reason, journal.row, reason)
        )
        return changed.rowcount > 0

    def apply(self, writer: str, batch: Batch, number: int) -> None:
        """Puts a batch of the writer's journal into the index, with the offset behind it."""
        journal = self._journal(writer)
        for frame in batch.frames:
            self._frame(journal, frame, number)
        for offset, size in batch.skipped:
            self._damage(journal, offset, f"skipped {counted(size, 'damaged byte')} of {writer}.journal")
        self._points(journal, batch.points, number)
        self._sql.execute("UPDATE journal SET offset=?, refused=NULL WHERE id=?", (batch.end, journal.row))

    def saw(self, writer: str, size: int) -> None:
        """Nothing more can be read from the journal as long as its size is this: a torn tail, perhaps
        growing."""
        self._sql.execute("UPDATE journal SET seen=? WHERE id=?", (size, self._journal(writer).row))

    def save(self, number: int) -> None:
        """Writes what was derived; the last call of a transaction."""
        save_streams(self._sql, [self._streams[stream] for stream in sorted(self._dirty)])
        documents = [journal for journal in self._journals.values() if journal.changed]
        for journal in documents:
            text = json.dumps(journal.document, separators=(",", ":"))
            row = (text, began(journal.document), journal.row)
            self._sql.execute("UPDATE journal SET document=?, began=? WHERE id=?", row)
            journal.changed = False
        if documents or self._user_summary is None:
            self._save_run(number)
        else:
            self._sql.execute(
                "UPDATE run SET summary=?, extremes=?, changed=? WHERE id=?",
                (self._summary(), self._extremes(), number, self.row),
            )
        self._dirty.clear()

    def _journal(self, writer: str) -> _JournalState:
        known = self._journals.get(writer)
        if known is None:
            row = self._sql.execute(
                "INSERT INTO journal(run, writer, offset, seen, began) VALUES(?, ?, 0, 0, 0)",
                (self.row, writer),
            ).lastrowid
            assert row is not None
            known = self._journals[writer] = _JournalState(self._sql, row)
            known.changed = True
        return known

    def _frame(self, journal: _JournalState, frame: Frame, number: int) -> None:
        if frame.kind in FRAME_KINDS:
            place = (journal.row, frame.offset, len(frame.payload), frame.kind)
            self._sql.execute("INSERT OR REPLACE INTO frame VALUES(?, ?, ?, ?)", place)
            return
        if frame.kind not in DOCUMENT_KINDS and frame.kind not in (Kind.METRIC, Kind.LAYOUT):
            return  # of a later version
        try:
            content = unpack_json(frame.payload)
            if frame.kind == Kind.METRIC:
                self._metric(journal, content, number)
            elif frame.kind == Kind.LAYOUT:
                self._layout(journal, content)
            else:
                fold(journal.document, frame.kind, content)
                journal.changed = True
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            name = Kind(frame.kind).name.lower()
            self._damage(journal, frame.offset, f"a {name} frame that makes no sense was skipped ({error})")

    def _metric(self, journal: _JournalState, content: dict[str, Any], number: int) -> None:
        local, name = _number(content["id"]), str(content["name"])
        source = str(content.get("source") or "logged")
        if source not in _SOURCES:
            raise ValueError(f"unknown source {source!r}")
        known = self._sql.execute(
            "SELECT id FROM stream WHERE journal=? AND name=? AND source=?", (journal.row, name, source)
        ).fetchone()
        if known is None:
            row = self._sql.execute(
                "INSERT INTO stream(run, journal, name, source, added, changed) VALUES(?, ?, ?, ?, ?, ?)",
                (self.row, journal.row, name, source, number, number),
            ).lastrowid
            assert row is not None
            stream = self._streams[row] = Stream(
                row, self.row, journal.row, name, source, added=number, changed=number
            )
        else:
            stream = self._streams[known[0]]
        if describe(stream, content):
            stream.added = number  # so that whoever shows it hears of it
        stream.changed = number
        self._dirty.add(stream.id)
        journal.local[local] = stream.id
        self._sql.execute("INSERT OR REPLACE INTO local VALUES(?, ?, ?)", (journal.row, local, stream.id))

    def _layout(self, journal: _JournalState, content: dict[str, Any]) -> None:
        number, metrics = _number(content["id"]), [_number(metric) for metric in content["metrics"]]
        journal.layouts[number] = metrics
        row = (journal.row, number, json.dumps(metrics))
        self._sql.execute("INSERT OR REPLACE INTO layout VALUES(?, ?, ?)", row)

    def _points(self, journal: _JournalState, blocks: Sequence[PointsBlock], number: int) -> None:
        pieces: dict[int, list[Piece]] = {}
        for block in blocks:
            metrics = journal.layouts.get(block.layout)
            if metrics is None or len(metrics) != block.values.shape[1]:
                self._lost_points(journal, block, "whose layout is not known")
            else:
                self._split(journal, block, metrics, pieces)
        for row, parts in pieces.items():
            piece = whole(parts)
            stream, points = self._streams[row], piece.points
            note_extremes(stream, piece.most, piece.column, points.step)
            value = float(points.value[-1])
            stream.last = None if math.isnan(value) else value
            stream.last_step, stream.last_time = int(points.step[-1]), float(points.time[-1])
            stream.changed = number
            self._sink.append(stream, points)
            self._dirty.add(row)

    def _split(
        self,
        journal: _JournalState,
        block: PointsBlock,
        metrics: list[int],
        pieces: dict[int, list[Piece]],
    ) -> None:
        """The columns of a block, each to its stream."""
        if not metrics:
            return
        columns = np.ascontiguousarray(block.values.T)
        most = extremes(columns)
        time = Points(block.step, block.time, block.time).axis("time")
        step_span = float(block.step.min()), float(block.step.max())
        time_span = float(time.min()), float(time.max())
        for column, metric in enumerate(metrics):
            row = journal.local.get(metric)
            if row is None:
                self._lost_points(journal, block, f"of metric number {metric}, whose name is not known")
                continue
            note_span(self._streams[row], step_span, time_span)
            points = Points(block.step, block.time, columns[column])
            pieces.setdefault(row, []).append(Piece(block.offset, points, most, column))

    def _lost_points(self, journal: _JournalState, block: PointsBlock, what: str) -> None:
        count = len(block.offset)
        self._damage(journal, int(block.offset[0]), f"skipped {counted(count, 'point')} {what}")

    def _damage(self, journal: _JournalState, offset: int, detail: str) -> None:
        self._sql.execute("INSERT OR REPLACE INTO damage VALUES(?, ?, ?)", (journal.row, offset, detail))

    def _save_run(self, number: int) -> None:
        documents = {writer: journal.document for writer, journal in self._journals.items()}
        documents.update({writer: end.over(documents[writer]) for writer, end in self._ends.items()})
        run = derive(self.run_id, documents)
        self._user_summary = run.summary
        facts = json.dumps(run.facts, separators=(",", ":"))
        self._sql.execute("INSERT OR REPLACE INTO facts VALUES(?, ?)", (self.row, facts))
        self._sql.execute(
            "UPDATE run SET name=?, project=?, grp=?, tags=?, created=?, state=?, detail=?, finished=?,"
            " error=?, config=?, summary=?, light=?, writers=?, marks=?, edited=?, extremes=?,"
            " changed=? WHERE id=?",
            (
                *(run.name, run.project, run.group, json.dumps(run.tags), run.created),
                *(run.state, run.detail, run.finished, json.dumps(run.error) if run.error else None),
                *(json.dumps(run.config), self._summary(), json.dumps(light_facts(run.facts))),
                *(json.dumps(run.writers), json.dumps(run.marks) if run.marks else None),
                *(run.edited, self._extremes(), number, self.row),
            ),
        )

    def _summary(self) -> str:
        """Last values of what was logged, under what the user put there."""
        newest: dict[str, Stream] = {}
        order = {journal.row: writer for writer, journal in self._journals.items()}
        logged = [stream for stream in self._streams.values() if stream.source == "logged" and stream.n]
        for stream in sorted(logged, key=lambda one: (one.last_time or 0.0, order[one.journal])):
            newest[stream.name] = stream
        names = sorted(newest, key=lambda name: newest[name].id)
        last = {name: math.nan if newest[name].last is None else newest[name].last for name in names}
        last.update(last_values(self._ends.values()))
        return json.dumps({**last, **(self._user_summary or {})}, separators=(",", ":"))

    def _extremes(self) -> str:
        """Least and greatest finite value of what was logged, and which of them is better."""
        found: dict[str, list[Any]] = {}
        for stream in self._streams.values():
            if stream.source == "logged" and stream.n:
                low, high, better = found.get(stream.name, (None, None, None))
                lows = [one for one in (low, stream.low) if one is not None]
                highs = [one for one in (high, stream.high) if one is not None]
                better = better or stream.better
                found[stream.name] = [min(lows, default=None), max(highs, default=None), better]
        return json.dumps(found, separators=(",", ":"))


def _number(value: object) -> int:
    """The id of a metric or a layout.

    Raises:
        ValueError: it is none.
    """
    if type(value) is not int or not 0 <= value < 1 << 32:
        raise ValueError(f"{str(value)[:40]!r} is no id")
    return value
