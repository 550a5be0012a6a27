"""Nothing listens, nothing can be read by others, and no secret is where it does not belong."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gpu_provisioner.leases import LeaseBook
from tests.gpu_provisioner.far import Far, SshLab
from tests.gpu_provisioner.far_notebook import configure, opened
from tests.gpu_provisioner.front import MARK, Front, Place, files_with
from tests.kernel_magics.bridge.notebook_driver import Notebook

BUSY = """
import kernel_magics as km, os
from IPython.display import HTML, display
run = km.init(project='guarded')
for i in range(200): run.log({'loss': i})
run.log_artifact('notes.txt') if open('notes.txt', 'w').write('mine') else None
run.finish()
display(HTML('<b>done</b>'))
"""


def listening(processes: list[psutil.Process]) -> dict[int, list[str]]:
    """TCP ports that these processes listen on, by port: who. From /proc, so of other users as well."""
    inodes = {}
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                inodes[fields[9]] = int(fields[1].rpartition(":")[2], 16)
    found: dict[int, list[str]] = {}
    for process in processes:
        for handle in Path(f"/proc/{process.pid}/fd").glob("*"):
            try:
                target = str(handle.readlink())
            except OSError:
                continue
            port = inodes.get(target.removeprefix("socket:[").rstrip("]"))
            if port is not None:
                found.setdefault(port, []).append(" ".join(process.cmdline())[:80])
    return found


def of_both_sides(place: Place) -> list[psutil.Process]:
    """Every process of the test, and this one."""
    return [psutil.Process(), *place.processes()]


def test_no_tcp_port_is_opened_on_either_side(ssh_lab: SshLab, place: Place) -> None:
    before = set(listening(of_both_sides(place)))
    front = ssh_lab.kernel()
    assert front.execute(BUSY).reply["status"] == "ok"  # type: ignore[index]
    names = {process.name() for process in of_both_sides(place)}
    assert "ssh" in names and len(ssh_lab.far.processes_there()) >= 3
    opened = {port: who for port, who in listening(of_both_sides(place)).items() if port not in before}
    assert opened == {}


def test_the_search_for_ports_sees_one_that_is_open(place: Place) -> None:
    code = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', 0))\n"
        "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        assert port in listening(of_both_sides(place))
        process.communicate(b"")


def too_open(*roots: Path) -> list[str]:
    """What others could enter, read or connect to, under folders that they could reach."""
    found = []
    for root in roots:
        for path in (root, *root.rglob("*")):
            mode = path.lstat().st_mode
            # ZeroMQ makes its sockets with the kernel's umask, the user's own; to connect, one must write.
            forbidden = 0o022 if stat.S_ISSOCK(mode) else 0o077
            if not stat.S_ISLNK(mode) and mode & forbidden:
                found.append(f"{path} {stat.filemode(mode)}")
    return found


@pytest.fixture
def guarded(ssh_lab: SshLab) -> Front:
    """A kernel that has done everything that leaves files."""
    front = ssh_lab.kernel()
    cell = front.execute(BUSY)
    assert cell.reply is not None and cell.reply["status"] == "ok", cell.reply
    return front


def test_all_folders_are_0700_and_all_files_0600(guarded: Front, ssh_lab: SshLab, place: Place) -> None:
    far = ssh_lab.far
    ours_there = [far.cache / "agents", far.cache / "payload", far.root / "run" / "trackside"]
    assert all(any(folder.rglob("*")) for folder in ours_there)
    code = [path for path in too_open(far.cache / "payload") if "/payload/" in path]
    # Our own code is no secret, but nobody else may change it, and its folder cannot be entered.
    assert all(entry.rpartition(" ")[2][5] != "w" and entry.rpartition(" ")[2][8] != "w" for entry in code)
    assert too_open(far.cache / "agents", far.root / "run" / "trackside") == []
    assert stat.S_IMODE(far.cache.stat().st_mode) == 0o700
    assert too_open(place.data, place.runtime) == []
    assert stat.S_IMODE(place.cache.stat().st_mode) == 0o700


STRANGER = """
import socket, sys, os
def tries(what, action):
    try: action()
    except PermissionError: return
    except (FileNotFoundError, NotADirectoryError): return
    except OSError as error: print(what, type(error).__name__, error)
    else: print(what)
for path in sys.stdin.read().split("\\0"):
    tries("read " + path, lambda: open(path, "rb").close())
    tries("listed " + path, lambda: os.listdir(path))
    if len(path) < 108: tries("connected to " + path, lambda: socket.socket(socket.AF_UNIX).connect(path))
    tries("wrote " + path, lambda: open(path, "ab").close())
    tries("removed " + path, lambda: os.remove(path))
for name in sys.argv[1:]:
    tries("environment of " + name, lambda: open(f"/proc/{name}/environ", "rb").read())
"""


@pytest.fixture
def stranger() -> Iterator[str]:
    """A third user of the machine, made for the test."""
    if os.getuid() != 0 or not shutil.which("useradd"):
        pytest.skip("NOT TESTED: without root there is no other user")
    name = f"tsother{os.getpid()}"
    subprocess.run(["useradd", "-M", "-d", "/nonexistent", "-s", "/bin/sh", name], check=True)
    yield name
    subprocess.run(["userdel", name], check=True, capture_output=True)


def test_another_user_can_neither_attach_nor_read_nor_change_anything(
    guarded: Front, ssh_lab: SshLab, place: Place, stranger: str
) -> None:
    roots = (ssh_lab.far.cache, ssh_lab.far.root / "run" / "trackside", place.data, place.runtime)
    paths = [str(path) for root in roots for path in (root, *root.rglob("*"))]
    assert any(path.endswith("/attach") for path in paths) and any("/ssh-" in path for path in paths)
    pids = [str(process.pid) for process in ssh_lab.far.processes_there()]
    # The one thing that is open to all, to see that the search finds such a thing.
    readable = ssh_lab.far.root / "readable"
    readable.write_text("")
    readable.chmod(0o644)
    paths.append(str(readable))
    command = ["runuser", "-u", stranger, "--", "/usr/bin/python3", "-c", STRANGER, *pids]
    done = subprocess.run(
        command, input="\0".join(paths), capture_output=True, text=True, cwd="/", check=True
    )
    assert [line for line in done.stdout.splitlines() if "ConnectionRefused" not in line] == [
        f"read {readable}"
    ]
    assert "still" in guarded.execute("print('still here')").text


def test_values_of_env_reach_the_kernel_and_no_process_list_and_no_file(
    ssh_lab: SshLab, place: Place
) -> None:
    secret = f"hf_{secrets.token_hex(12)}"
    front = ssh_lab.kernel(env={"HF_TOKEN": secret})
    assert front.execute("import os; print(os.environ['HF_TOKEN'][:3])").text == "hf_\n"
    assert front.execute(BUSY).reply["status"] == "ok"  # type: ignore[index]
    shown = [
        process.pid
        for process in psutil.process_iter()
        if any(secret in word for word in _arguments(process))
    ]
    assert shown == []
    lease = front.holder.lease
    holding = files_with(secret, place.root, ssh_lab.far.root)
    # Here it is kept with the lease, for whoever attaches later.
    assert holding == [place.data / "leases" / f"{lease.id}.json"]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600


def test_the_key_of_the_kernels_messages_is_in_no_process_list(guarded: Front, ssh_lab: SshLab) -> None:
    [connection] = (ssh_lab.far.root / "run" / "trackside").rglob("k1.json")
    key = connection.read_text().partition('"key": "')[2].partition('"')[0]
    assert len(key) == 64
    assert not [
        process for process in psutil.process_iter() if any(key in word for word in _arguments(process))
    ]


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


@pytest.fixture
def notebook(far: Far, place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    configure(far, monkeypatch)
    with opened(place, place.root / "a.ipynb") as made:
        yield made


NAMES = (
    "../../etc",
    "$(touch pwned)",
    "'; touch pwned; '",
    "a b\tc",
    "-oProxyCommand=x",
    "x" * 300,
    "ä\u202e",
)


@pytest.mark.parametrize("magic", ["%gpu_attach", "%gpu_release"])
def test_a_name_nobody_gave_is_a_sentence_whatever_it_is(
    notebook: Notebook, place: Place, magic: str
) -> None:
    for name in NAMES:
        error = notebook.run(f"{magic} {name!r}").error
        assert "Traceback" not in error and "Try: " in error
        assert "No machine is yours" in error or "UsageMistake" in error
    assert not (place.root / "work" / "pwned").exists()


def test_a_lease_may_have_any_name_and_is_found_by_it(notebook: Notebook, place: Place, far: Far) -> None:
    name = "'$(touch pwned)' & ../x"
    notebook.must(f'%gpu_provision cpu --on gpu1 --name "{name}"', timeout=120)
    [lease] = LeaseBook(place.data).live()
    assert lease.name == name
    assert name in notebook.must("%gpu_status", timeout=60).all_text
    notebook.must(f'%gpu_release "{name}"', timeout=60)
    assert LeaseBook(place.data).live() == []
    assert not list(far.home.glob("**/pwned")) and not list(place.root.glob("**/pwned"))


def test_the_mark_of_a_test_is_inherited(ssh_lab: SshLab, place: Place) -> None:
    """What the tests above look at are the processes with this mark; a kernel over there must have it."""
    assert ssh_lab.kernel().execute(f"import os; print(os.environ[{MARK!r}])").text.strip() == place.mark
