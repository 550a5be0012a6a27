"""The far side on other Pythons with other ipykernels than here, down to 3.9."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.gpu_provisioner.front import MATRIX, Lab, Place
from tests.waiting import UNTIL_INTERRUPTED


@pytest.fixture
def python39(interpreter: Callable[[str], str]) -> str:
    return interpreter("3.9")


@pytest.mark.parametrize("version", MATRIX)
def test_cells_input_interrupt_and_death(interpreter: Callable[[str], str], lab: Lab, version: str) -> None:
    front = lab.kernel(python=interpreter(version))
    cell = front.execute("import sys, ipykernel; print(sys.version_info[:2], ipykernel.__version__)", count=5)
    major, minor = version.split(".")
    assert (
        cell.text == f"({major}, {minor}) {MATRIX[version]}\n"
        and cell.reply is not None
        and cell.reply["execution_count"] == 5
    )
    asked = front.begin("print(input('? '))", 6)
    front.wait(lambda: front.questions, "a question")
    front.send(3, "input_reply", {"value": "yes", "status": "ok"})
    assert "yes" in front.finish(asked).text
    running = front.begin("print('up', flush=True)\n" + UNTIL_INTERRUPTED, 7)
    front.wait(lambda: running in front.cells and "up" in front.cells[running].text, "the cell runs")
    front.holder.command("interrupt")
    reply = front.finish(running).reply
    assert reply is not None and reply["ename"] == "KeyboardInterrupt"
    front.begin("import ctypes; ctypes.string_at(0)", 8)
    assert front.wait_event("kernel-died")["signal"] == signal.SIGSEGV
    assert "alive" in front.execute("print('alive')", 9).text


def test_nothing_is_lost_when_iopub_is_flooded(lab: Lab, python39: str) -> None:
    front = lab.kernel(python=python39)
    cell = front.execute(
        "from IPython.display import publish_display_data\n"
        "for i in range(5000): publish_display_data({'x/y': {'i': i}})"
    )
    assert [content["data"]["x/y"]["i"] for kind, content in cell.outputs if kind == "display_data"] == list(
        range(5000)
    )


def test_a_tracked_run_comes_home_and_control_requests_are_answered(
    lab: Lab, python39: str, place: Place
) -> None:
    front = lab.kernel(python=python39)
    cell = front.execute(
        "import kernel_magics as km\nrun = km.init(project='p')\nfor i in range(100): run.log({'loss': i})\n"
        "run.finish()\nprint('id', run.id)"
    )
    run_id = cell.text.split("id ")[1].split()[0]
    journals = list((place.data / "runs" / run_id).glob("*.journal"))
    assert journals and journals[0].read_bytes()[:4] == b"\x89TSJ"
    asked = front.send(2, "kernel_info_request", {})
    front.wait(lambda: asked in front.cells and front.cells[asked].reply is not None, "control answers")


def test_release_leaves_nothing(lab: Lab, python39: str, place: Place) -> None:
    front = lab.kernel(python=python39)
    front.holder.release("me")
    assert front.states[-1] == "released"
    assert list(place.agents.iterdir()) == []
