"""From a bare command to an agent: through noise and missing packages, with a sentence for each."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gpu_provisioner.agent.places import write_private
from gpu_provisioner.errors import BootstrapError, LeaseError, ProvisionError
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.payload import build_payload, pack, travelling_files
from gpu_provisioner.provisioner import refresh
from tests.gpu_provisioner.front import Lab, Place
from tests.waiting import wait_for

LOCAL_ARGV = "gpu_provisioner.providers.local.LocalProvider.carrier_argv"


def through(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let every carrier pass through a shell script, as a login shell might be; "$@" is the command."""
    monkeypatch.setattr(LOCAL_ARGV, lambda self, lease, command: ["/bin/sh", "-c", script, "sh", *command])


def script_python(place: Place, script: str) -> str:
    """A file that calls itself Python."""
    path = place.root / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_noisy_login_does_no_harm(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    through(
        monkeypatch,
        "echo 'Welcome to \033[1mcluster\033[0m'; head -c 100000 /dev/urandom; printf '\\001trackside '; "
        'echo "motd" >&2; exec "$@"',
    )
    assert "through" in lab.kernel().execute("print('through')").text


def test_a_payload_is_sent_once(lab: Lab) -> None:
    lab.kernel()
    lab.kernel()
    assert [stage for stage, _ in lab.progress].count("payload") == 1


def test_a_payload_cached_by_hand_but_gone_is_sent_again(lab: Lab, place: Place) -> None:
    import shutil

    front = lab.kernel()
    for folder in (place.cache / "payload").iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)
    front.kill_carrier()
    assert "again" in front.execute("print('again')").text


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 0", "No Python could be started on the machine."),
        ("echo 'Permission denied (publickey).' >&2; exit 255", "It said: Permission denied (publickey)."),
        ("echo 'Your password has expired'; exit 1", "On stdout: Your password has expired"),
        ("/nonexistent/python", "No Python could be started on the machine."),
    ],
)
def test_a_machine_without_python_is_named_with_what_it_said(
    lab: Lab, place: Place, script: str, said: str
) -> None:
    with pytest.raises(BootstrapError) as failed:
        lab.provision(python=script_python(place, script))
    assert said in failed.value.message
    assert [lease.state for lease in LeaseBook(place.data).all()] == [LeaseState.RELEASED]


def test_a_python_that_is_not_there_is_an_error_not_a_traceback(lab: Lab, place: Place) -> None:
    with pytest.raises(ProvisionError, match="/nonexistent/python3"):
        lab.provision(python="/nonexistent/python3")
    assert LeaseBook(place.data).live() == []


def test_a_python_without_ipykernel_is_told_how_to_get_it(lab: Lab, place: Place) -> None:
    bare = place.root / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(bare)], check=True)
    with pytest.raises(BootstrapError) as failed:
        lab.provision(python=str(bare / "bin" / "python"))
    assert "has no ipykernel" in failed.value.message
    assert failed.value.remedy is not None and failed.value.remedy.endswith("-m pip install ipykernel")
    assert list(place.agents.iterdir()) == []


def test_a_payload_that_arrives_damaged_is_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from gpu_provisioner.payload import Payload

    monkeypatch.setattr(Payload, "read", lambda self: bytes(self.size))
    with pytest.raises(BootstrapError, match="arrived damaged"):
        lab.provision()


def test_the_payload_depends_on_nothing_but_its_files(tmp_path: Path) -> None:
    files = travelling_files()
    copies = {}
    for name, path in files.items():
        copies[name] = tmp_path / name
        copies[name].parent.mkdir(parents=True, exist_ok=True)
        copies[name].write_bytes(path.read_bytes())
        os.utime(copies[name], (time.time() - 99_999, 0))
    assert pack(dict(reversed(copies.items()))) == pack(files)


def test_a_changed_file_makes_another_payload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gpu_provisioner.payload as module

    source = tmp_path / "a.py"
    source.write_text("x = 1\n")
    monkeypatch.setattr(module, "travelling_files", lambda: {"pkg/a.py": source})
    environ = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    first = build_payload(environ)
    assert build_payload(environ) == first
    assert hashlib.sha256(first.read()).hexdigest() == first.digest
    source.write_text("x = 22\n")
    assert build_payload(environ).digest != first.digest


def test_several_threads_may_need_the_payload_for_the_first_time_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        for number in range(20):
            environ = {"XDG_CACHE_HOME": str(tmp_path / str(number))}
            start = threading.Barrier(8)
            built = list(threads.map(lambda _, e=environ, s=start: (s.wait(), build_payload(e))[1], range(8)))
            assert len({payload.digest for payload in built}) == 1
            assert all(payload.size for payload in built)


def test_the_travelling_code_imports_on_a_bare_python(tmp_path: Path) -> None:
    """What needs no ipykernel imports with ``-I -S`` from the zip: nothing else is there to lean on."""
    archive = tmp_path / "payload.zip"
    archive.write_bytes(pack(travelling_files()))
    with zipfile.ZipFile(io.BytesIO(archive.read_bytes())) as payload:
        names = payload.namelist()
    needs_more = {"kernel", "iopub", "loop", "kernels", "clients", "channels", "zeromq", "devices"}
    needs_more |= {"pipe", "frames", "connection"}
    modules = [
        name[:-3].replace("/", ".").removesuffix(".__init__")
        for name in names
        if name.startswith("gpu_provisioner/") and Path(name).stem not in needs_more
    ]
    assert "gpu_provisioner.agent.launch" in modules and "kernel_magics/__init__.py" in names
    code = f"import sys; sys.path.insert(0, {str(archive)!r})\nimport " + ", ".join(modules)
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)


def test_shell_characters_in_every_field_stay_characters(lab: Lab, place: Place) -> None:
    evil = "$(touch pwned); `touch pwned` && touch pwned | 'x' \"y\""
    work = place.root / "work" / evil.replace("/", "_")
    work.mkdir()
    os.chdir(work)
    front = lab.kernel(env={"EVIL": evil})
    assert evil in front.execute("import os; print(os.environ['EVIL'])").text
    assert not list(place.root.rglob("pwned"))


@pytest.mark.parametrize("lease_id", ["../x", "a/b", "", "A", "x;y", "." * 10])
def test_a_lease_id_from_outside_never_becomes_a_path(tmp_path: Path, lease_id: str) -> None:
    with pytest.raises(ProvisionError):
        LeaseBook(tmp_path).load(lease_id)


def test_a_data_folder_that_cannot_be_written_is_a_sentence(
    lab: Lab, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.data.write_text("a file is in the way")
    with pytest.raises(ProvisionError) as failed:
        lab.provision()
    assert "so nothing was" in failed.value.message
    place.data.unlink()


def test_a_cache_that_takes_no_code_is_a_sentence_and_nothing_is_rented(
    lab: Lab, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.root / "full").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.root / "full"))
    with pytest.raises(BootstrapError, match="cannot be packed in") as caught:
        lab.provision()
    assert "XDG_CACHE_HOME" in str(caught.value.remedy)
    assert [lease.state for lease in LeaseBook(place.data).all()] == [LeaseState.RELEASED]


def test_a_failed_write_leaves_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError):
        write_private(tmp_path / "taken", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_an_expected_end_says_nothing_on_stderr(place: Place) -> None:
    """Nobody has configured logging; Python would print a library's warnings."""
    code = (
        "import os, pathlib\n"
        "from tests.gpu_provisioner.front import Lab, Place\n"
        "lab = Lab(Place(pathlib.Path(os.environ['HOME']).parent, ''))\n"
        "front = lab.kernel()\nfront.execute('1')\nfront.kill_carrier()\nfront.execute('2')\nlab.close()\n"
        "import logging; logging.getLogger('trackside.link').warning('to nobody')\n"
    )
    root = Path(__file__).parents[2]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=90
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_kernel_whose_notebook_was_killed_while_it_started_is_found_and_can_be_used(
    lab: Lab, place: Place
) -> None:
    """The other process kills itself when the agent has answered, before it puts that down."""
    code = (
        "import os, pathlib, signal\n"
        "from gpu_provisioner import provisioner\n"
        "from tests.gpu_provisioner.front import Lab, Place\n"
        "provisioner._verify_gpus = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Lab(Place(pathlib.Path(os.environ['HOME']).parent, '')).provision()\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    assert subprocess.run([sys.executable, "-c", code], env=environ, timeout=90).returncode == -9
    book = LeaseBook(place.data)
    assert [lease.state for lease in book.live()] == [LeaseState.STARTING]
    [found] = refresh(book)
    assert found.state == LeaseState.READY
    assert "there" in lab.front(found).execute("print('there')").text


def test_a_lease_given_back_while_it_is_brought_up_does_not_come_to_life_again(
    lab: Lab, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = LeaseBook(place.data)

    def given_back(lease: Lease, machine: object) -> None:
        book.finish(lease.id, LeaseState.RELEASED, "released by another notebook")

    monkeypatch.setattr("gpu_provisioner.provisioner._verify_gpus", given_back)
    with pytest.raises(LeaseError, match="given back while it was being started"):
        lab.provision()
    assert [lease.state for lease in book.all()] == [LeaseState.RELEASED]
    wait_for(lambda: not place.processes(), "agent and kernel have ended")
