"""Traps of comms (widgets) and subshells."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from tests.kernel_magics.bridge.conftest import IPYKERNEL
from tests.kernel_magics.bridge.notebook_driver import Cell, Notebook
from tests.waiting import UNTIL_INTERRUPTED

OPEN = """
import threading
from comm import create_comm
go = threading.Event()
comm, got = create_comm(target_name="test.target", data={"hello": 1}, buffers=[b"opening"]), []
@comm.on_msg
def on_message(message):
    got.append((message["content"]["data"], [bytes(buffer) for buffer in message["buffers"]]))
    comm.send({"echo": message["content"]["data"]}, buffers=message["buffers"])
    if "go" in message["content"]["data"]:
        go.set()
"""

TARGET = """
import threading
from comm import get_comm_manager
go, heard = threading.Event(), []
def on_message(message):
    heard.append(message["content"]["data"])
    if "go" in message["content"]["data"]:
        go.set()
def target(comm, message):
    heard.append("open")
    comm.on_msg(on_message)
    comm.on_close(lambda message: heard.append("close"))
get_comm_manager().register_target("front.end", target)
"""


def open_comm(notebook: Notebook) -> str:
    (opened,) = notebook.must(OPEN).of_type("comm_open")
    assert opened["content"]["target_name"] == "test.target"
    assert [bytes(buffer) for buffer in opened["buffers"]] == [b"opening"]
    return str(opened["content"]["comm_id"])


def say(
    notebook: Notebook,
    comm_id: str,
    data: object,
    subshell: str | None = None,
    buffers: tuple[bytes, ...] = (),
) -> Cell:
    """Send a comm message as a front-end does; what belongs to it comes back as a cell's outputs."""
    content = {"comm_id": comm_id, "data": data}
    return follow(notebook, notebook.send("comm_msg", content, subshell_id=subshell, buffers=buffers))


def follow(notebook: Notebook, msg_id: str) -> Cell:
    """From now on, what belongs to the message is collected as a cell's outputs."""
    cell = notebook.cells[msg_id] = Cell(msg_id)
    return cell


def create_subshell(notebook: Notebook) -> str:
    return str(notebook.ask("create_subshell_request", {}, "control")["subshell_id"])


def test_comm_messages_go_both_ways_with_their_buffers(bridged: Notebook) -> None:
    comm_id = open_comm(bridged)
    payload = bytes(range(256)) * 1000
    said = say(bridged, comm_id, {"n": 1}, buffers=(payload, b""))
    bridged.pump(lambda: "idle" in said.states)
    (echo,) = said.of_type("comm_msg")
    assert echo["content"]["data"] == {"echo": {"n": 1}}
    assert [bytes(buffer) for buffer in echo["buffers"]] == [payload, b""]
    assert bridged.value("len(got)") == 1


def test_no_such_comm_is_never_printed(bridged: Notebook) -> None:
    """ipykernel looks comms up before any handler runs, and would complain into the notebook."""
    comm_id = open_comm(bridged)
    for number in range(5):
        said = say(bridged, comm_id, {"n": number})
        bridged.pump(lambda said=said: "idle" in said.states)
        assert not said.of_type("stream"), said.all_text
    assert not [message for message in bridged.stray if message["msg_type"] == "stream"]


def finish(notebook: Notebook, cell: Cell) -> Cell:
    """Read until everything that belongs to a comm message has come."""
    notebook.pump(lambda: "idle" in cell.states)
    return cell


@pytest.mark.skipif(IPYKERNEL < (7, 0), reason="no subshells before ipykernel 7")
def test_a_comm_on_a_subshell_is_served_while_a_cell_runs(bridged: Notebook) -> None:
    """Trap 1: JupyterLab sends comms on a subshell of their own; it is mapped at its first use.

    The comm is one that the front-end opened: ipykernel 7.4 routes messages of a comm that a cell opened to
    that cell's shell, whatever the front-end asks for.
    """
    bridged.must(TARGET)
    subshell = create_subshell(bridged)
    content = {"comm_id": "abc", "target_name": "front.end", "data": {}}
    finish(bridged, follow(bridged, bridged.send("comm_open", content, subshell_id=subshell)))
    running = bridged.execute("go.wait(60)\nprint('over', heard)")
    bridged.pump(lambda: "busy" in running.states)
    said = say(bridged, "abc", {"go": 1}, subshell)
    bridged.pump(lambda: running.done, timeout=40)
    finish(bridged, said)
    assert "{'go': 1}" in running.text()


@pytest.mark.skipif(IPYKERNEL < (7, 4), reason="comms wait for an async cell before ipykernel 7.4")
def test_a_comm_during_an_async_cell_holds_nothing_up(bridged: Notebook) -> None:
    """Trap 1: ipykernel 7.4 publishes no status for such a comm, so its idle is not awaited without limit."""
    comm_id = open_comm(bridged)
    running = bridged.execute("import asyncio\nawait asyncio.to_thread(go.wait, 60)\nprint('over', got)")
    bridged.pump(lambda: "busy" in running.states)
    say(bridged, comm_id, {"first": 1})
    say(bridged, comm_id, {"go": 1})
    bridged.pump(lambda: running.done, timeout=40)
    assert "first" in running.text() and "{'go': 1}" in running.text()
    assert bridged.must("1 + 1").result == "2"


@pytest.mark.skipif(IPYKERNEL < (7, 0), reason="no subshells before ipykernel 7")
def test_cells_run_on_a_subshell_too(bridged: Notebook) -> None:
    """Trap 1: a cell on a subshell runs beside the main one, there as well."""
    subshell = create_subshell(bridged)
    bridged.must("import threading\ngo = threading.Event()")
    running = bridged.execute("go.wait(60)")
    bridged.pump(lambda: running.of_type("execute_input"))  # it has its number
    beside = bridged.execute(
        "print(threading.current_thread() is threading.main_thread())\ngo.set()",
        subshell_id=subshell,
    )
    bridged.pump(lambda: running.done and beside.done, timeout=40)
    assert beside.text() == "False\n"
    first, second = (
        cell.of_type("execute_input")[0]["content"]["execution_count"] for cell in (running, beside)
    )
    assert second == first + 1
    assert bridged.ask("list_subshell_request", {}, "control")["subshell_id"] == [subshell]
    assert bridged.ask("delete_subshell_request", {"subshell_id": subshell}, "control")["status"] == "ok"
    assert bridged.must("1 + 1").result == "2"


def test_comm_info_lists_the_comms_of_both_kernels(bridged: Notebook) -> None:
    """Trap 7."""
    there = open_comm(bridged)
    opened = bridged.must("%%local\nfrom comm import create_comm\nmine = create_comm(target_name='at.home')")
    here = opened.of_type("comm_open")[0]["content"]["comm_id"]
    both = bridged.ask("comm_info_request", {})["comms"]
    assert both[there] == {"target_name": "test.target"} and both[here] == {"target_name": "at.home"}
    only = bridged.ask("comm_info_request", {"target_name": "test.target"})["comms"]
    assert there in only and here not in only


def test_a_comm_message_reaches_the_kernel_that_owns_the_comm(bridged: Notebook) -> None:
    """Trap 7."""
    there = open_comm(bridged)
    opened = bridged.must("%%local\n" + OPEN)
    here = opened.of_type("comm_open")[0]["content"]["comm_id"]
    for comm_id in (here, there, here):
        said = say(bridged, comm_id, {"to": comm_id})
        bridged.pump(lambda said=said: "idle" in said.states)
    assert bridged.value("[data['to'] for data, _ in got]") == [there]
    assert eval(bridged.must("%%local\nprint([data['to'] for data, _ in got])").text()) == [here, here]


def test_a_comm_the_front_end_opens_is_the_remote_kernels(bridged: Notebook) -> None:
    """Trap 7: ``comm_open`` from the front-end, then a message on it, then its end."""
    bridged.must(TARGET)
    content = {"comm_id": "abc", "target_name": "front.end", "data": {}}
    finish(bridged, follow(bridged, bridged.send("comm_open", content)))
    finish(bridged, say(bridged, "abc", {"n": 5}))
    finish(bridged, follow(bridged, bridged.send("comm_close", {"comm_id": "abc", "data": {}})))
    assert bridged.value("heard") == ["open", {"n": 5}, "close"]


def test_every_comm_message_gets_its_busy_and_idle(bridged: Notebook) -> None:
    """A slider that is dragged: the front-end sends the next change when the one before it is idle."""
    comm_id = open_comm(bridged)
    count = 200  # often enough to meet the instant between the end of one handler and of ipykernel's lock
    cells = [say(bridged, comm_id, {"n": number}) for number in range(count)]
    for cell in cells:
        finish(bridged, cell)
        assert sorted(cell.states) == ["busy", "idle"], cell
    assert bridged.value("[data['n'] for data, _ in got]") == list(range(count))


def test_ctrl_c_while_a_widget_callback_runs_is_no_crash(bridged: Notebook, flag: Path) -> None:
    """Trap 3: the handler of a comm waits as well, and an interrupt must not end the event loop."""
    bridged.must(
        TARGET
        + f"def slow(message):\n    open({str(flag)!r}, 'w').close()\n"
        + indent(UNTIL_INTERRUPTED, " " * 4)
        + "def target(comm, message):\n    comm.on_msg(slow)\n"
        + "get_comm_manager().register_target('slow.end', target)"
    )
    finish(
        bridged,
        follow(bridged, bridged.send("comm_open", {"comm_id": "s", "target_name": "slow.end", "data": {}})),
    )
    said = say(bridged, "s", {})
    bridged.pump(flag.exists)
    bridged.interrupt()
    finish(bridged, said)
    assert bridged.must("1 + 1").result == "2"


def test_an_unknown_target_is_closed_by_the_remote_kernel(bridged: Notebook) -> None:
    msg_id = bridged.send("comm_open", {"comm_id": "xyz", "target_name": "nobody.knows", "data": {}})
    cell = bridged.cells[msg_id] = Cell(msg_id)
    bridged.pump(lambda: "idle" in cell.states)
    assert cell.of_type("comm_close")[0]["content"]["comm_id"] == "xyz"


@pytest.mark.parametrize("ending", ["%gpu_release", "%gpu_restart"])
def test_comms_without_an_owner_are_closed(bridged: Notebook, ending: str) -> None:
    """Trap 7: the front-end learns that its widgets are dead, and later messages disturb nobody."""
    comm_id = open_comm(bridged)
    ended = bridged.must(ending)
    closed = [
        message["content"]["comm_id"]
        for message in [*bridged.stray, *ended.outputs]
        if message["msg_type"] == "comm_close"
    ]
    assert closed == [comm_id]
    assert comm_id not in bridged.ask("comm_info_request", {})["comms"]
