"""Kernels and agents that die: it is said how, what there was is kept, and nothing stays behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from gpu_provisioner import wire
from gpu_provisioner.agent.death import explain
from gpu_provisioner.agent.leftover import end_leftover
from gpu_provisioner.agent.places import process_birth
from gpu_provisioner.errors import BootstrapError
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import LeaseState
from gpu_provisioner.provisioner import refresh, release
from tests.gpu_provisioner.front import Front, Lab, Place
from tests.waiting import UNTIL_KILLED, Gate, wait_for

RUN = """
import os, pathlib
run = pathlib.Path(os.environ['TRACKSIDE_DIR']) / 'runs' / 'r1'
run.mkdir(parents=True)
journal = (run / 'w1.journal').open('wb', buffering=0)
"""


def begin(front: Front, code: str) -> str:
    """Begin a cell and wait until it has said 'up'."""
    cell = front.begin(f"print('up', flush=True)\n{code}")
    front.wait(lambda: cell in front.cells and "up" in front.cells[cell].text, "the cell runs")
    return cell


def test_a_kernel_killed_by_the_system_is_named_and_followed_by_a_fresh_one(lab: Lab) -> None:
    front = lab.kernel()
    begin(front, UNTIL_KILLED)
    os.kill(lab.agent_facts(front)["kernel"], signal.SIGKILL)
    died = front.wait_event("kernel-died")
    assert (died["epoch"], died["returncode"], died["signal"]) == (1, -9, 9)
    assert died["reason"] == "killed by signal 9 (SIGKILL): kill -9 or out of memory"
    front.wait(
        lambda: front.events[-1] == {**front.events[-1], "type": "kernel-started", "epoch": 2}, "epoch 2"
    )
    assert "alive" in front.execute("print('alive')").text
    assert front.states.count("down") == 0


def test_a_segmentation_fault_is_called_one(lab: Lab) -> None:
    front = lab.kernel()
    front.begin("import ctypes; ctypes.string_at(0)")
    died = front.wait_event("kernel-died")
    assert died["signal"] == signal.SIGSEGV
    assert died["reason"].startswith("killed by signal 11 (SIGSEGV): a segmentation fault")
    assert "alive" in front.execute("print('alive')", timeout=30).text


def test_a_kernel_that_exits_by_itself_says_with_what_code(lab: Lab) -> None:
    front = lab.kernel()
    front.begin("import os; os._exit(3)")
    died = front.wait_event("kernel-died")
    assert (died["returncode"], died["signal"]) == (3, None)
    assert died["reason"] == "it ended by itself with exit code 3", "ipykernel's greeting is no reason"


def test_everything_said_and_logged_before_a_kernels_death_is_home(
    lab: Lab, place: Place, gate: Gate
) -> None:
    front = lab.kernel()
    cell = front.begin(
        RUN + "journal.write(b'p' * 5_000_000)\n"
        f"print('last words', flush=True)\n{gate.wait}\nimport signal; os.kill(os.getpid(), signal.SIGKILL)"
    )
    front.wait(lambda: cell in front.cells and "last words" in front.cells[cell].text, "its last words")
    gate.open()
    front.wait_event("kernel-died")
    assert "last words" in front.cells[cell].text
    assert (place.data / "runs" / "r1" / "w1.journal").stat().st_size == 5_000_000


def test_a_run_whose_kernel_was_killed_gets_its_last_word_from_the_agent(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    cell = front.execute(
        "import kernel_magics as km\nrun = km.init(project='p'); run.log({'a': 1}); print('id', run.id)"
    )
    folder = place.data / "runs" / cell.text.split("id ")[1].split()[0]
    os.kill(lab.agent_facts(front)["kernel"], signal.SIGKILL)
    front.wait_event("kernel-died")
    assert any(b"killed by signal 9 (SIGKILL)" in path.read_bytes() for path in folder.glob("*.journal"))


def test_a_dead_kernels_children_end_with_it(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    cell = front.execute("import subprocess; print(subprocess.Popen(['sleep', '600']).pid)")
    os.kill(lab.agent_facts(front)["kernel"], signal.SIGKILL)
    front.wait_event("kernel-died")
    wait_for(lambda: not psutil.pid_exists(int(cell.text)), "the child has ended")


def test_a_kernel_that_cannot_start_says_why_instead_of_being_started_for_ever(
    lab: Lab, place: Place
) -> None:
    startup = place.root / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("import os; os._exit(7)")
    lease = lab.provision()
    front = lab.front(lease, start=False)
    with pytest.raises(BootstrapError, match="exit code 7"):
        front.holder.start(60)
    front.wait(lambda: [event["type"] for event in front.events].count("kernel-died") == 2, "two tries")
    assert "not tried again" in front.wait_event("notice")["text"]
    (startup / "00.py").unlink()
    front.holder.command("restart", by="test")
    front.wait_event("kernel-started")
    assert "mended" in front.execute("print('mended')").text


def test_a_killed_agent_takes_its_kernel_along_and_the_holder_is_told(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    cell = begin(front, RUN + "journal.write(b'q' * 3_000_000)\nprint('kept')\n" + UNTIL_KILLED)
    front.wait(lambda: "kept" in front.cells[cell].text, "its output")
    facts = lab.agent_facts(front)
    os.kill(facts["pid"], signal.SIGKILL)
    died = front.wait_event("agent-died")
    assert "killed by signal 9" in died["reason"]
    assert front.wait_event("kernel-died")["epoch"] == 1
    front.wait(lambda: front.holder.state == "gone", "the holder gives up")
    assert (place.data / "runs" / "r1" / "w1.journal").read_bytes() == b"q" * 3_000_000
    lease = LeaseBook(place.data).load(front.holder.lease.id)
    assert lease.state == LeaseState.LOST and "killed by signal 9" in lease.detail
    wait_for(lambda: not place.processes(), "no process is left")
    assert list(place.agents.iterdir()) == []


def test_what_a_killed_agent_had_not_sent_comes_home_all_the_same(lab: Lab, place: Place, gate: Gate) -> None:
    front = lab.kernel()
    cell = front.begin(f"{gate.wait}\nprint('said to nobody')")
    front.wait(lambda: front.cells, "it has begun")
    front.holder.detach()
    gate.open()
    spool = place.agents / front.holder.lease.id / "spool"
    wait_for(lambda: any(b"said to nobody\\n" in path.read_bytes() for path in spool.iterdir()), "it is said")
    os.kill(lab.agent_facts(front)["pid"], signal.SIGKILL)
    wait_for(lambda: not place.processes(), "agent and kernel have ended")
    heir = lab.front(front.holder.lease, start=False)
    with pytest.raises(BootstrapError, match="killed by signal 9"):
        heir.holder.start(60)
    assert "said to nobody" in heir.cells[cell].text
    heir.wait(lambda: heir.holder.state == "gone", "the holder gives up")


def test_a_stubborn_kernel_does_not_outlive_its_killed_agent(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    begin(front, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass")
    facts = lab.agent_facts(front)
    os.kill(facts["pid"], signal.SIGKILL)
    wait_for(lambda: not psutil.pid_exists(facts["kernel"]), "the kernel has ended")


def successors(agent: psutil.Process) -> list[psutil.Process]:
    """Living supervisors that the agent has started itself."""
    found = []
    for child in agent.children():
        try:
            if "stand_in" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:  # it has just ended
            continue
    return found


def test_a_killed_supervisor_is_replaced_and_its_successor_ends_the_kernel_of_a_killed_agent(
    lab: Lab, place: Place
) -> None:
    front = lab.kernel()
    facts = lab.agent_facts(front)
    agent = psutil.Process(facts["pid"])
    os.kill(agent.ppid(), signal.SIGKILL)
    [first] = wait_for(lambda: successors(agent), "another supervisor is there")
    first.kill()
    wait_for(lambda: any(one.pid != first.pid for one in successors(agent)), "and another one")
    assert "fine" in front.execute("print('fine')").text
    begin(front, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: pass")
    agent.kill()
    died = front.wait_event("agent-died")
    assert "killed, nobody saw how" in died["reason"]
    assert process_birth(facts["kernel"]) is None
    front.wait(lambda: front.holder.state == "gone", "the holder gives up")


def test_a_successor_leaves_with_its_agent_and_says_nothing(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    agent = psutil.Process(lab.agent_facts(front)["pid"])
    os.kill(agent.ppid(), signal.SIGKILL)
    wait_for(lambda: successors(agent), "a successor")
    released = front.holder.release("me")
    assert released.detail == "released by me"
    wait_for(lambda: not place.processes(), "nobody is left")
    assert list(place.agents.iterdir()) == []


def kill_both(lab: Lab, front: Front) -> dict[str, Any]:
    """SIGKILL to supervisor and agent; what the agent had written about itself."""
    facts = lab.agent_facts(front)
    for pid in (psutil.Process(facts["pid"]).ppid(), facts["pid"]):
        os.kill(pid, signal.SIGKILL)
    return facts


def test_a_kernel_whose_agent_and_supervisor_were_killed_ends_and_its_run_is_closed(
    lab: Lab, place: Place
) -> None:
    front = lab.kernel()
    cell = begin(
        front,
        "import kernel_magics as km\nrun = km.init(project='p'); run.log({'a': 1}); "
        "print('id', run.id, flush=True)\n" + UNTIL_KILLED,
    )
    front.wait(lambda: "id " in front.cells[cell].text, "the run's id")
    folder = place.data / "runs" / front.cells[cell].text.split("id ")[1].split()[0]
    facts = kill_both(lab, front)
    died = front.wait_event("agent-died")
    assert process_birth(facts["kernel"]) is None
    assert "died (killed together with its supervisor), and its kernel was ended with it" in died["reason"]
    front.wait(lambda: front.holder.state == "gone", "the holder gives up")
    assert any(b'"status":"killed"' in path.read_bytes() for path in folder.glob("*.journal"))


def test_a_stubborn_kernel_and_its_children_do_not_outlive_agent_and_supervisor(
    lab: Lab, place: Place
) -> None:
    """Nobody is attached, so nobody but the kernel itself can end it."""
    front = lab.kernel()
    begin(
        front,
        "import signal, subprocess; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '600'])\n" + UNTIL_KILLED,
    )
    front.holder.detach()
    kill_both(lab, front)
    wait_for(lambda: not place.processes(), "kernel and child have ended", 20)


def test_a_stopped_kernel_left_by_a_killed_agent_and_supervisor_is_ended_by_whoever_comes(
    lab: Lab, place: Place
) -> None:
    """It cannot end itself; its children ignore what it would be told."""
    front = lab.kernel()
    begin(
        front,
        "import signal, subprocess; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '600'])\n" + UNTIL_KILLED,
    )
    wait_for(lambda: "sleep" in [process.name() for process in place.processes()], "its child runs")
    os.kill(lab.agent_facts(front)["kernel"], signal.SIGSTOP)
    kill_both(lab, front)
    front.wait_event("agent-died")
    assert [process.name() for process in place.processes() if "sleep" in process.name()] == []
    front.wait(lambda: front.holder.state == "gone", "the holder gives up")
    wait_for(lambda: not place.processes(), "nothing is left")


def test_children_that_outlived_kernel_agent_and_supervisor_are_ended_by_whoever_comes(
    lab: Lab, place: Place
) -> None:
    front = lab.kernel()
    cell = front.execute(
        "import subprocess, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(subprocess.Popen(['sleep', '600']).pid)"
    )
    facts = lab.agent_facts(front)
    supervisor = psutil.Process(facts["pid"]).ppid()
    for pid in (supervisor, facts["pid"], facts["kernel"]):
        os.kill(pid, signal.SIGKILL)
    front.wait_event("agent-died")
    assert process_birth(int(cell.text)) is None


def test_a_process_that_got_a_dead_kernels_id_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as somebody:
        facts = {"kernel": somebody.pid, "kernel_birth": "another boot-1", "lease": "cpu-1"}
        (tmp_path / "agent.json").write_text(json.dumps(facts))
        end_leftover(tmp_path)
        assert somebody.poll() is None
        facts["kernel_birth"] = str(process_birth(somebody.pid))
        (tmp_path / "agent.json").write_text(json.dumps(facts))
        end_leftover(tmp_path)
        assert somebody.wait(10) == -signal.SIGTERM


def test_an_agent_whose_folder_was_deleted_goes_on_and_says_so(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    shutil.rmtree(place.agents / front.holder.lease.id)
    assert "was deleted" in front.wait_event("notice")["text"]
    assert "alive" in front.execute("print('alive')").text
    front.kill_carrier()
    assert "still" in front.execute("print('still')").text


def test_an_agent_that_vanished_with_its_folder_is_gone(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    facts = lab.agent_facts(front)
    supervisor = psutil.Process(facts["pid"]).ppid()
    for pid in (supervisor, facts["pid"], facts["kernel"]):
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(place.agents / front.holder.lease.id)
    front.wait(lambda: front.holder.state == "gone", "the holder gives up")
    assert front.wait_event("kernel-died")["epoch"] == 1
    assert "no agent" in front.wait_event("agent-died")["reason"]
    assert LeaseBook(place.data).load(front.holder.lease.id).state == LeaseState.LOST


def test_a_lost_lease_is_found_by_whoever_looks(lab: Lab, place: Place) -> None:
    lease = lab.provision()
    facts = wire.from_json((place.agents / lease.id / "agent.json").read_bytes())
    os.kill(facts["pid"], signal.SIGKILL)
    wait_for(lambda: not place.processes(), "agent and kernel have ended")
    book = LeaseBook(place.data)
    [found] = refresh(book)
    assert found.state == LeaseState.LOST
    assert "killed by signal 9" in found.detail and "is here" in found.detail
    release(lease, place.data, "the test")


def test_a_terminated_agent_ends_its_kernel_in_order(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    os.kill(lab.agent_facts(front)["pid"], signal.SIGTERM)
    assert front.wait_event("stopping")["by"] == "SIGTERM"
    front.wait(lambda: front.holder.state == "released", "the holder learns of it")
    wait_for(lambda: not place.processes(), "no process is left")


def test_reasons_are_plain_words() -> None:
    assert explain(-9, "out of memory, …") == "killed by signal 9 (SIGKILL): out of memory, …"
    assert explain(-15) == "killed by signal 15 (SIGTERM): somebody asked it to end"
    assert explain(1) == "it ended by itself with exit code 1"
    assert "nobody saw" in explain(None)
