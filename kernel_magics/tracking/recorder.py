"""A run being recorded: :class:`Run`.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

import struct
import time
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Type, Union

from kernel_magics.journal import format as fmt
from kernel_magics.journal.changes import edit_times, time_after
from kernel_magics.model import MetricSource, RunStatus, counted
from kernel_magics.tracking import artifacts, blobs, endings
from kernel_magics.tracking.background import Task
from kernel_magics.tracking.intake import Intake
from kernel_magics.tracking.labels import label, tags_of
from kernel_magics.tracking.mapping import RecordedMapping
from kernel_magics.tracking.masking import clean
from kernel_magics.tracking.notices import notice
from kernel_magics.tracking.output_frames import OutputFrames
from kernel_magics.tracking.scribe import Scribe
from kernel_magics.tracking.values import PLAIN

__all__ = ["Run"]

FINISH_S = 5.0
"""How long ``finish()`` waits for the disk and for CUDA scalars, each."""
_CHANGEABLE = ("name", "project", "group", "notes")
_REFUSED = object()
_plain = PLAIN.issuperset


class Run:
    """A run on the record, made by :func:`kernel_magics.init`. Safe to use from any thread.

    ``log()`` never raises for what it is given: what cannot be recorded is said once, as a warning, and the
    rest is kept. In a forked child the same object writes a journal of its own that belongs to the same run.
    A context manager: an exception makes the run ``failed``, an interrupt ``interrupted``.

    Attributes:
        config: what the run is configured with; changes are recorded, also in nested dicts.
        summary: what the run came to; likewise.
    """

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe
        self._intake = Intake(scribe)
        self._layouts = scribe.table.logged
        self.config = RecordedMapping(self._change_config)
        self.summary = RecordedMapping(self._change_summary)
        self._changes: Dict[str, Any] = {}
        self._changed = 0.0
        self._outputs = OutputFrames(scribe)
        self._before_finish: List[Callable[[], None]] = []

    @property
    def id(self) -> str:
        return self._scribe.head.id

    @property
    def name(self) -> str:
        return str(self._changes.get("name", self._scribe.head.name))

    @property
    def project(self) -> str:
        return str(self._changes.get("project", self._scribe.head.project))

    @property
    def member(self) -> bool:
        """Whether another process made the run and this one only adds to it."""
        return self._scribe.member

    @property
    def finished(self) -> bool:
        """Whether :meth:`finish` was called in this process."""
        return self._scribe.closed

    def is_kept(self) -> bool:
        """Whether its journal is still there; a warning says once that somebody has deleted it."""
        return self._scribe.is_kept()

    def log(self, data: Mapping[str, Any], step: Optional[int] = None) -> None:
        """Record numbers of one moment, and things to look at.

        Args:
            data: numbers by metric name: Python's and NumPy's, bools, tensors of one element; nested dicts
                become ``train/loss``. NaN and infinities are kept. CUDA tensors are not waited for.
                Beside them ``km.Image``, ``Table``, ``Html`` and ``Histogram``, matplotlib's figures, PIL's
                images, and lists of such.
            step: any int, in any order; ``None`` for the one after the largest so far.
        """
        if type(data) is dict and (step is None or type(step) is int):
            layout = self._layouts.get(tuple(data))
            if layout is not None and _plain(map(type, data.values())):
                try:
                    if self._scribe.points(layout, step, data.values()):
                        return
                except (struct.error, OverflowError):
                    pass  # a number beyond 64 bits: the careful way says which
        self._log_carefully(data, step, MetricSource.LOGGED)

    def log_inferred(self, data: Mapping[str, Any], step: Optional[int] = None) -> None:
        """As :meth:`log`, for numbers found in outputs. They stay apart from logged ones of the same name."""
        self._log_carefully(data, step, MetricSource.INFERRED)

    def define_metric(
        self,
        name: str,
        *,
        unit: Optional[str] = None,
        better: Optional[str] = None,
        x: Optional[str] = None,
    ) -> None:
        """Say how a metric is meant; before or after it is first logged. What is not given stays as it was.

        Args:
            name: the metric, or a pattern of names: ``*`` stands for any characters (``val/*``).
            unit: what its numbers count in: ``"%"``, ``"tokens/s"``.
            better: ``"lower"`` or ``"higher"``.
            x: the metric it is drawn over instead of the step, logged in the same calls (``"epoch"``).
        """
        if better not in (None, "lower", "higher"):
            self._scribe.tell_once(
                f"better {better!r}",
                f'define_metric({name!r}): better is "lower" or "higher", not {better!r}; that is left out.',
                "value-refused",
            )
            better = None
        given = {"unit": unit, "better": better, "x": x}
        said = {key: str(value) for key, value in given.items() if value is not None}
        if said and not self._refused():
            self._scribe.define(str(name), said)

    def log_artifact(self, path: Union[str, Path], name: Optional[str] = None, type: str = "file") -> None:
        """Keep a copy of a file, or of every file in a folder, with the run.

        Args:
            path: what to copy. A missing file is a warning and no error: it must not end a training.
            name: what it is called; the file's name by default. Files of a folder are ``name/inside/path``.
            type: ``"file"``, ``"model"``, ``"dataset"`` … as you like.
        """
        artifacts.keep(self._scribe, path, name, type)

    def change(self, **change: Any) -> None:
        """Give the run another ``name``, ``project`` or ``group``, other ``tags`` or ``notes``."""
        said = {key: self._checked(key, value) for key, value in change.items()}
        known = {key: value for key, value in said.items() if value is not _REFUSED}
        if known:
            self._changes.update(known)
            self._changed = time_after([self._changed, *edit_times(self._scribe.folder)])
            self._write(fmt.Kind.CHANGE, {**known, "time": self._changed})

    def _checked(self, key: str, value: Any) -> Any:
        """What is recorded of a change; ``_REFUSED``, and a warning, when that is nothing."""
        tell = partial(self._scribe.tell_once, f"long {key}", event="value-refused")
        try:
            if key == "tags":
                return tags_of(value, tell)
            if key in _CHANGEABLE:
                return value if value is None or key == "notes" else label(value, key, tell)
            wrong = f"change({key}=…): what can be changed is {', '.join(_CHANGEABLE)}, tags."
        except TypeError:
            wrong = f"change(tags=…): a list of words was expected, not {type(value).__name__}."
        self._scribe.tell_once(f"change {key}", f"{wrong} That is left out.", "value-refused")
        return _REFUSED

    def record_facts(self, facts: Mapping[str, Any]) -> None:
        """Facts about the run, merged over earlier ones key by key; also after the end."""
        self._write_any_time(fmt.Kind.FACTS, facts)

    def record_cell(self, cell: Mapping[str, Any]) -> None:
        """A cell's beginning or end, see ``docs/journal-format.md``."""
        self._write(fmt.Kind.CELL, cell)

    def record_event(self, name: str, level: str = "info", detail: str = "", **more: Any) -> None:
        """Something that happened now, even after the end; ``level``: ``info``, ``warning`` or ``error``."""
        content = {**more, "time": time.time(), "name": name, "level": level, "detail": detail}
        self._write_any_time(fmt.Kind.EVENT, content)

    def record_output(
        self, cell_key: str, msg_type: str, content: bytes, buffers: Sequence[blobs.Readable] = ()
    ) -> None:
        """One iopub message of a cell; also after the end, since a thread may print late.

        Args:
            content: the message's content as JSON bytes; stored as they are.
            buffers: its binary buffers; stored as blobs.
        """
        self._outputs.add(cell_key, msg_type, content, buffers)

    def finish(self, status: Union[str, RunStatus] = "finished", error: endings.Error = None) -> None:
        """End the run. Bounded: waits at most a few seconds for a slow disk. A second call does nothing.

        Args:
            status: ``finished``, ``failed``, ``interrupted`` or ``killed``.
            error: the exception that ended it, recorded with its traceback; or that as the mapping
                ``{ename, evalue, traceback: [str]}``.

        Raises:
            ValueError: no such status.
        """
        if self._scribe.closed:
            return
        ending = endings.Ending.of(RunStatus(status), error)
        for action in self._before_finish:
            action()
        missing = self._intake.drain(time.monotonic() + FINISH_S)
        if missing:
            lost = counted(missing, "point")
            detail = f"{lost} lost: the GPU did not give their values within {FINISH_S:.0f} s."
            notice(detail)
            self.record_event("points-lost", "error", detail, lost_points=missing)
        if not self._scribe.close([] if self._scribe.silent else [self._last_frame(ending)], FINISH_S):
            notice(
                f"The run {self.name} is finished, but its journal could not be brought to stable storage"
                f" within {FINISH_S:.0f} s; the disk is slow or does not answer."
            )

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.finish(endings.status_of(error), error)

    def __repr__(self) -> str:
        return f"<Run {self.name!r} of {self.project!r}, id {self.id}{', finished' if self.finished else ''}>"

    def on_finish(self, action: Callable[[], None]) -> None:
        """Have ``action`` called when the run is about to finish. It must be quick and must not raise."""
        self._before_finish.append(action)

    def start_background(self, tasks: List[Task]) -> None:
        """Start the run's thread, which syncs the journal and does ``tasks``."""
        self._scribe.start(tasks)

    def record_system(self, values: Mapping[str, float], units: Mapping[str, str]) -> None:
        """One sample of telemetry, at the step the training has reached."""
        if not self._scribe.closed:
            self._intake.take(values, max(self._scribe.table.logged_step, 0), MetricSource.SYSTEM, units)

    def drain(self) -> None:
        """Write the points whose CUDA scalars have arrived meanwhile."""
        self._intake.drain()

    def _log_carefully(self, data: Any, step: Any, source: MetricSource) -> None:
        if self._refused():
            return
        try:
            self._intake.take(data, step, source)
        except Exception as error:  # noqa: BLE001 - recording must not end a training, whatever it was given
            self._scribe.tell_once(
                f"log {type(error).__name__}", f"log() could not record a call: {error!r}.", "value-refused"
            )

    def _write(self, kind: fmt.Kind, content: Mapping[str, Any]) -> None:
        if not self._refused():
            self._scribe.write(kind, content)

    def _write_any_time(self, kind: fmt.Kind, content: Mapping[str, Any]) -> None:
        if self.finished:
            self._scribe.write_late(kind, fmt.pack_json(clean(content, self._scribe.tell_long_int)))
        else:
            self._scribe.write(kind, content)

    def _refused(self) -> bool:
        """Whether the run is finished; says so once."""
        if self._scribe.closed:
            self._scribe.tell_after_close(self.name)
        return self._scribe.closed

    def _change_config(self, changed: Dict[str, Any], deleted: List[str]) -> None:
        self._write(fmt.Kind.CONFIG, _change(changed, deleted))

    def _change_summary(self, changed: Dict[str, Any], deleted: List[str]) -> None:
        self._write(fmt.Kind.SUMMARY, _change(changed, deleted))

    def _last_frame(self, ending: endings.Ending) -> bytes:
        """The finish frame; of a member of the run an event, since the run goes on without it."""
        if self._scribe.member:
            kind, content = fmt.Kind.EVENT, ending.as_event()
        else:
            kind, content = fmt.Kind.FINISH, ending.as_finish()
        return fmt.pack_frame(kind, fmt.pack_json(clean(content)))


def _change(changed: Dict[str, Any], deleted: List[str]) -> Dict[str, Any]:
    return {**changed, **dict.fromkeys(deleted), "$deleted": deleted} if deleted else changed
