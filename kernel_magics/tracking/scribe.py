"""What one process writes about one run: its journal, the lock around it, and its thread.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, Callable, Collection, Dict, List, Mapping, Optional, Set, Tuple
from zlib import crc32

from kernel_magics import paths
from kernel_magics.errors import DataFolderError
from kernel_magics.journal import format as fmt
from kernel_magics.journal.appending import append_after_close
from kernel_magics.journal.writer import BATCH_S, JournalWriter
from kernel_magics.model import MetricSource, random_word
from kernel_magics.tracking.background import Background, Task
from kernel_magics.tracking.forks import after_fork
from kernel_magics.tracking.head import RunHead
from kernel_magics.tracking.masking import clean
from kernel_magics.tracking.notices import notice
from kernel_magics.tracking.oversized import cut_to_size
from kernel_magics.tracking.processes import writer_identity
from kernel_magics.tracking.series import Layout, MetricTable

SYNC_S = 3.0
_MERGED = frozenset({fmt.Kind.FACTS, fmt.Kind.CONFIG, fmt.Kind.SUMMARY})
_MARKER = fmt.MARKER
_POINTS = int(fmt.Kind.POINTS)
_time = time.time


class Scribe:
    """Writes frames about a run from any thread of this process; never raises for a failing disk.

    A forked child starts a journal of its own at its first frame. Journals of children and of processes that
    joined have the role ``member``: they never write a finish frame, which would end the run for all.

    Args:
        head: the run.
        data: the data folder.
        member: whether the run was made by another process, which this one joins.

    Raises:
        DataFolderError: nothing can be written in the data folder.
    """

    def __init__(self, head: RunHead, data: Path, *, member: bool = False) -> None:
        self.head = head
        self.data = data
        self.member = member
        self.closed = False
        self.lock = threading.RLock()
        self.table = MetricTable(lambda frame: self._frame(frame))
        self.on_fork: List[Callable[[], None]] = []
        self._told: Set[str] = set()
        self._background: Optional[Background] = None
        self._path: Optional[Path] = None
        self._writer: Optional[JournalWriter] = self._open()
        after_fork(self, Scribe._leave_to_parent)

    def _open(self, batched: Optional[bool] = None) -> JournalWriter:
        role = "member" if self.member else "main"
        identity = writer_identity(f"{role}-{random_word(8)}", role)
        writer = JournalWriter(self.folder, identity["id"], report=notice, batched=batched)
        self._path = writer.path
        if writer.batched:
            identity["batch_s"] = BATCH_S
        head = clean({**self.head.to_json(), "writer": identity})
        writer.append(fmt.pack_frame(fmt.Kind.RUN, fmt.pack_json(head)))
        return writer

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return paths.runs_dir(self.data) / self.head.id

    def points(
        self, layout: Layout, step: Optional[int], values: Collection[Any], when: Optional[float] = None
    ) -> bool:
        """Append one points frame. This is the hot path of ``log()``.

        Args:
            step: ``None`` for the one after the largest so far.
            values: one per metric of the layout, of types in :data:`kernel_magics.tracking.values.PLAIN`.
            when: seconds since the epoch; now by default.

        Returns:
            Whether it is written or held to be written.

        Raises:
            struct.error, OverflowError: a number does not fit; nothing was written.
        """
        with self.lock:
            if self._writer is None:
                return False
            steps = layout.steps
            if step is None:
                step = steps.last + 1
            if when is None:
                when = _time()
            body = layout.pack(_MARKER, layout.length, _POINTS, layout.number, step, when, *values)
            if step > steps.last:
                steps.last = step
            return self._writer.append(body + crc32(body).to_bytes(4, "little"), layout.count)

    def layout(
        self, names: Tuple[str, ...], source: MetricSource, units: Optional[Mapping[str, str]] = None
    ) -> Optional[Layout]:
        """The layout of ``names``, defined in the journal if need be; ``None`` when nothing can be kept.

        Raises:
            ValueError: more metrics than a frame can hold.
        """
        with self.lock:
            # Closed, the table is forgotten while the writer may still be open for what comes late: numbering
            # anew in the same journal would give every point of the run another metric.
            return self.table.layout(names, source, units) if not self.closed and self._ready() else None

    def define(self, pattern: str, said: Mapping[str, str]) -> None:
        """See :meth:`kernel_magics.tracking.series.MetricTable.define`."""
        with self.lock:
            self.table.define(pattern, said)

    def lose(self, points: int) -> None:
        """Count points that could not even be held."""
        with self.lock:
            if self._writer is not None:
                self._writer.lose(points)

    def write(self, kind: fmt.Kind, content: Mapping[str, Any]) -> bool:
        """Append a JSON frame: ``content`` with known secrets masked and made of what JSON can say."""
        cleaned = clean(content, self.tell_long_int)
        payload = fmt.pack_json(cleaned)
        if len(payload) > fmt.MAX_PAYLOAD:
            return self._write_parts(kind, cleaned)
        return self.write_payload(kind, payload)

    def _write_parts(self, kind: fmt.Kind, content: Dict[str, Any]) -> bool:
        """What is too long for a frame: key by key where a reader merges, then with long texts cut."""
        if kind in _MERGED and len(content) > 1:
            kept = [self.write(kind, {key: value}) for key, value in content.items()]
            return all(kept)
        cut = cut_to_size(kind, content)
        self.tell_once(cut.key, cut.told, cut.event)
        return cut.payload is not None and self.write_payload(kind, cut.payload)

    def write_payload(self, kind: fmt.Kind, payload: bytes) -> bool:
        """Append a frame of any kind. What is too large for one is replaced by an event that says so."""
        try:
            frame = fmt.pack_frame(kind, payload)
        except ValueError as error:
            detail = f"A {kind.name.lower()} record was left out: {error}."
            return self.event("record-too-large", level="error", detail=detail)
        with self.lock:
            return self._frame(frame) if self._ready() else False

    def event(self, name: str, level: str = "info", detail: str = "", **more: Any) -> bool:
        """Append an event of now."""
        return self.write(
            fmt.Kind.EVENT, {**more, "time": _time(), "name": name, "level": level, "detail": detail}
        )

    def tell_once(self, key: str, message: str, event: str) -> None:
        """Warn the person, and note it in the journal, once per ``key``."""
        with self.lock:
            if key in self._told:
                return
            self._told.add(key)
        notice(message)
        if event and not self.closed:
            self.event(event, level="warning", detail=message)

    def tell_long_int(self, text: str) -> None:
        """Warn, once, that an int is recorded as ``text``."""
        self.tell_once(
            "long int",
            f"A whole number is too long to be recorded as one; a text stands for it: {text}. (Said once.)",
            "value-refused",
        )

    def tell_after_close(self, name: Optional[str] = None) -> None:
        """Warn, once, that what is recorded after the end is not kept."""
        run = name or self.head.name
        self.tell_once("closed", f"The run {run} is finished; what is recorded after that is not kept.", "")

    def write_late(self, kind: fmt.Kind, payload: bytes) -> None:
        """Append a frame after :meth:`close`: a thread may still print when its cell has ended."""
        with self.lock:
            if self._writer is not None:  # being closed at this moment
                self._writer.append(fmt.pack_frame(kind, payload))
            elif self._path is not None:
                try:
                    append_after_close(self._path, fmt.pack_frame(kind, payload))
                except (OSError, ValueError) as error:
                    if "deleted" not in self._told:
                        notice(f"Something that came after the end of a run could not be recorded: {error}.")

    def is_kept(self) -> bool:
        """Whether the journal is where it was begun; says once that it is not."""
        if self._writer is None or not self._writer.deleted:
            return True
        told = f"The run's journal was deleted while it was written ({self._path}): nothing of it is left."
        self.tell_once("deleted", told, "")
        return False

    def start(self, tasks: List[Task]) -> None:
        """Start the thread that syncs, retries and does ``tasks``."""
        own = [Task(self._flush, self._flush_interval), Task(self._sync, lambda: SYNC_S)]
        background = Background([*own, *tasks], self._close_writer, self._report_task)
        try:
            background.start()
        except RuntimeError as error:
            self.tell_once(
                "thread",
                f"The run's background thread cannot be started ({error}): no telemetry.",
                "no-thread",
            )
        self._background = background

    def close(self, last_frames: List[bytes], timeout: float) -> bool:
        """Append the last frames, sync and close; whether that was done within ``timeout`` seconds."""
        with self.lock:
            if self.closed:
                return True
            for frame in last_frames:
                if self._ready():
                    self._frame(frame)
            self.is_kept()
            self.closed = True
            self.table.forget()
            background, self._background = self._background, None
        if background is not None:
            return background.stop(timeout)
        self._close_writer()
        return True

    @property
    def silent(self) -> bool:
        """Whether this process has no journal of the run (a forked child that recorded nothing)."""
        return self._writer is None

    def _ready(self) -> bool:
        """Whether frames can be appended; opens the journal of a forked child. The lock is held."""
        if self._writer is None and not self.closed:
            try:
                self._writer = self._open(batched=False)
            except DataFolderError as error:
                self.closed = True
                notice(str(error))
        return self._writer is not None

    def _frame(self, frame: bytes) -> bool:
        return self._writer is not None and self._writer.append(frame)

    def _flush_interval(self) -> float:
        writer = self._writer
        return BATCH_S if writer is not None and writer.batched else 0.5

    def _flush(self) -> None:
        with self.lock:
            if self._writer is not None:
                self._writer.flush()

    def _sync(self) -> None:
        writer = self._writer
        error = writer.sync() if writer is not None else None
        self.is_kept()
        if error is not None:
            self.tell_once(
                "sync",
                f"The run's journal could not be brought to stable storage ({error.strerror}). It is safe"
                " from the end of this process, but not from a power cut.",
                "sync-failed",
            )

    def _close_writer(self) -> None:
        with self.lock:
            writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _report_task(self, error: Exception) -> None:
        self.tell_once("task", f"A part of the run's telemetry has stopped: {error!r}.", "telemetry-stopped")

    def _leave_to_parent(self) -> None:
        """In a forked child: the journal, the lock and the thread are the parent's."""
        self.lock = threading.RLock()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abandon()
        self._background = None
        self._path = None
        self.member = True
        self.table.forget()
        for action in self.on_fork:
            action()
