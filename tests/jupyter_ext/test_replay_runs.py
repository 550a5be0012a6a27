"""Which tracked cells of a notebook's own kernel a page is told of, as their runs are read."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from jupyter_ext.ingest import Report
from jupyter_ext.replay_cell import Page
from jupyter_ext.replay_runs import RunSource
from kernel_magics import paths
from kernel_magics.journal import format as fmt
from kernel_magics.store import open_store

RUN = "20261122-141503-aaaaaa"


def write(data_dir: Path, *frames: tuple[fmt.Kind, dict[str, Any]]) -> None:
    """Appends to the run's journal, which is begun when it is not there."""
    journal = paths.runs_dir(data_dir) / RUN / "main-1.journal"
    journal.parent.mkdir(parents=True, exist_ok=True)
    begin = b"" if journal.exists() else fmt.pack_header()
    with journal.open("ab") as file:
        file.write(begin + b"".join(fmt.pack_frame(kind, fmt.pack_json(content)) for kind, content in frames))


def test_a_run_whose_first_facts_come_a_moment_later_is_the_pages_all_the_same(data_dir: Path) -> None:
    source = RunSource(Page("kernel-1", None, time.time()))
    with open_store(data_dir) as store:
        write(data_dir, (fmt.Kind.RUN, {"id": RUN, "created": time.time(), "writer": {"id": "main-1"}}))
        store.refresh()
        assert source.cells(store) == []
        write(
            data_dir,
            (fmt.Kind.FACTS, {"kernel_id": "kernel-1"}),
            (fmt.Kind.CELL, {"key": "k1", "cell_id": "c1", "started": time.time()}),
        )
        source.tell(Report(runs=frozenset(store.refresh().runs)))
        assert [cell.key for cell in source.cells(store)] == ["k1"]
