"""The line to the machine breaks, again and again: nothing is lost, nothing runs twice."""

from __future__ import annotations

import contextlib
import random
import re
from pathlib import Path

import psutil

from gpu_provisioner.stub import LOADER
from tests.kernel_magics.bridge.notebook_driver import Cell, Notebook
from tests.waiting import UNTIL_INTERRUPTED, Gate, Turnstile, wait_for


def carrier_of(notebook: Notebook) -> psutil.Process | None:
    """The process that is the line: the notebook's child that runs our loader."""
    for child in psutil.Process(notebook.pid).children():
        with contextlib.suppress(psutil.Error):
            if child.status() != psutil.STATUS_ZOMBIE and LOADER in child.cmdline():
                return child
    return None


def break_line(notebook: Notebook) -> None:
    carrier = wait_for(lambda: carrier_of(notebook), what="there is a line")
    with contextlib.suppress(psutil.Error):
        carrier.kill()


def test_twenty_broken_lines_during_one_cell(bridged: Notebook, tmp_path: Path, turnstile: Turnstile) -> None:
    """Every print, every display and every prompt arrives once and in order, and the cell runs once."""
    counter, steps, breaks = tmp_path / "ran", 400, 20
    cell = bridged.execute(
        "from IPython.display import publish_display_data as show\n"
        f"with open({str(counter)!r}, 'a') as file: file.write('ran\\n')\n"
        f"{turnstile.ready}\nfor step in range({steps}):\n"
        f"    if step % {steps // breaks} == 0: {turnstile.step}\n"
        "    print('line', step, flush=True)\n"
        "    show({'text/plain': str(step)})\n"
        "    if step % 100 == 50: assert input(f'prompt {step}? ') == f'answer {step}'\n"
        "step"
    )

    def shown() -> int:
        return len(cell.of_type("display_data"))

    def answer(prompt: dict[str, str]) -> str:
        return f"answer {re.sub(r'[^0-9]', '', prompt['prompt'])}"

    for number in range(breaks):
        turnstile.let()
        seen = number * steps // breaks + random.randrange(steps // breaks)
        bridged.pump(lambda seen=seen: shown() > seen, 60, cell, answer)
        break_line(bridged)
    bridged.pump(lambda: cell.done, 120, cell, answer)
    assert counter.read_text() == "ran\n"
    assert cell.text() == "".join(f"line {step}\n" for step in range(steps))
    assert [message["content"]["data"]["text/plain"] for message in cell.of_type("display_data")] == [
        str(step) for step in range(steps)
    ]
    assert [prompt["prompt"] for prompt in cell.prompts] == [
        f"prompt {step}? " for step in (50, 150, 250, 350)
    ]
    assert cell.result == str(steps - 1)


def test_comm_buffers_going_up_survive_broken_lines(bridged: Notebook) -> None:
    bridged.must(
        "from comm import create_comm\nimport hashlib\ngot = []\ncomm = create_comm(target_name='up')\n"
        "digest = lambda m: hashlib.sha1(m['buffers'][0]).hexdigest()[:6]\n"
        "comm.on_msg(lambda m: got.append((m['content']['data'], digest(m))))"
    )
    (opened,) = [cell for cell in bridged.cells.values() if cell.of_type("comm_open")]
    comm_id = opened.of_type("comm_open")[0]["content"]["comm_id"]
    sent: list[Cell] = []
    for number in range(30):
        content = {"comm_id": comm_id, "data": number}
        msg_id = bridged.send("comm_msg", content, buffers=[bytes([number]) * 200_000])
        bridged.cells[msg_id] = Cell(msg_id)
        sent.append(bridged.cells[msg_id])
        if number % 6 == 3:
            break_line(bridged)
    bridged.pump(lambda: all("idle" in cell.states for cell in sent), 120)
    import hashlib

    expected = [(n, hashlib.sha1(bytes([n]) * 200_000).hexdigest()[:6]) for n in range(30)]
    assert bridged.value("got") == expected


def test_an_interrupt_while_the_line_is_dead_arrives_later(bridged: Notebook) -> None:
    cell = bridged.execute("print('begun', flush=True)\n" + UNTIL_INTERRUPTED)
    bridged.pump(lambda: "begun" in cell.text())
    break_line(bridged)
    bridged.interrupt()
    bridged.pump(lambda: cell.done, 60)
    assert cell.reply["content"]["ename"] == "KeyboardInterrupt"


def test_a_broken_line_is_said_and_unsaid(bridged: Notebook, gate: Gate) -> None:
    """One line appears in the running cell, and goes; the cell waits."""
    agent = psutil.Process(bridged.value("__import__('os').getpid()")).parent()
    cell = bridged.execute(f"print('begun', flush=True)\n{gate.wait}\n'done'")
    bridged.pump(lambda: "begun" in cell.text())
    agent.suspend()  # nobody answers a new line
    try:
        break_line(bridged)
        bridged.pump(lambda: cell.of_type("display_data"), 60)
    finally:
        agent.resume()
    (notice,) = cell.of_type("display_data")
    assert "No line to cpu" in notice["content"]["data"]["text/plain"]
    bridged.pump(lambda: cell.of_type("update_display_data"), 60)
    (gone,) = cell.of_type("update_display_data")
    assert gone["content"]["transient"] == notice["content"]["transient"]
    assert gone["content"]["data"]["text/plain"] == ""
    gate.open()
    bridged.pump(lambda: cell.done, 60)
    assert cell.result == "'done'"


def test_questions_are_answered_from_here_while_the_line_is_down(bridged: Notebook) -> None:
    """Control and the main shell take one message at a time: a question that waits holds up the rest."""
    agent = psutil.Process(bridged.value("__import__('os').getpid()")).parent()
    status = "%gpu_status"
    agent.suspend()
    try:
        break_line(bridged)
        bridged.pump(lambda: "No line" in bridged.run(status).all_text, 60)
        assert bridged.ask("usage_request", {}, "control")["pid"] == bridged.pid
        assert bridged.ask("is_complete_request", {"code": "for x in y:"})["status"] == "incomplete"
        assert bridged.ask("complete_request", {"code": "impor", "cursor_pos": 5})["status"] == "ok"
        refused = bridged.ask(
            "debug_request", {"type": "request", "command": "debugInfo", "seq": 1}, "control"
        )
        assert refused["success"] is False and "line" in refused["message"]
        assert bridged.must("%%local\n1 + 1").result == "2"
    finally:
        agent.resume()
    assert bridged.must("1 + 1").result == "2"
