"""Tracked cells that ran in the notebook's own kernel: from the journals of their runs."""

from __future__ import annotations

from collections.abc import Iterator

from kernel_magics.errors import UnknownRun
from kernel_magics.model import RunInfo, RunStatus
from kernel_magics.store import Store

from .ingest import Report
from .replay_cell import Cell, Page, Part, folded, joined

_LOOKED_AT = 500
"""Of the runs there are, how many of the newest are looked at when a page comes."""

_SHOWN = frozenset(
    {
        "stream",
        "display_data",
        "update_display_data",
        "execute_result",
        "error",
        "clear_output",
        "input_request",
        "input_done",
        "cut",
    }
)


class RunSource:
    """The locally tracked cells of one page."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._mine: dict[str, RunInfo] = {}
        self._others: set[str] = set()
        self._cells: dict[str, tuple[str, Cell]] = {}
        self._followed: dict[str, int] = {}
        self._ends: dict[str, dict[str, int]] = {}
        """How far the journals of a run with such cells have been read, so that nothing is read twice."""
        self._changed: set[str] | None = None
        """Runs to look at, ``None`` for all."""

    def tell(self, report: Report) -> None:
        """These runs have changed."""
        if report.everything:
            self._changed = None
        elif self._changed is not None:
            self._changed |= report.runs

    def cells(self, store: Store) -> list[Cell]:
        """All that the notebook as it was saved cannot have, in the order in which they began."""
        changed, self._changed = self._changed, set()
        for run in self._candidates(store, changed):
            self._mine[run.id] = run
            for head in store.replay.heads(run.id):
                if head.cell_id is not None:
                    running = head.finished is None and run.status == RunStatus.RUNNING
                    cell = Cell(head.key, head.cell_id, head.session, running, head.execution_count)
                    self._cells[head.key] = run.id, cell
        return [cell for _run, cell in self._cells.values()]

    def has(self, key: str) -> bool:
        """Whether the cell is one of these."""
        return key in self._cells

    def follow(self, store: Store, key: str, after: int | None) -> Iterator[Part]:
        """What the cell has shown so far, after a position; :meth:`news` brings the rest."""
        yield self._part(store, key, after or 0, whole=after is None)

    def news(self, store: Store) -> Iterator[Part]:
        """What has come of the cells that are followed."""
        by_run: dict[str, list[str]] = {}
        for key in self._followed:
            by_run.setdefault(self._cells[key][0], []).append(key)
        for run_id, keys in by_run.items():
            begin = min(self._followed[key] for key in keys)
            found, self._ends[run_id] = store.replay.messages_since(run_id, self._ends.get(run_id, {}), begin)
            for key in keys:
                # A cell that was wanted just now has been read further than the run.
                fresh = [one for one in found.get(key, ()) if one[0] > self._followed[key]]
                self._followed[key] = fresh[-1][0] if fresh else self._followed[key]
                messages = [(kind, content) for _, kind, content in fresh if kind in _SHOWN]
                if messages:
                    yield Part(key, self._followed[key], joined(messages))

    def _part(self, store: Store, key: str, after: int, *, whole: bool) -> Part:
        found = store.replay.messages(self._cells[key][0], key, after)
        position = found[-1][0] if found else after
        messages = [(kind, content) for _, kind, content in found if kind in _SHOWN]
        self._followed[key] = position
        return Part(key, position, folded(messages) if whole else joined(messages))

    def _candidates(self, store: Store, changed: set[str] | None) -> list[RunInfo]:
        """Runs that changed and are this page's, oldest first."""
        if changed is None:
            looked = store.runs(limit=_LOOKED_AT)
        else:
            looked = store.runs(ids=changed - self._others) if changed - self._others else []
        return [run for run in reversed(looked) if run.id in self._mine or self._is_mine(store, run)]

    def _is_mine(self, store: Store, run: RunInfo) -> bool:
        if run.finished is not None and run.finished <= self._page.saved:
            self._others.add(run.id)
            return False
        try:
            facts = store.run(run.id).facts
        except UnknownRun:  # deleted this moment
            return False
        if not facts:
            return False  # it has just begun, and whose it is comes next: it is asked again when it changes
        # What ran on another machine comes from that kernel's stream, which has all its cells.
        is_mine = not facts.get("lease") and self._page.is_mine(facts.get("notebook"), facts.get("kernel_id"))
        if not is_mine:
            self._others.add(run.id)
        return is_mine
