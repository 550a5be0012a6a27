"""A display that a later tracked cell updates: each run's record is what its own cell showed."""

from __future__ import annotations

from typing import Any

from kernel_magics.store import open_store

SHOW = "%%track first\nfrom IPython.display import display\nhandle = display('0 %', display_id='bar')"


def texts(notebook: Any, name: str) -> list[str]:
    """What the run's outputs show in the end."""
    with open_store(notebook.data) as store:
        store.refresh()
        (run,) = [run for run in store.runs() if run.name == name]
        (cell,) = store.outputs(run.id)
    return [output["data"]["text/plain"] for output in cell.outputs]


def test_an_update_from_a_later_tracked_cell_is_of_that_cells_run(notebook: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(notebook.home / "cache"))
    assert notebook.run(SHOW).status == "ok"
    assert (
        notebook.run("%%track second\nfor part in (50, 100):\n    handle.update(f'{part} %')").status == "ok"
    )
    assert texts(notebook, "first") == ["'0 %'"]
    assert texts(notebook, "second") == ["'100 %'"]


def test_an_update_from_a_cell_that_is_not_tracked_changes_no_record(notebook: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(notebook.home / "cache"))
    assert notebook.run(SHOW).status == "ok"
    assert notebook.run("handle.update('50 %')").status == "ok"
    assert texts(notebook, "first") == ["'0 %'"]
    assert notebook.run("%%track third\nhandle.update('75 %')").status == "ok"
    assert texts(notebook, "third") == ["'75 %'"]


def test_an_update_within_the_cell_changes_its_own_display(notebook: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(notebook.home / "cache"))
    assert notebook.run(f"{SHOW}\nhandle.update('50 %')").status == "ok"
    assert texts(notebook, "first") == ["'50 %'"]
