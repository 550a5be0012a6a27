"""``%gpu_provision`` goes wrong half-way: a sentence, advice that works, and nothing is left."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.kernel_magics.bridge.notebook_driver import Cell, Notebook
from tests.waiting import Gate, wait_for


def begin(notebook: Notebook, words: str) -> Cell:
    """Begin ``%gpu_provision`` and wait until it shows that it has come so far."""
    cell = notebook.execute("%gpu_provision cpu")
    notebook.pump(lambda: words in cell.all_text or cell.done, 60, cell)
    return cell


def states(home: dict[str, str]) -> list[str]:
    leases = Path(home["TRACKSIDE_DIR"], "leases").glob("*.json")
    return [json.loads(path.read_text())["state"] for path in leases]


def agents(home: dict[str, str]) -> list[Path]:
    return list(Path(home["XDG_CACHE_HOME"], "trackside", "agents").glob("*"))


@pytest.mark.parametrize("words", ["Starting a kernel", "Python 3"])
def test_ctrl_c_gives_everything_back_without_a_frame_of_ours(
    notebook: Notebook, home: dict[str, str], words: str
) -> None:
    cell = begin(notebook, words)
    notebook.interrupt()
    notebook.pump(lambda: cell.done, 60, cell)
    assert cell.status == "error", "it was interrupted in time"
    assert "Interrupted; what was rented has been given back." in cell.error
    assert "Traceback" not in cell.error and ".py" not in cell.error
    assert states(home) == ["released"]
    wait_for(lambda: not agents(home), "the agent's folder is removed")
    if words == "Starting a kernel":  # nobody has held it yet
        assert list(Path(home["TRACKSIDE_DIR"], "kernels").iterdir()) == []


def test_an_agent_killed_meanwhile_leaves_advice_that_works_and_no_stray_word(
    notebook: Notebook, home: dict[str, str]
) -> None:
    cell = begin(notebook, "Python 3")
    [folder] = agents(home)
    os.kill(json.loads((folder / "agent.json").read_text())["pid"], signal.SIGKILL)
    notebook.pump(lambda: cell.done, 60, cell)
    assert cell.status == "error", "it died in time"
    assert cell.error.endswith("Try: %gpu_provision cpu") and ".py" not in cell.error
    assert notebook.must("print('here')").all_text == "here\n"
    notebook.must("%gpu_provision cpu")


INTERRUPTED_WITHIN = """
import os, signal
from kernel_magics.magics import provision_joining as joining
facts = joining.static_facts
def interrupted(*about):
    os.kill(os.getpid(), signal.SIGINT)
    return facts(*about)
joining.static_facts = interrupted
"""


def test_ctrl_c_between_two_steps_of_joining_leaves_no_lease_held(
    notebook: Notebook, home: dict[str, str]
) -> None:
    notebook.must(INTERRUPTED_WITHIN)
    cell = notebook.run("%gpu_provision cpu", timeout=120)
    assert "Interrupted; what was rented has been given back." in cell.error
    assert states(home) == ["released"]
    assert not agents(home), "all it had said is here, so nothing is left over there"
    notebook.must("joining.static_facts = facts")
    notebook.must("%gpu_provision cpu", timeout=120)


def test_a_kernel_that_does_not_answer_is_a_sentence_and_can_be_attached_to_later(
    bridged: Notebook, home: dict[str, str]
) -> None:
    there = bridged.value("__import__('os').getpid()")
    os.kill(there, signal.SIGSTOP)
    try:
        bridged.kill()
        bridged.manager.restart_kernel(now=True)
        bridged.connect()
        bridged.must("%load_ext kernel_magics")
        bridged.must("from kernel_magics.magics import provision_joining as j; j._READY_LIMIT_S = 2.0")
        cell = bridged.run("%gpu_attach")
        assert "does not answer" in cell.error and cell.error.endswith("Try: %gpu_attach cpu")
        assert ".py" not in cell.error
        assert states(home) == ["ready"], "what runs there is not given back"
    finally:
        os.kill(there, signal.SIGCONT)
    bridged.must("%gpu_attach", timeout=60)
    assert bridged.value("__import__('os').getpid()") == there


SLOW_TO_FETCH = """
from gpu_provisioner.holder import Holder
fetch = Holder.release
def slowly(self, *by):
    GATE
    return fetch(self, *by)
Holder.release = slowly
"""


def test_who_attaches_while_the_rest_is_fetched_is_told_what_is_waited_for(
    notebook: Notebook, home: dict[str, str], gate: Gate
) -> None:
    notebook.must(SLOW_TO_FETCH.replace("GATE", gate.wait))
    notebook.must("%gpu_provision cpu", timeout=120)
    [folder] = agents(home)
    os.kill(json.loads((folder / "agent.json").read_text())["pid"], signal.SIGKILL)
    notebook.run("print('where')")  # ends when its death is known
    attach = notebook.execute("%gpu_attach")
    notebook.pump(lambda: "Waiting until what it left there is here" in attach.text(), 60, attach)
    assert "is gone." in attach.text() and not attach.done
    gate.open()
    notebook.pump(lambda: attach.done, 60, attach)
    assert attach.status == "error" and "is lost since" in attach.error
    assert states(home) == ["lost"]


def test_a_lost_agent_is_told_in_whole_sentences(bridged: Notebook, home: dict[str, str]) -> None:
    [folder] = agents(home)
    facts = json.loads((folder / "agent.json").read_text())
    os.kill(facts["pid"], signal.SIGKILL)
    cell = bridged.run("print('where')")
    following = bridged.run("1")
    for text in (cell.all_text, following.all_text):
        assert ". the agent" not in text and "with it Cells" not in text and ".." not in text
