"""Whether a run that has not said how it ended still runs: from locks and leases, never from a missed
heartbeat."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernel_magics import paths
from kernel_magics.journal.lock import is_held
from kernel_magics.model import RunStatus, is_run_id

_LIVE_LEASE = frozenset({"starting", "ready"})
_LOST_LEASE = "lost"


@dataclass(frozen=True)
class State:
    """A run's state now; ``finished`` is when its journals were last written to, for one that has ended."""

    status: RunStatus
    detail: str = ""
    finished: float | None = None


def present_state(
    data_dir: Path,
    run_id: str,
    writers: Sequence[Sequence[Any]],
    read: Mapping[str, int],
    lease: object = None,
) -> State:
    """The state of a run without a ``finish`` frame (rules 2 to 4 of ``docs/journal-format.md``).

    Args:
        writers: ``[writer id, host name]`` of each journal; third, where points were gathered before they
            were written (a network file system), for how many seconds.
        read: up to where the index holds the journal of each writer, in bytes. A run whose process has
            ended is still called running while there is more: its end may be in it.
        lease: the lease on whose machine the run was started, if any. A journal that comes home from another
            machine has no lock here; while the lease lives, so may the run.
    """
    folder = paths.runs_dir(data_dir) / run_id
    held = [is_held(folder / f"{writer}.lock") for writer, *_more in writers]
    if any(held):
        return State(RunStatus.RUNNING)
    from socket import gethostname  # rarely asked for, and slow to import

    here = gethostname()
    last = _last_written(folder, [writer for writer, *_more in writers])
    if held and all(
        free is False and one[1] in (here, None) for free, one in zip(held, writers, strict=True)
    ):
        if not _all_read(folder, read):
            return State(RunStatus.RUNNING)
        return State(RunStatus.KILLED, f"Its process ended without a word.{_perhaps_lost(writers)}", last)
    state, why = _lease_state(data_dir, lease)
    if state in _LIVE_LEASE or (state is not None and not _all_read(folder, read)):
        return State(RunStatus.RUNNING)
    if state == _LOST_LEASE:
        return State(RunStatus.KILLED, f"Its kernel was lost. {why}".strip(), last)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(last)) if last else "the beginning"
    return State(RunStatus.UNKNOWN, f"Nothing is known of it since {when}.")


def _all_read(folder: Path, read: Mapping[str, int]) -> bool:
    """Whether the index holds all there is; to be asked when nobody writes any more."""
    for writer, offset in read.items():
        try:
            if (folder / f"{writer}.journal").stat().st_size > offset:
                return False
        except OSError:
            continue
    return True


def _perhaps_lost(writers: Sequence[Sequence[Any]]) -> str:
    gathered = [one[2] for one in writers if len(one) > 2 and isinstance(one[2], (int, float))]
    return f" Points of its last {max(gathered):g} s may be missing." if gathered else ""


def _last_written(folder: Path, writers: Sequence[str | None]) -> float | None:
    times = []
    for writer in writers:
        try:
            times.append((folder / f"{writer}.journal").stat().st_mtime)
        except OSError:
            continue
    return max(times, default=None)


def _lease_state(data_dir: Path, lease: object) -> tuple[str | None, str]:
    """The state of a lease and its detail, as its file says."""
    # Ids of leases look like those of runs; checked before it is a path.
    if not isinstance(lease, str) or not is_run_id(lease):
        return None, ""
    try:
        said = json.loads((data_dir / "leases" / f"{lease}.json").read_bytes())
        state, why = said.get("state"), str(said.get("detail") or "")
    except (OSError, ValueError, AttributeError):
        return None, ""
    return (state if isinstance(state, str) else None), why


class StateWatch:
    """Remembers states that cannot change any more, so that a thousand dead runs are not asked about each
    time."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._dead: dict[str, tuple[int, State]] = {}

    def __call__(self, run_id: str, writers: str, read: str, facts: str | None, changed: int) -> State:
        """The state of a run.

        Args:
            writers, read, facts: JSON as the index holds them; decoded only for a run that may still change.
            changed: number of the last change that the index saw of the run.
        """
        known = self._dead.get(run_id)
        if known is not None and known[0] == changed:
            return known[1]
        lease = json.loads(facts or "{}").get("lease")
        state = present_state(self._data_dir, run_id, json.loads(writers), json.loads(read), lease)
        if state.status == RunStatus.KILLED:
            self._dead[run_id] = changed, state
        return state
