"""A data folder that nobody may write, an index without room: what can be read is read, the rest is said."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import kernel_magics as km
from kernel_magics.errors import DataFolderError
from kernel_magics.store import open_store
from kernel_magics.store.schema import index_path

RUN = "20261122-141503-aaaaaa"


@pytest.fixture
def read_only(tiny_disk: Path, new_journal_at) -> Path:
    """A data folder with a run, on a file system that takes no more writes."""
    data = tiny_disk / "data"
    one = new_journal_at(data)
    one.log_many("loss", range(10), range(10), range(10))
    one.log({"loss": 9.5}, 10)
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    return data


def test_a_folder_that_nobody_may_write_is_read_as_any_other(read_only: Path, data_dir: Path) -> None:
    with open_store(read_only) as store:
        store.refresh()
        (run,) = store.runs()
        assert (run.id, run.summary) == (RUN, {"loss": 9.5})
        assert len(store.series(RUN, "loss")) == 11
        store.rebuild()
        assert store.window([RUN], "loss")[0].points == 11


def test_what_would_write_into_it_is_refused_with_a_sentence_and_changes_nothing(
    read_only: Path, data_dir: Path
) -> None:
    with open_store(read_only) as store:
        with pytest.raises(DataFolderError, match=r"cannot be moved: Read-only .* It is as it was"):
            store.delete(RUN)
        assert [run.id for run in store.runs()] == [RUN]
    with pytest.raises(DataFolderError, match=r"Runs cannot be recorded .* Nothing was recorded") as caught:
        km.init(data_dir=read_only)
    assert "TRACKSIDE_DIR" in str(caught.value.remedy)
    assert km.active_run() is None


def test_an_index_without_room_says_so_and_is_whole_as_soon_as_there_is_some(
    tiny_disk: Path, journal, reopen, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["mount", "-o", "remount,size=200k", str(tiny_disk)], check=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tiny_disk))
    journal.log_many("loss", range(40_000), range(40_000), range(40_000))
    with (
        pytest.raises(DataFolderError, match=r"full\. What was recorded is safe") as caught,
        reopen() as store,
    ):
        store.refresh()
    assert "free some disk space" in str(caught.value.remedy)
    subprocess.run(["mount", "-o", "remount,size=8m", str(tiny_disk)], check=True)
    with open_store(data_dir) as store:
        store.refresh()
        assert store.series(RUN, "loss").value.tolist() == list(range(40_000))
    assert index_path(data_dir).is_relative_to(tiny_disk)


def test_what_a_full_disk_refuses_leaves_nothing_behind(tiny_disk: Path) -> None:
    """Neither an edit that was half made, nor a run that never began."""
    data = tiny_disk / "data"
    with km.init(name="one", data_dir=data, capture={"diff": False, "packages": False}) as run:
        run.log({"loss": 1.0})
    folder = data / "runs" / run.id
    ballast = os.open(tiny_disk / "ballast", os.O_CREAT | os.O_WRONLY)
    with pytest.raises(OSError, match="No space left"):
        while True:
            os.write(ballast, bytes(4096))
    before = sorted(path.name for path in folder.iterdir())
    with open_store(data) as store:
        with pytest.raises(DataFolderError, match="No space left"):
            store.edit(run.id, notes="too much")
        with pytest.raises(DataFolderError, match="No space left"):
            km.init(name="two", data_dir=data)
        assert sorted(path.name for path in folder.iterdir()) == before
        store.refresh()
        assert [one.id for one in store.runs()] == [run.id]
        os.ftruncate(ballast, 0)
        os.close(ballast)
        store.edit(run.id, notes="fits")
        assert store.run(run.id).notes == "fits" and store.events(run.id) == []
