"""Somebody deletes the folder of a run that goes on: that is said, and nobody reads that it was recorded."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import pytest

import kernel_magics as km
from kernel_magics import paths
from kernel_magics.tracking import scribe
from kernel_magics.tracking.notices import TracksideWarning
from tests.kernel_magics.tracking.conftest import Notebook
from tests.waiting import wait_for

GONE = "journal was deleted while it was written"


def delete(run: km.Run) -> None:
    shutil.rmtree(paths.runs_dir(paths.data_dir()) / run.id)


def test_a_deleted_journal_is_said_once_at_the_end(capture_nothing: dict[str, bool]) -> None:
    run = km.init(capture=capture_nothing)
    run.log({"loss": 1.0})
    assert run.is_kept()
    delete(run)
    run.log({"loss": 0.5})
    with pytest.warns(TracksideWarning, match=GONE) as told:
        run.finish()
    assert len(told) == 1


def test_it_is_said_while_the_run_goes_on(
    capture_nothing: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scribe, "SYNC_S", 0.05)
    heard: list[str] = []
    monkeypatch.setattr(scribe, "notice", heard.append)
    with km.init(capture=capture_nothing) as run:
        delete(run)
        run.log({"loss": 1.0})
        wait_for(lambda: any(GONE in one for one in heard), "a warning")
    assert len(heard) == 1


def test_a_run_whose_folder_was_moved_is_kept(capture_nothing: dict[str, bool], tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with km.init(capture=capture_nothing) as run:
            (paths.runs_dir(paths.data_dir()) / run.id).rename(tmp_path / "elsewhere")
            assert run.is_kept()


def test_no_line_below_a_cell_says_that_it_was_recorded(notebook: Notebook) -> None:
    answer = notebook.run("%%track\nimport os, shutil\nshutil.rmtree(os.environ['TRACKSIDE_DIR'])")
    assert notebook.notes(answer.request) == []
    assert answer.text.count(GONE) == 1


@pytest.fixture
def capture_nothing() -> dict[str, bool]:
    return {"packages": False, "diff": False}
