"""``%gpu_provision --bg``: cells run here until the machine is ready; nothing is left when it never is."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kernel_magics.bridge.notebook_driver import Cell, Notebook, processes_of
from tests.waiting import Gate, wait_for

BEGIN = "%gpu_provision cpu --on slow --bg"
WHERE = "__import__('os').getpid()"


@pytest.fixture
def slow(home: dict[str, str], tmp_path: Path, flag: Path) -> Path:
    """The target ``slow``: a machine whose Python starts when this file is there (a queue, a slow login)."""
    python = tmp_path / "slow-python"
    python.write_text(f'#!/bin/sh\nuntil [ -e {flag} ]; do sleep 0.05; done\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    Path(home["TRACKSIDE_CONFIG"]).write_text(f'[targets.slow]\nprovider = "local"\npython = "{python}"\n')
    return flag


def leases(home: dict[str, str]) -> list[dict[str, Any]]:
    found = Path(home["TRACKSIDE_DIR"], "leases").glob("*.json")
    return sorted((json.loads(path.read_text()) for path in found), key=lambda lease: lease["created"])


def states(home: dict[str, str]) -> list[str]:
    return [lease["state"] for lease in leases(home)]


def begin(notebook: Notebook, home: dict[str, str]) -> Cell:
    """Begin, and wait until the machine's Python is being started."""
    cell = notebook.must(BEGIN)
    wait_for(lambda: states(home) == ["starting"], "it is being started", 60)
    return cell


def begin_to_wait(notebook: Notebook) -> Cell:
    """A cell that waits for the machine that is being got."""
    waiting = notebook.execute("%gpu_attach")
    notebook.pump(lambda: "Waiting for cpu" in waiting.text(), 60, waiting)
    return waiting


def shown(cell: Cell) -> str:
    """What the display of a cell shows in the end."""
    displays = [message for message in cell.outputs if message["msg_type"].endswith("display_data")]
    return str(displays[-1]["content"]["data"]["text/plain"])


def first_cell_there(notebook: Notebook) -> Cell:
    """Run cells until one runs elsewhere."""
    here = str(notebook.pid)
    cells: list[Cell] = []

    def runs_there() -> bool:
        cells.append(notebook.must(WHERE))
        return cells[-1].result != here

    wait_for(runs_there, "cells run there", 120)
    return cells[-1]


def test_cells_run_here_until_it_is_ready_and_then_there_with_one_sentence(
    notebook: Notebook, home: dict[str, str], slow: Path
) -> None:
    began = begin(notebook, home)
    notebook.must("mine = 41")
    assert notebook.value(WHERE) == notebook.pid
    assert "cpu is being got for it" in notebook.must("%gpu_status").all_text
    assert "still being got" in notebook.run("%gpu_restart").error
    slow.touch()
    first = first_cell_there(notebook)
    assert "Cells run on cpu (" in first.all_text and "%gpu_push NAME" in first.all_text
    assert "Cells run on" not in notebook.must("print('again')").all_text
    assert "Cells run on 'cpu' now" in shown(began) and "Ready after" in shown(began)
    assert "%gpu_push mine" in notebook.run("mine").error
    notebook.must("%gpu_push mine")
    assert notebook.value("mine") == 41
    assert "Cells run here again" in notebook.must("%gpu_release").all_text
    assert states(home) == ["released"]


def test_a_cell_that_runs_here_ends_here_and_the_next_one_runs_there(
    notebook: Notebook, home: dict[str, str], slow: Path, gate: Gate
) -> None:
    begin(notebook, home)
    running = notebook.execute(f"print('begun', flush=True)\n{gate.wait}\nimport os; os.getpid()")
    notebook.pump(lambda: "begun" in running.text(), 60, running)
    slow.touch()
    wait_for(lambda: states(home) == ["ready"], "its kernel runs", 120)
    gate.open()
    notebook.pump(lambda: running.done, 60, running)
    assert running.result == str(notebook.pid)
    first_cell_there(notebook)


def test_attach_waits_for_it_and_an_interrupt_ends_only_the_waiting(
    notebook: Notebook, home: dict[str, str], slow: Path
) -> None:
    begin(notebook, home)
    waiting = notebook.execute("print('begun', flush=True)\n%gpu_attach")
    notebook.pump(lambda: waiting.done, 60, waiting)
    assert waiting.status == "error", "a cell that moves cells stands alone"
    waiting = begin_to_wait(notebook)
    notebook.interrupt()
    notebook.pump(lambda: waiting.done, 60, waiting)
    assert "it is still being got in the background" in waiting.error
    assert states(home) == ["starting"]
    slow.touch()
    assert "Cells run on cpu (" in notebook.must("%gpu_attach", timeout=120).all_text
    assert notebook.value(WHERE) != notebook.pid


def test_the_same_again_without_bg_waits_and_anything_else_is_refused(
    notebook: Notebook, home: dict[str, str], slow: Path
) -> None:
    begin(notebook, home)
    elsewhere = ("%gpu_provision cpu --on local", "%gpu_provision cpu --name b", "%gpu_provision cpu --new")
    for other in (BEGIN, "%gpu_provision a100", "%gpu_provision cpu --idle 1h", *elsewhere):
        refused = notebook.run(other)
        assert "cpu is being got for this notebook already. Nothing else was begun." in refused.error
    slow.touch()
    notebook.must("%gpu_provision cpu", timeout=120)
    assert notebook.value(WHERE) != notebook.pid
    assert states(home) == ["ready"]


def test_release_calls_it_off_and_leaves_nothing(
    notebook: Notebook, home: dict[str, str], slow: Path, tmp_path: Path
) -> None:
    began = begin(notebook, home)
    assert "Called off; nothing is rented for it." in notebook.must("%gpu_release").all_text
    assert states(home) == ["released"]
    wait_for(lambda: not processes_of(str(tmp_path / "slow-python")), "its process has ended", 60)
    notebook.pump(lambda: "Called off" in shown(began), 60, began)
    assert notebook.value(WHERE) == notebook.pid
    slow.touch()
    notebook.must("%gpu_provision cpu --on slow", timeout=120)
    assert states(home) == ["released", "ready"]


def test_it_can_be_named_before_it_is_ready(
    notebook: Notebook, home: dict[str, str], slow: Path, tmp_path: Path
) -> None:
    begin(notebook, home)
    assert "Called off; nothing is rented for it." in notebook.must("%gpu_release cpu", timeout=30).all_text
    assert states(home) == ["released"]
    notebook.must(BEGIN)
    wait_for(lambda: states(home) == ["released", "starting"], "it is being started", 60)
    assert "called 'other'" in notebook.run("%gpu_release other").error
    slow.touch()
    assert "Cells run on cpu (" in notebook.must("%gpu_attach cpu --take", timeout=120).all_text
    assert notebook.value(WHERE) != notebook.pid


def test_a_failure_is_told_under_its_cell_and_in_the_next_one(
    notebook: Notebook, home: dict[str, str], slow: Path
) -> None:
    slow.touch()
    broken = Path(home["TRACKSIDE_CONFIG"])
    broken.write_text('[targets.slow]\nprovider = "local"\npython = "/bin/false"\n')
    began = notebook.must(BEGIN)
    notebook.pump(lambda: "Cells run where they ran" in shown(began), 60, began)
    assert "No Python could be started on the machine" in shown(began) and "Traceback" not in shown(began)

    def told() -> bool:
        return "%gpu_provision cpu --bg: No Python could be started" in notebook.must("1").all_text

    wait_for(told, "the next cell tells it", 60)
    assert notebook.must("1").all_text == "1"
    assert states(home) == ["released"]


BROKEN = """
from kernel_magics.bridge.bridge import Bridge
def broken(bridge): raise OSError('no handlers here')
Bridge.install = broken
"""


@pytest.mark.parametrize("waits", [False, True], ids=["between cells", "in %gpu_attach"])
def test_a_machine_to_which_cells_cannot_move_is_given_back_and_that_is_said(
    notebook: Notebook, home: dict[str, str], slow: Path, waits: bool
) -> None:
    began = begin(notebook, home)
    notebook.must(BROKEN)
    if waits:
        waiting = begin_to_wait(notebook)
        slow.touch()
        notebook.pump(lambda: waiting.done, 120, waiting)
        assert "It has been given back; cells run here." in waiting.error and ".py" not in waiting.error
        assert "no handlers here" in waiting.error
    else:
        slow.touch()
        notebook.pump(lambda: "It has been given back; cells run here." in shown(began), 120, began)
        assert "OSError: no handlers here" in shown(began)
        assert "no handlers here" in notebook.must("1").all_text
    assert states(home) == ["released"]
    assert "Cells of this notebook run here." in notebook.must("%gpu_status").all_text
    assert notebook.value(WHERE) == notebook.pid
    assert not list(Path(home["XDG_CACHE_HOME"], "trackside", "agents").glob("*"))


@pytest.mark.parametrize("ending", ["restart", "kill"])
def test_a_kernel_that_ends_meanwhile_leaves_no_machine_and_no_process(
    notebook: Notebook, home: dict[str, str], slow: Path, tmp_path: Path, ending: str
) -> None:
    begin(notebook, home)
    if ending == "restart":
        notebook.restart()
        assert states(home) == ["released"]
    else:
        notebook.kill()
        notebook.manager.restart_kernel(now=True)
        notebook.connect()
    # What was asked for lies in the pipe still: a Python that starts now must not start an agent.
    slow.touch()
    wait_for(lambda: not processes_of(str(tmp_path / "slow-python")), "its Python has ended", 60)
    notebook.must("%load_ext kernel_magics")
    assert "Cells of this notebook run here." in notebook.must("%gpu_status").all_text
    assert not {"planned", "starting", "ready"} & set(states(home))
    assert not list(Path(home["XDG_CACHE_HOME"], "trackside", "agents").glob("*"))
    assert notebook.value(WHERE) == notebook.pid


def test_a_folder_changed_meanwhile_is_not_where_the_machine_works(
    notebook: Notebook, home: dict[str, str], slow: Path, tmp_path: Path
) -> None:
    begin(notebook, home)
    notebook.must(f"import os; os.chdir({str(tmp_path)!r})")
    slow.touch()
    notebook.must("%gpu_attach", timeout=120)
    assert notebook.value("__import__('os').getcwd()") == os.path.realpath(tmp_path / "work")
