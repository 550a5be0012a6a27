"""What happened to a run, each with the step that the run had reached; its bad end is an event too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kernel_magics.journal.changes import moment
from kernel_magics.model import RunInfo, RunStatus

if TYPE_CHECKING:
    from .store import Store

_BAD_ENDS = (RunStatus.FAILED, RunStatus.KILLED, RunStatus.INTERRUPTED)


def happenings(store: Store, run: RunInfo) -> Iterator[dict[str, Any]]:
    """``{run, time, step, name, level, detail, more}``; ``time`` is ``None`` when nobody knows, ``step`` when
    none was logged before."""
    found = store.events(run.id)
    if run.status in _BAD_ENDS:
        end = {"name": f"run-{run.status}", "level": "error", "detail": run.status_detail}
        found = [*found, {"time": run.finished, **end}]
    times = [moment(event.get("time")) for event in found]  # frames may say anything
    for event, time, step in zip(found, times, store.steps_at(run.id, times), strict=True):
        known = {"run": run.id, "time": time or None, "step": step if time else None}
        texts = {name: str(event.get(name) or "") for name in ("name", "level", "detail")}
        more = {key: value for key, value in event.items() if key not in (*known, *texts)}
        yield {**known, **texts, "more": more}
