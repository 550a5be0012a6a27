"""A kernel behind an agent behaves as if it were here."""

from __future__ import annotations

import json
import os

import psutil
import pytest

from gpu_provisioner import wire
from gpu_provisioner.errors import LeaseError
from gpu_provisioner.holder import Holder
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import LeaseState
from gpu_provisioner.provisioner import refresh, release
from tests.gpu_provisioner.front import Lab, Place
from tests.waiting import Gate, wait_for


def test_a_cell_gives_its_outputs_its_result_and_its_reply(lab: Lab) -> None:
    cell = lab.kernel().execute("print('hello'); import sys; print('oops', file=sys.stderr); 6 * 7", count=11)
    assert cell.reply is not None
    assert (cell.reply["status"], cell.reply["execution_count"]) == ("ok", 11)
    assert "hello" in cell.text and "oops" in cell.text
    results = [content for kind, content in cell.outputs if kind == "execute_result"]
    assert results[0]["data"]["text/plain"] == "42"


def test_an_error_comes_home_as_an_error(lab: Lab) -> None:
    cell = lab.kernel().execute("1 / 0")
    assert cell.reply is not None and cell.reply["ename"] == "ZeroDivisionError"
    assert [content["ename"] for kind, content in cell.outputs if kind == "error"] == ["ZeroDivisionError"]


def test_input_is_asked_and_answered(lab: Lab) -> None:
    front = lab.kernel()
    cell = front.begin("name = input('who? '); print('hi', name)")
    front.wait(lambda: front.questions, "a question")
    assert front.questions[0]["prompt"] == "who? "
    front.send(wire.STDIN, "input_reply", {"value": "Ada", "status": "ok"})
    assert "hi Ada" in front.finish(cell).text


def test_an_interrupt_ends_the_cell_and_what_it_started(lab: Lab) -> None:
    front = lab.kernel()
    cell = front.begin("import subprocess; print('up', flush=True); subprocess.run(['sleep', '600'])")
    front.wait(lambda: "up" in front.cells[cell].text if cell in front.cells else False, "the cell runs")
    front.holder.command("interrupt")
    reply = front.finish(cell).reply
    assert reply is not None and reply["ename"] == "KeyboardInterrupt"
    assert "still here" in front.execute("print('still here')").text


def test_variables_stay_from_cell_to_cell_and_go_with_a_restart(lab: Lab) -> None:
    front = lab.kernel()
    front.execute("x = 41")
    assert "42" in front.execute("print(x + 1)", 2).text
    first = front.holder.epoch
    front.holder.command("restart", by="test")
    died = front.wait_event("kernel-died")
    assert (died["epoch"], died["reason"]) == (first, "restarted")
    front.wait(lambda: front.holder.epoch == first + 1, "a new epoch")
    cell = front.execute("print('x' in dir())", 3)
    assert "False" in cell.text
    assert front.holder.state == "up"


def test_a_busy_kernel_is_restarted_all_the_same(lab: Lab) -> None:
    front = lab.kernel()
    stubborn = "import signal\nfor n in (signal.SIGINT, signal.SIGTERM): signal.signal(n, signal.SIG_IGN)"
    cell = front.begin(f"{stubborn}\nprint('up', flush=True)\nwhile True: pass")
    front.wait(lambda: "up" in front.cells[cell].text if cell in front.cells else False, "the cell runs")
    front.holder.command("restart", by="test")
    front.wait(
        lambda: sum(event["type"] == "kernel-started" for event in front.events) == 2, "a second kernel"
    )
    assert "alive" in front.execute("print('alive')").text


def test_binary_buffers_come_home_unchanged(lab: Lab) -> None:
    front = lab.kernel()
    data = "bytes(range(256)) * 400"
    front.execute(
        "from IPython import get_ipython\n"
        "k = get_ipython().kernel\n"
        "content = {'data': {}, 'metadata': {}}\n"
        f"k.session.send(k.iopub_socket, 'display_data', content, buffers=[{data}])"
    )
    stream = b"".join(_home_bytes(front.holder))
    assert bytes(range(256)) * 400 in stream


def _home_bytes(holder: Holder) -> list[bytes]:
    return [(holder.data_dir / "kernels" / holder.lease.id / "stream").read_bytes()]


def test_the_kernel_runs_in_the_folder_of_the_notebook_with_its_environment(lab: Lab, place: Place) -> None:
    front = lab.kernel(env={"MY_SETTING": "7"})
    cell = front.execute(
        "import os; print(os.getcwd()); print(os.environ['MY_SETTING'], os.environ['TRACKSIDE_ROLE'])"
    )
    assert str(place.root / "work") in cell.text
    assert "7 remote" in cell.text


def test_a_python_file_in_the_working_folder_does_not_shadow_what_the_kernel_needs(
    lab: Lab, place: Place
) -> None:
    for name in ("random", "json", "main", "files", "zmq"):
        (place.root / "work" / f"{name}.py").write_text("raise SystemExit('shadowed')")
    assert "fine" in lab.kernel().execute("print('fine')").text


def test_what_the_kernel_starts_finds_the_payload(lab: Lab) -> None:
    code = (
        "import subprocess, sys\n"
        "command = [sys.executable, '-c', 'import gpu_provisioner.wire as w; print(w.__file__)']\n"
        "print(subprocess.run(command, capture_output=True, text=True).stdout)"
    )
    assert "/payload/" in lab.kernel().execute(code).text


def test_counting_from_one_again_says_nothing_on_stdout(lab: Lab) -> None:
    front = lab.kernel()
    for count in (1, 2, 3, 1, 2, 3, 3):
        assert front.execute(f"print('cell {count}')", count).text == f"cell {count}\n"
    assert front.execute("pass", 4).text == ""


def test_release_leaves_no_process_no_socket_and_no_folder(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    front.execute("import subprocess; subprocess.Popen(['sleep', '600'])")
    released = front.holder.release("me")
    assert (released.state, released.detail) == (LeaseState.RELEASED, "released by me")
    assert front.states[-1] == "released"
    wait_for(lambda: not place.processes(), "no process")
    assert list(place.agents.iterdir()) == []
    assert list(place.runtime.iterdir()) == []


def test_release_from_elsewhere_while_a_notebook_holds_the_lease(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    front.execute("print('before')")
    assert release(front.holder.lease, place.data, "the server").state == LeaseState.RELEASED
    front.wait(lambda: front.holder.state == "released", "the holder learns of it")
    assert front.wait_event("stopping")["by"] == "the server"
    assert front.wait_event("kernel-died")["reason"] == "released by the server"
    assert list(place.agents.iterdir()) == []


def test_release_of_a_lease_nobody_holds_brings_the_rest_home_first(
    lab: Lab, place: Place, gate: Gate
) -> None:
    front = lab.kernel()
    front.begin(f"{gate.wait}\nprint('said while nobody listened')")
    front.wait(lambda: front.cells, "it has begun")
    front.holder.detach()
    gate.open()
    facts = lab.agent_facts(front)
    spool = place.agents / front.holder.lease.id / "spool"
    wait_for(
        lambda: any(b"nobody listened\\n" in path.read_bytes() for path in spool.iterdir()), "it is said"
    )
    release(front.holder.lease, place.data, "the command line")
    assert b"said while nobody listened\\n" in _home_bytes(front.holder)[0]
    assert not psutil.pid_exists(facts["kernel"])


def test_releasing_twice_is_releasing_once(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    front.holder.release("me")
    again = release(front.holder.lease, place.data, "the server")
    assert again.detail == "released by me"


def test_a_second_holder_is_told_who_holds_the_lease(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    with pytest.raises(LeaseError, match=f"held by process {os.getpid()}"):
        Holder(front.holder.lease, place.data)
    front.holder.detach()
    second = lab.front(front.holder.lease)
    assert "again" in second.execute("print('again')").text


def test_a_kernel_that_was_let_go_keeps_its_variables_for_the_next_holder(lab: Lab) -> None:
    first = lab.kernel()
    first.execute("kept = 'treasure'")
    first.holder.detach()
    assert first.states[-1] == "detached"
    second = lab.front(first.holder.lease)
    assert "treasure" in second.execute("print(kept)").text
    assert not any("treasure" in cell.text for cell in first.cells.values())


def test_a_request_for_a_kernel_that_died_meanwhile_is_not_run_by_the_next(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    old = front.holder.epoch
    front.holder.command("restart", by="test")
    front.wait(lambda: front.holder.epoch == old + 1, "a new epoch")
    header = {
        "msg_id": "stale",
        "msg_type": "execute_request",
        "session": "t",
        "username": "t",
        "date": "",
        "version": "5.3",
    }
    content = {"code": "open('ran', 'w')", "silent": False}
    front.holder.epoch = old
    front.holder.post(wire.SHELL, [wire.to_json(header), b"{}", b"{}", wire.to_json(content)])
    front.holder.epoch = old + 1
    front.execute("pass")
    assert not (place.root / "work" / "ran").exists()


def test_lease_files_and_everything_else_are_private(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    front.execute("print('x')")
    book = LeaseBook(place.data)
    assert [lease.state for lease in refresh(book)] == [LeaseState.READY]
    folders = (place.data, place.agents, place.runtime)
    seen = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    loose = [
        str(path)
        for path in seen
        if path.lstat().st_mode & 0o077 and not path.is_socket() and path != place.data
    ]
    sockets = [path for path in seen if path.is_socket()]
    assert sockets
    assert loose == []


def test_no_tcp_port_is_opened(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    front.execute("pass")
    listening = [
        connection
        for process in place.processes()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == []


def test_a_forked_child_can_print(lab: Lab) -> None:
    cell = lab.kernel().execute(
        "import multiprocessing as m\n"
        "def work(): print('from the child', flush=True)\n"
        "child = m.get_context('fork').Process(target=work); child.start(); child.join()"
    )
    assert "from the child" in cell.text


def test_no_environment_value_shows_in_arguments_or_lease(
    lab: Lab, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "s3cr3t-value")
    front = lab.kernel()
    assert "s3cr3t-value" in front.execute("import os; print(os.environ['WANDB_API_KEY'])").text
    assert not any("s3cr3t-value" in part for process in place.processes() for part in process.cmdline())
    written = [place.data / "leases" / f"{front.holder.lease.id}.json"]
    written += [path for path in (place.agents / front.holder.lease.id).iterdir() if path.is_file()]
    assert not any(b"s3cr3t-value" in path.read_bytes() for path in written)


def test_a_journal_written_by_a_cell_is_home_before_the_cells_answer(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    cell = front.execute(
        "import os, pathlib\n"
        "run = pathlib.Path(os.environ['TRACKSIDE_DIR']) / 'runs' / '20261122-141503-k3f9qz'\n"
        "run.mkdir(parents=True)\n"
        "journal = (run / 'w1.journal').open('wb', buffering=0)\n"
        "written = os.urandom(3_000_000); journal.write(written)\n"
        "import hashlib; print(hashlib.sha256(written).hexdigest())"
    )
    import hashlib

    home = place.data / "runs" / "20261122-141503-k3f9qz" / "w1.journal"
    assert hashlib.sha256(home.read_bytes()).hexdigest() == cell.text.strip()
    front.execute("_ = journal.write(b'one more point')", 2)
    assert home.read_bytes().endswith(b"one more point")


def test_a_journal_that_grows_while_no_cell_runs_comes_home_by_itself(
    lab: Lab, place: Place, gate: Gate
) -> None:
    front = lab.kernel()
    front.execute(
        "import os, pathlib, threading\n"
        "run = pathlib.Path(os.environ['TRACKSIDE_DIR']) / 'runs' / 'r1'\n"
        "run.mkdir(parents=True)\n"
        "def later():\n"
        f"    {gate.wait}\n"
        "    (run / 'rank1.journal').write_bytes(b'from a thread')\n"
        "threading.Thread(target=later).start()"
    )
    gate.open()
    home = place.data / "runs" / "r1" / "rank1.journal"
    wait_for(lambda: home.exists() and home.read_bytes() == b"from a thread", "the journal is home")


def test_a_large_blob_comes_home_whole_under_its_digest(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    cell = front.execute(
        "import hashlib, os, pathlib\n"
        "blobs = pathlib.Path(os.environ['TRACKSIDE_DIR']) / 'blobs'; blobs.mkdir()\n"
        "data = os.urandom(1 << 20) * 30; digest = hashlib.sha256(data).hexdigest()\n"
        "(blobs / '.part').write_bytes(data); (blobs / '.part').rename(blobs / digest); print(digest)"
    )
    home = place.data / "blobs" / cell.text.strip()
    wait_for(home.exists, "the blob is home")
    assert home.stat().st_size == 30 << 20


def test_the_lease_says_what_was_got(lab: Lab, place: Place) -> None:
    lease = lab.provision()
    data = json.loads((place.data / "leases" / f"{lease.id}.json").read_text())
    assert (data["device"], data["state"], data["spec"], data["name"]) == ("cpu", "ready", "cpu", "cpu")
    assert data["machine"] and data["usd_per_hour"] is None
    second = lab.provision()
    assert second.name == "cpu-2"
    for each in (lease, second):
        release(each, place.data, "the test")
