"""The store: everything recorded in a data folder, to read.

What is asked is answered from the index; :meth:`Store.refresh` brings the index up to date first. The index
is disposable: lost or damaged, it is built anew from the journals, and answers the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from kernel_magics.errors import UsageMistake
from kernel_magics.model import MetricInfo, RunInfo, RunStatus, is_run_id

from . import edits, filters, queries, trash
from .charting import ChartQuery, series_of_run, windows_of_groups, windows_of_runs
from .current import CurrentIndex
from .index import Index
from .model import CellRecord, Changes, MetricSummary, Series, Window
from .news import News
from .places import steps_at
from .present import PresentRuns
from .records import read_artifacts, read_cells, read_events, read_media
from .replay import CellReplay
from .states import StateWatch

if TYPE_CHECKING:
    import pandas


class Store:
    """Reads what was recorded. May be used from several threads; they take turns.

    Run ids, metric names and outputs are as recorded: treat them as untrusted text.
    """

    def __init__(self, index: Index) -> None:
        self._index = CurrentIndex(index)
        states = StateWatch(index.data_dir)
        self._present = PresentRuns(self._index, states)
        self._news = News(states)
        self.replay = CellReplay(self._index)
        """Tracked cells as they go on, for a page that was not there."""

    @property
    def data_dir(self) -> Path:
        """The data folder."""
        return self._index.data_dir

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the index; can be called again. A closed store opens again when it is asked."""
        self._index.close()

    def refresh(self, run_ids: Collection[str] | None = None, limit_s: float | None = None) -> Changes:
        """Brings the index up to date, and says what has changed since the last call.

        When another process ingests, its work is waited for, for at most two seconds.

        Args:
            run_ids: only these runs.
            limit_s: stop after about so many seconds; what is asked of a run later is completed then.
        """
        self._index.catch_up(run_ids, limit_s)
        return self._index.ask(self._news.look)

    def behind_bytes(self) -> int:
        """Bytes of journals that the index does not have yet."""
        return self._index.behind_bytes()

    def rebuild(self) -> None:
        """Builds the index anew from the journals."""
        self._index.rebuild()

    def delete(self, run_id: str) -> None:
        """Deletes a run: it is in the trash then, from where :meth:`restore` brings it back.

        Raises:
            UnknownRun: there is none of that id.
            UsageMistake: it runs.
            DataFolderError: the data folder cannot be written.
        """
        if self.run(run_id).status == RunStatus.RUNNING:
            raise UsageMistake(
                f"Run {run_id} is running; it was not deleted.",
                remedy="finish it first, or release its machine",
            )
        trash.delete(self.data_dir, run_id)
        self.refresh()

    def restore(self, run_id: str) -> None:
        """Brings a deleted run back.

        Raises:
            UnknownRun: it is not in the trash.
            UsageMistake: there is a run of that id.
            DataFolderError: the data folder cannot be written.
        """
        trash.restore(self.data_dir, run_id)
        self.refresh()

    def edit(self, run_id: str, **change: Any) -> None:
        """Changes some of ``name``, ``project``, ``group``, ``tags``, ``notes``, ``colour``, ``pinned``,
        ``archived`` of a run, also while it runs.

        Raises:
            UnknownRun: there is none of that id.
            UsageMistake: the change makes no sense.
            DataFolderError: the data folder cannot be written.
        """
        if is_run_id(run_id):
            self.refresh([run_id])  # so that a change by the run's own process is known
        edits.edit(self.data_dir, run_id, change, self.edited([run_id]).get(run_id, 0.0))
        self.refresh([run_id])

    def edited(self, run_ids: Collection[str]) -> dict[str, float]:
        """When each of these runs that there are was changed last by anybody: seconds since the epoch by the
        clock of whoever did it, 0.0 for never."""
        return self._index.ask(lambda sql: queries.edited(sql, run_ids))

    def runs(
        self,
        project: str | None = None,
        limit: int | None = None,
        ids: Collection[str] | None = None,
        *,
        where: str | None = None,
    ) -> list[RunInfo]:
        """Runs, newest first; of ``facts`` only the short ones (:meth:`run` has all).

        Args:
            project: only those of this project.
            ids: only these; ids that there are not are left out.
            where: only those that this filter means: ``config.lr < 0.1 and loss.last < 1``
                (``docs/filter.md``).

        Raises:
            FilterMistake: ``where`` cannot be understood; a :class:`UsageMistake` that names the place.
        """
        if where is not None:
            matches = filters.matcher(filters.parse(where))
            return [run for run in self.runs(project, ids=ids) if matches(run)][:limit]
        return (
            self._present.newest(project, limit) if ids is None else self._present.among(ids, project)[:limit]
        )

    def colours(self) -> list[tuple[str, int | None]]:
        """Every run of the data folder, oldest first, with the number of the style that somebody chose for
        it: what the colours of all are made from (``kernel_magics.figures.palette``)."""
        return self._present.colours()

    def run(self, run_id: str) -> RunInfo:
        """One run with all its facts.

        Raises:
            UnknownRun: there is none of that id.
        """
        return self._present.one(run_id)

    def metrics(self, run_ids: Collection[str]) -> dict[str, list[MetricInfo]]:
        """The metrics of each of these runs, in the order in which they were first seen."""
        return self._index.ask(lambda sql: queries.metrics(sql, run_ids), run_ids)

    def metric_summaries(self, run_ids: Collection[str]) -> dict[str, list[MetricSummary]]:
        """Last value, extremes and best of every metric of each of these runs."""
        return self._index.ask(lambda sql: queries.summaries(sql, run_ids), run_ids)

    def series(self, run_id: str, metric: str, source: str | None = None) -> Series:
        """Every point of a metric, exactly, in the order of logging (of several writers: by time).

        Args:
            source: ``logged``, ``inferred`` or ``system``; by default the first of these that the run has.

        Raises:
            UnknownRun: there is no such run.
            UsageMistake: the run has no such metric.
        """
        return self._index.ask(lambda sql: series_of_run(sql, run_id, metric, source), [run_id])

    def window(  # noqa: PLR0913 - the seam's signature
        self,
        run_ids: Sequence[str],
        metric: str,
        x: str = "step",
        start: float | None = None,
        stop: float | None = None,
        width: int = 1000,
        *,
        source: str | None = None,
        smoothing: float = 0.0,
        groups: Sequence[Sequence[str]] | None = None,
    ) -> list[Window]:
        """A metric of several runs between two x, reduced to ``width`` pixels: one window per run that has
        it.

        Args:
            x: ``step``, ``relative`` (seconds since each run's start), ``time`` (seconds since the epoch), or
                the name of another metric; :mod:`kernel_magics.store.curves` says where a point lies then.
            start, stop: both included; by default where the runs begin and end.
            width: pixels; at most two buckets fall on each.
            source: as in :meth:`series`.
            smoothing: weight of the past in a moving average over all points, before they are reduced; at
                least 0 (none) and below 1. The formula is in :mod:`kernel_magics.store.curves`.
            groups: lists of runs; there is one window per group then, with their mean
                (:mod:`kernel_magics.store.groups`), and ``run_ids`` is not looked at.

        Raises:
            UnknownRun: there is no such run.
            UsageMistake: an argument makes no sense.
        """
        query = ChartQuery(metric, x, start, stop, width, source, smoothing)
        if groups is None:
            return self._index.ask(lambda sql: windows_of_runs(sql, run_ids, query), run_ids)
        members = [run for group in groups for run in group]
        return self._index.ask(lambda sql: windows_of_groups(sql, groups, query), members)

    def outputs(self, run_id: str) -> list[CellRecord]:
        """The tracked cells of a run and what they showed.

        Raises:
            UnknownRun: there is none of that id.
        """
        return self._index.ask(lambda sql: read_cells(sql, self.data_dir, run_id), [run_id])

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """Events of a run, and ``journal-damaged`` for what of its journals could not be read.

        Raises:
            UnknownRun: there is none of that id.
        """
        return self._index.ask(lambda sql: read_events(sql, self.data_dir, run_id), [run_id])

    def steps_at(self, run_id: str, times: Sequence[float]) -> list[int | None]:
        """The step that the run had logged last at each time (seconds since the epoch); ``None`` before
        that.

        Raises:
            UnknownRun: there is none of that id.
        """
        return self._index.ask(lambda sql: steps_at(sql, run_id, times), [run_id])

    def artifacts(self, run_id: str) -> list[dict[str, Any]]:
        """Artifacts of a run: ``{name, type, digest, size, path}``.

        Raises:
            UnknownRun: there is none of that id.
        """
        return self._index.ask(lambda sql: read_artifacts(sql, self.data_dir, run_id), [run_id])

    def media(self, run_id: str, metric: str | None = None) -> list[dict[str, Any]]:
        """Images, tables, HTML and histograms of a run, in the order of logging (untrusted).

        Each is ``{metric, step, time, type, mime, size, …}`` as in ``docs/journal-format.md``, with
        ``content``, or with ``digest`` and ``blob``, the path of a file.

        Args:
            metric: only those logged under this name.

        Raises:
            UnknownRun: there is none of that id.
        """
        found = self._index.ask(lambda sql: read_media(sql, self.data_dir, run_id), [run_id])
        return [one for one in found if metric is None or one.get("metric") == metric]

    def dataframe(
        self, run_ids: Sequence[str] | None = None, metrics: Collection[str] | None = None
    ) -> pandas.DataFrame:
        """Every point as a row of a ``pandas.DataFrame``: run, metric, source, step, time, value.

        ``time`` is in seconds since the epoch. A table that is as wide as there are metrics is
        ``frame.pivot_table(values="value", index=["run", "step"], columns="metric")``.

        Args:
            run_ids: by default all, oldest first.
            metrics: names; by default all.

        Raises:
            UnknownRun: there is no such run.
            UsageMistake: pandas is not installed.
        """
        from .frame import dataframe

        if run_ids is None:
            run_ids = [run.id for run in reversed(self.runs())]
        return dataframe(self, run_ids, metrics)
