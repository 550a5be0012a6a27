"""Which tracked cells of a notebook's own kernel a page is told of, as their runs are read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.ingest import Report
from jupyter_ext.replay_cell import Page
from jupyter_ext.replay_runs import RunSource
from kernel_magics import paths
from kernel_magics.journal import format as fmt
from kernel_magics.store import open_store, replay
from kernel_magics.store.records import read_frames

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


def an_output(key: str, text: str) -> tuple[fmt.Kind, dict[str, Any]]:
    content = {"name": "stdout", "text": text}
    return fmt.Kind.OUTPUT, {"cell": key, "n": 0, "time": time.time(), "type": "stream", "content": content}


def test_what_comes_later_is_read_once_however_many_cells_are_followed(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def counting(journal: Path, places: list[tuple[int, int, int]]) -> Iterator[Any]:
        read.append(len(places))
        return read_frames(journal, places)

    monkeypatch.setattr(replay, "read_frames", counting)
    keys = [f"k{number}" for number in range(20)]
    source = RunSource(Page("kernel-1", None, time.time()))
    with open_store(data_dir) as store:
        write(
            data_dir,
            (fmt.Kind.RUN, {"id": RUN, "created": time.time(), "writer": {"id": "main-1"}}),
            (fmt.Kind.FACTS, {"kernel_id": "kernel-1"}),
            *((fmt.Kind.CELL, {"key": key, "cell_id": key, "started": time.time()}) for key in keys),
            *(an_output(key, f"{key} began\n") for key in keys),
        )
        store.refresh()
        assert [cell.key for cell in source.cells(store)] == keys
        for key in keys:
            assert "began" in str([part.messages for part in source.follow(store, key, None)])
        assert list(source.news(store)) == []
        read.clear()
        for turn in range(10):
            write(data_dir, *(an_output("k3", f"{turn}.{line}\n") for line in range(5)))
            store.refresh()
            [part] = source.news(store)
            assert (part.key, len(read)) == ("k3", turn + 1)
            assert part.messages == [
                ("stream", {"name": "stdout", "text": "".join(f"{turn}.{n}\n" for n in range(5))})
            ]
        assert sum(read) == 50
        # A page that asks for a cell once more gets it once more, and then what is new.
        (again,) = source.follow(store, "k3", None)
        assert "0.0" in str(again.messages) and "9.4" in str(again.messages)
        write(data_dir, an_output("k3", "last"), an_output("k5", "other"))
        store.refresh()
        assert {part.key: part.messages[0][1]["text"] for part in source.news(store)} == {
            "k3": "last",
            "k5": "other",
        }
