"""Traps of interrupting, restarting, closing and dying."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.kernel_magics.bridge.conftest import OpenNotebook
from tests.kernel_magics.bridge.notebook_driver import Notebook, release_all
from tests.waiting import UNTIL_INTERRUPTED, UNTIL_KILLED, Gate, last_for, wait_for

LONG = "print('begun', flush=True)\n" + UNTIL_INTERRUPTED
LONGER = "print('begun', flush=True)\n" + UNTIL_KILLED


def start_of(notebook: Notebook, code: str = LONG):
    """A cell that runs until it is interrupted, and has begun."""
    cell = notebook.execute(code)
    notebook.pump(lambda: "begun" in cell.text())
    return cell


def remote_pid(notebook: Notebook) -> int:
    return int(notebook.value("__import__('os').getpid()"))


def live_leases(notebook: Notebook) -> list[str]:
    found = notebook.must(
        "%%local\nimport os; from pathlib import Path; from gpu_provisioner.leases import LeaseBook\n"
        "print([lease.id for lease in LeaseBook(Path(os.environ['TRACKSIDE_DIR'])).live()])"
    )
    return list(eval(found.text()))


# -- trap 3: Ctrl-C


def test_an_interrupt_reaches_the_remote_cell(bridged: Notebook) -> None:
    """Trap 3: SIGINT, as the stop button sends it; both kernels live on."""
    pid = remote_pid(bridged)
    cell = start_of(bridged)
    bridged.interrupt()
    bridged.pump(lambda: cell.done, timeout=20)
    assert cell.reply["content"]["ename"] == "KeyboardInterrupt"
    assert remote_pid(bridged) == pid


def test_an_interrupt_message_reaches_the_remote_cell(bridged: Notebook) -> None:
    """Trap 2: ``interrupt_request`` on control, which ipykernel answers by a SIGINT to itself."""
    cell = start_of(bridged)
    assert bridged.ask("interrupt_request", {}, "control")["status"] == "ok"
    bridged.pump(lambda: cell.done, timeout=20)
    assert cell.reply["content"]["ename"] == "KeyboardInterrupt"


def test_several_interrupts_are_no_crash(bridged: Notebook) -> None:
    """Trap 3: an impatient user; the event loop that only waits must not see KeyboardInterrupt."""
    cell = start_of(bridged)
    for _ in range(5):
        os.kill(bridged.pid, signal.SIGINT)
    bridged.pump(lambda: cell.done, timeout=20)
    assert cell.reply["content"]["ename"] == "KeyboardInterrupt"
    assert bridged.must("1 + 1").result == "2"
    assert bridged.must("%%local\n1 + 1").result == "2"


def test_an_interrupt_between_cells_hits_no_later_cell(bridged: Notebook, gate: Gate) -> None:
    """Trap 3: what is still held when a cell ends is dropped with it."""
    os.kill(bridged.pid, signal.SIGINT)
    cell = start_of(bridged, f"print('begun', flush=True)\n{gate.wait}\nprint('whole')")
    last_for(1.0)  # nothing tells that no interrupt is on its way
    gate.open()
    bridged.pump(lambda: cell.done)
    assert cell.status == "ok", cell.all_text
    assert cell.text() == "begun\nwhole\n"


def test_a_local_cell_can_be_interrupted(bridged: Notebook) -> None:
    cell = start_of(bridged, "%%local\n" + LONG)
    bridged.interrupt()
    bridged.pump(lambda: cell.done, timeout=20)
    assert cell.reply["content"]["ename"] == "KeyboardInterrupt"


def test_an_interrupt_ends_input(bridged: Notebook) -> None:
    cell = bridged.execute("input('name? ')")
    bridged.pump(lambda: cell.prompts)
    bridged.interrupt()
    bridged.pump(lambda: cell.done, timeout=20)
    assert cell.reply["content"]["ename"] == "KeyboardInterrupt"
    assert bridged.run("print(input('again? '))", ["yes"]).text() == "yes\n"


# -- trap 2: shutdown, restart, death of the local kernel


def test_closing_the_notebook_leaves_the_remote_cell_alone(
    bridged: Notebook, open_notebook: OpenNotebook, gate: Gate
) -> None:
    """Trap 2: a shutdown interrupts first; the remote cell must not notice."""
    start_of(
        bridged,
        f"print('begun', flush=True)\ntry:\n    {gate.wait}\n    end = 'finished'\n"
        "except KeyboardInterrupt:\n    end = 'interrupted'",
    )
    bridged.manager.shutdown_kernel()
    gate.open()
    again = open_notebook()
    again.must("%gpu_attach", timeout=120)
    assert again.value("end") == "finished"


def test_an_interrupt_message_before_a_shutdown_is_dropped_too(
    bridged: Notebook, open_notebook: OpenNotebook, gate: Gate
) -> None:
    """Trap 2: front-ends in message mode send ``interrupt_request`` and then ``shutdown_request``."""
    start_of(
        bridged,
        f"print('begun', flush=True)\ntry:\n    {gate.wait}\n    end = 'finished'\n"
        "except KeyboardInterrupt:\n    end = 'interrupted'",
    )
    bridged.send("interrupt_request", {}, "control")
    bridged.send("shutdown_request", {"restart": False}, "control")
    wait_for(lambda: not bridged.manager.is_alive(), what="the notebook's kernel has ended")
    gate.open()
    again = open_notebook()
    again.must("%gpu_attach", timeout=120)
    assert again.value("end") == "finished"


def test_killing_the_notebook_leaves_the_remote_kernel_alone(
    bridged: Notebook, open_notebook: OpenNotebook
) -> None:
    """Trap 2: ``kill -9`` of the local kernel only detaches; outputs of the time between are not lost."""
    pid = remote_pid(bridged)
    start_of(bridged, "kept = 41\nprint('begun', flush=True)\nfor n in range(50): print(n, flush=True)")
    bridged.kill()
    again = open_notebook()
    reminder = again.must("1")
    again.must("%gpu_attach", timeout=120)
    assert remote_pid(again) == pid
    assert again.value("kept + 1") == 42
    assert reminder.result == "1"


def test_a_fresh_kernel_says_that_cells_run_here(bridged: Notebook) -> None:
    """Trap 2: once, when the extension is loaded."""
    bridged.restart()
    loaded = bridged.must("%load_ext kernel_magics")
    assert "Cells run here until %gpu_attach" in loaded.text()
    assert "%gpu_attach" not in bridged.must("x = 1").all_text
    assert bridged.value("__import__('os').getpid()") == bridged.pid


def test_an_extension_loaded_at_startup_says_it_in_the_first_cell(bridged: Notebook) -> None:
    """Trap 2: when no cell loads the extension, the first that runs here says where it runs."""
    bridged.kill()
    fresh = Notebook(bridged.env, bridged.cwd, ["--IPKernelApp.extensions=kernel_magics"])
    try:
        assert "Cells run here until %gpu_attach" in fresh.must("x = 1").text()
        assert fresh.must("x").all_text == "1"
    finally:
        fresh.close()


def test_restarting_the_notebook_restarts_the_remote_kernel_on_the_same_lease(bridged: Notebook) -> None:
    """Trap 2: that is what the button means, and what frees GPU memory."""
    leases, pid = live_leases(bridged), remote_pid(bridged)
    bridged.must("kept = 1")
    bridged.restart()
    bridged.must("%load_ext kernel_magics")
    assert "yours already" in bridged.must("%gpu_provision cpu", timeout=120).all_text
    assert live_leases(bridged) == leases
    assert remote_pid(bridged) != pid
    assert bridged.value("'kept' in globals()") is False
    wait_for(lambda: not psutil.pid_exists(pid), what="the former remote kernel has ended")


def test_restart_and_run_all_rents_once(bridged: Notebook) -> None:
    """Trap 2: ``%gpu_provision`` again uses what is there; ``--new`` rents another, and says what stays."""
    assert "already" in bridged.must("%gpu_provision a100 --or cpu").all_text
    assert len(live_leases(bridged)) == 1
    pid = remote_pid(bridged)
    another = bridged.must("%gpu_provision cpu --new", timeout=120)
    assert "is still yours: %gpu_release cpu" in another.text()
    assert len(live_leases(bridged)) == 2
    assert remote_pid(bridged) != pid
    assert "Released 'cpu'" in bridged.must("%gpu_release cpu").text()
    assert len(live_leases(bridged)) == 1
    assert remote_pid(bridged) != pid


def test_gpu_restart_gives_a_fresh_kernel(bridged: Notebook) -> None:
    """Trap 2."""
    pid = remote_pid(bridged)
    bridged.must("kept = 1")
    assert "variables are gone" in bridged.must("%gpu_restart", timeout=90).text()
    assert remote_pid(bridged) != pid
    assert bridged.value("'kept' in globals()") is False


def test_the_first_output_after_attaching_is_there(bridged: Notebook, open_notebook: OpenNotebook) -> None:
    """Trap 4: a second subscriber of iopub gets no welcome; the bridge asks who is there first."""
    bridged.manager.shutdown_kernel()
    for _ in range(3):
        again = open_notebook()
        again.must("%gpu_attach", timeout=120)
        cell = again.must("print('first'); 'result'")
        assert cell.text() == "first\n" and cell.result == "'result'"
        again.manager.shutdown_kernel()


# -- the remote side ends


def test_a_dead_kernel_ends_the_cell_with_what_happened(bridged: Notebook, gate: Gate) -> None:
    cell = start_of(bridged, f"print('begun', flush=True)\n{gate.wait}\nimport os; os.kill(os.getpid(), 9)")
    gate.open()
    bridged.pump(lambda: cell.done)
    assert cell.text() == "begun\n"
    assert cell.reply["content"]["ename"] == "KernelLost"
    assert "signal 9 (SIGKILL)" in cell.error and "is kept" in cell.error
    assert "Traceback" not in cell.error
    assert bridged.must("'fresh'").result == "'fresh'"


def test_a_segmentation_fault_is_called_so(bridged: Notebook) -> None:
    cell = bridged.run("import ctypes; ctypes.string_at(0)")
    assert "SIGSEGV" in cell.error


def test_a_dead_kernel_stops_run_all(bridged: Notebook) -> None:
    """Trap 8: the cells behind it are aborted, as after any error."""
    cells = [bridged.execute(code) for code in ("import os; os.kill(os.getpid(), 9)", "1", "2")]
    bridged.pump(lambda: all(cell.done for cell in cells))
    assert [cell.status for cell in cells] == ["error", "aborted", "aborted"]


def test_a_dead_agent_ends_the_cell_and_cells_run_here_again(bridged: Notebook) -> None:
    agent = psutil.Process(remote_pid(bridged)).parent()
    cell = start_of(bridged, LONGER)
    agent.kill()
    bridged.pump(lambda: cell.done, timeout=60)
    assert cell.reply["content"]["ename"] == "KernelLost"
    assert "agent" in cell.error and "kept" in cell.error
    assert "Cells run here again" in cell.error and "fresh kernel there" not in cell.error
    wait_for(lambda: remote_pid(bridged) == bridged.pid, what="cells run here again")


@pytest.mark.parametrize("ending", ["%gpu_release", "agent"])
def test_the_kernel_is_not_mute_after_thousands_of_displays(bridged: Notebook, ending: str) -> None:
    """Trap 14: a mark lowered on a living socket would silence iopub for ever."""
    agent = psutil.Process(remote_pid(bridged)).parent()
    show = "display({'text/plain': 'x'}, raw=True)"
    bridged.must(f"from IPython.display import display\nfor i in range(3000): {show}")
    if ending == "agent":
        cell = start_of(bridged, LONGER)
        agent.kill()
        bridged.pump(lambda: cell.done, timeout=60)
    else:
        bridged.must(ending)
    assert bridged.must("print('heard')").text() == "heard\n"


def test_release_from_elsewhere_gives_the_cells_back(bridged: Notebook, tmp_path: Path) -> None:
    """The panel stops the machine while a cell runs."""
    cell = start_of(bridged)
    release_all(bridged.env)
    bridged.pump(lambda: cell.done, timeout=60)
    assert cell.reply["content"]["ename"] == "KernelLost"
    assert "released by the test" in cell.all_text
    assert remote_pid(bridged) == bridged.pid


def test_a_release_between_cells_is_said_in_the_next_one(bridged: Notebook) -> None:
    """Cells run here again, and the first of them says so."""
    bridged.must("1")
    release_all(bridged.env)
    wait_for(lambda: remote_pid(bridged) == bridged.pid, what="cells run here again")
    said = [cell for cell in bridged.cells.values() if "was released by the test" in cell.all_text]
    assert len(said) == 1
    assert "Cells run here again" in said[0].all_text


def test_a_death_between_cells_is_said_in_the_next_one(bridged: Notebook) -> None:
    pid = remote_pid(bridged)
    os.kill(pid, signal.SIGKILL)
    wait_for(
        lambda: bridged.run("import os; print(os.getpid())").text().strip() not in ("", str(pid)),
        what="a fresh kernel runs there",
    )
    said = [cell for cell in bridged.cells.values() if "SIGKILL" in cell.all_text]
    assert len(said) == 1, "as an error of the cell that was too quick, or as a notice in the next"


def test_release_gives_the_cells_back(bridged: Notebook) -> None:
    bridged.must("x = 1")
    assert "Cells run here again" in bridged.must("%gpu_release").text()
    assert remote_pid(bridged) == bridged.pid
    assert bridged.value("'x' in globals()") is False
    assert "run here" in bridged.must("%gpu_status").all_text
    cell = bridged.run("%gpu_release")
    assert "No machine is yours" in cell.error and "Traceback" not in cell.error


@pytest.mark.parametrize("code", ["%gpu_restart", "%gpu_attach nobody"])
def test_a_magic_without_a_machine_says_so(notebook: Notebook, code: str) -> None:
    cell = notebook.run(code)
    assert cell.reply["content"]["ename"] == "UsageMistake"
    assert "Traceback" not in cell.error and "Try: " in cell.error
