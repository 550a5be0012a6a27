"""Machines that ask at login: a real sshd with PAM, that wants a password, or a password and then a code."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pexpect  # type: ignore[import-untyped]
import pytest

from gpu_provisioner.errors import LoginNeeded, Unreachable
from gpu_provisioner.gpus import parse
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.providers import provider_of, provider_of_lease
from gpu_provisioner.providers.base import NobodyToAsk
from gpu_provisioner.providers.ssh import SshProvider
from gpu_provisioner.provisioner import release
from tests.gpu_provisioner.far import Account, Far, SshLab
from tests.gpu_provisioner.far_notebook import configure, opened
from tests.gpu_provisioner.front import Place, files_with
from tests.kernel_magics.bridge.notebook_driver import Notebook
from tests.waiting import Gate, wait_for

PASSWORD = "pw-correct-horse-7f"
CODE = "424242-second"
BY_PASSWORD = "PasswordAuthentication yes\nKbdInteractiveAuthentication no\nUsePAM yes"
BY_QUESTIONS = "PasswordAuthentication no\nKbdInteractiveAuthentication yes\nUsePAM yes"


@dataclass
class Door:
    """A machine that asks, and how often it has begun to: a real one would have sent a push each time."""

    far: Far
    log: Path

    @property
    def pushes(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0

    def provider(self) -> SshProvider:
        made = provider_of(self.far.target(), lambda: ())
        assert isinstance(made, SshProvider)
        return made


@dataclass
class Person:
    """Types these answers; keeps what was asked and said."""

    answers: list[str]
    asked: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def __call__(self, question: str, said: str) -> str:
        self.asked.append(question)
        self.told.append(said)
        return self.answers.pop(0)


@pytest.fixture(scope="session")
def pam_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pam") / "pam_factors.so"
    source = Path(__file__).with_name("pam_factors.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wall", "-o", str(path), str(source)], check=True)
    return path


MakeDoor = Callable[..., Door]


@pytest.fixture
def make_door(place: Place, account: Account, pam_module: Path) -> Iterator[MakeDoor]:
    """Opens machines that ask; nobody's key is let in."""
    if os.getuid() != 0 or not Path("/etc/pam.d").is_dir():
        pytest.skip("NOT TESTED: without root no sshd can ask for a password")
    services: list[Path] = []
    fars: list[Far] = []

    def make(logins: str, code: str | None = None) -> Door:
        far = Far(place, account, logins=logins)
        (far.root / "authorized_keys").write_text("")
        # sshd's name is the name of its PAM service.
        program = far.root / f"tspam{os.getpid()}"
        program.symlink_to("/usr/sbin/sshd")
        far.program = str(program)
        log = place.root / "pushes"
        words = [str(pam_module), f"password={PASSWORD}", *([f"code={code}"] if code else []), f"log={log}"]
        service = Path("/etc/pam.d") / program.name
        services.append(service)
        kinds = ("auth", "account", "session")
        service.write_text("".join(f"{kind} required {' '.join(words)}\n" for kind in kinds))
        service.chmod(0o600)
        far.start()
        fars.append(far)
        return Door(far, log)

    yield make
    for lease in LeaseBook(place.data).live():
        # Of a test that failed half-way.
        release(lease, place.data, "the test")
    for far in fars:
        far.close()
    for service in services:
        service.unlink(missing_ok=True)


@pytest.fixture
def door(make_door: MakeDoor) -> Door:
    """A machine that wants a password and then a code."""
    return make_door(BY_QUESTIONS, CODE)


@pytest.mark.parametrize("logins", [BY_PASSWORD, BY_QUESTIONS])
def test_a_password_is_asked_for_once_and_the_kernel_comes(
    make_door: MakeDoor, place: Place, logins: str
) -> None:
    door = make_door(logins)
    person = Person([PASSWORD])
    door.provider().log_in(person)
    assert len(person.asked) == 1 and "assword" in person.asked[0]
    lab = SshLab(place, door.far)
    assert "in" in lab.kernel().execute("print('in')").text
    lab.kernel()
    door.provider().log_in(person)
    assert door.pushes == 1 and len(door.far.shared_connections()) == 1
    lab.close()


def test_a_second_factor_is_asked_for_after_what_the_machine_says_about_it(door: Door) -> None:
    person = Person([PASSWORD, CODE])
    door.provider().log_in(person)
    assert "Password" in person.asked[0] and "Verification code" in person.asked[1]
    assert "A code was sent to your phone." in person.told[1] + person.asked[1]
    assert [offer.device for offer in door.provider().offers(parse("cpu"))] == ["cpu"]
    assert door.pushes == 1


def test_without_a_persons_wish_nothing_is_asked_and_no_push_is_sent(door: Door) -> None:
    with pytest.raises(LoginNeeded) as told:
        door.provider().offers(parse("cpu"))
    assert "asks for a password or a second factor" in told.value.message
    assert "--on far" in str(told.value.remedy)
    assert door.pushes == 0


def test_three_wrong_answers_are_a_sentence_and_leave_no_connection(make_door: MakeDoor) -> None:
    door = make_door(BY_PASSWORD)
    person = Person(["wrong"] * 3)
    with pytest.raises(Unreachable) as told:
        door.provider().log_in(person)
    assert len(person.asked) == 3
    assert "please try again" in person.told[1]
    assert told.value.message.startswith("far did not accept what was typed")
    assert "wrong" not in told.value.message
    assert not door.far.shared_connections() and not door.far.processes_there()
    again = Person([PASSWORD])
    door.provider().log_in(again)
    assert door.provider().offers(parse("cpu"))


def interrupt(_question: str, _said: str) -> str:
    raise KeyboardInterrupt


def nobody(_question: str, _said: str) -> str:
    raise NobodyToAsk


@pytest.mark.parametrize(
    ("ask", "words"), [(interrupt, "was cancelled"), (nobody, "nobody can type one here")]
)
def test_a_question_that_nobody_answers_is_a_sentence_and_ends_ssh(
    door: Door, place: Place, ask: Callable[[str, str], str], words: str
) -> None:
    with pytest.raises(Unreachable, match=words):
        door.provider().log_in(ask)
    wait_for(lambda: not door.far.sessions(), "sshd has let go")
    clients = [process for process in place.processes() if process.name() in ("ssh", "sh")]
    assert not clients and not door.far.shared_connections()
    assert not list(place.runtime.glob("ask-*"))


def test_a_host_key_nobody_knows_is_refused_and_not_asked_about(door: Door) -> None:
    (door.far.keys / "known_hosts").write_text("")
    person = Person(["yes"])
    with pytest.raises(Unreachable, match="never been visited"):
        door.provider().log_in(person)
    assert not person.asked and (door.far.keys / "known_hosts").read_text() == ""


def test_a_reconnect_never_asks_and_says_how_to_log_in_again(
    door: Door, place: Place, gate_at: Callable[[Path], Gate]
) -> None:
    door.provider().log_in(Person([PASSWORD, CODE]))
    lab = SshLab(place, door.far)
    front = lab.kernel()
    go = gate_at(door.far.home / "go")
    running = front.begin(f"for i in range(40):\n    print(i, flush=True)\n    if i == 20: {go.wait}")
    front.wait(lambda: running in front.cells and "3" in front.cells[running].text, "the cell runs")
    door.far.close_shared_connections()
    notice = front.wait_event("notice")["text"]
    assert "the login of before has ended" in notice and f"%gpu_attach {front.holder.lease.name}" in notice
    assert provider_of_lease(front.holder.lease).needs_login()  # type: ignore[attr-defined]
    front.wait(lambda: front.states[-1] == "down", "it is down")
    assert door.pushes == 1
    go.open()
    person = Person([PASSWORD, CODE])
    provider_of_lease(front.holder.lease).log_in(person)  # type: ignore[attr-defined]
    assert front.finish(running).text.split() == [str(i) for i in range(40)]
    assert door.pushes == 2
    assert len([event for event in front.events if event["type"] == "notice"]) == 1
    lab.close()


def test_a_jump_host_that_asks_is_asked_for_once_and_never_by_itself(door: Door, own_far: Far) -> None:
    door.far.write_client(names="jump")
    own_far.write_client(extra="  ProxyJump jump\n")
    config = own_far.keys / "config"
    config.write_text(config.read_text() + (door.far.keys / "config").read_text())
    behind = provider_of(own_far.target(), lambda: ())
    assert isinstance(behind, SshProvider)
    with pytest.raises(LoginNeeded):
        behind.offers(parse("cpu"))
    assert door.pushes == 0
    person = Person([PASSWORD, CODE])
    behind.log_in(person)
    assert len(person.asked) == 2 and behind.offers(parse("cpu"))
    own_far.close_shared_connections()
    with pytest.raises(LoginNeeded, match="the login of before has ended"):
        provider_of(own_far.target(), lambda: ()).offers(parse("cpu"))
    assert door.pushes == 1


def test_a_jump_host_that_does_not_ask_is_gone_through(far: Far, own_far: Far) -> None:
    far.write_client(names="jump")
    # An address that only the jump host could know: the name the client knows is not looked up here.
    own_far.write_client(extra="  ProxyJump jump\n")
    config = own_far.keys / "config"
    config.write_text(config.read_text() + (far.keys / "config").read_text())
    assert provider_of(own_far.target(), lambda: ()).offers(parse("cpu"))
    assert len(far.sessions()) > 0


def test_the_users_own_shared_connection_is_kept_after_a_login_that_asked(door: Door, place: Place) -> None:
    own = place.root / "mine"
    door.far.write_client(extra=f"  ControlPath {own}\n")
    door.provider().log_in(Person([PASSWORD, CODE]))
    assert own.exists() and door.far.masters() == []
    assert door.provider().offers(parse("cpu")) and door.pushes == 1
    subprocess.run(["ssh", "-o", f"ControlPath={own}", "-O", "exit", "x"], check=True, capture_output=True)


def test_the_passphrase_of_a_key_is_asked_for_as_well(far: Far) -> None:
    words = ["ssh-keygen", "-q", "-p", "-P", "", "-N", PASSWORD, "-f", str(far.keys / "id")]
    subprocess.run(words, check=True)
    made = provider_of(far.target(), lambda: ())
    assert isinstance(made, SshProvider)
    person = Person([PASSWORD])
    made.log_in(person)
    assert len(person.asked) == 1 and "passphrase" in person.asked[0]
    assert made.offers(parse("cpu"))


def secrets_in_processes() -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                content = (folder / name).read_bytes()
            except OSError:
                continue
            if PASSWORD.encode() in content or CODE.encode() in content:
                found.append(f"{folder.name} {name}")
    return found


def test_what_is_typed_is_in_no_process_list_no_environment_and_no_file(door: Door, place: Place) -> None:
    seen: list[str] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            seen.extend(secrets_in_processes())

    # This process' own environment and arguments do not hold them either, so it is looked at as well.
    watcher = threading.Thread(target=watch)
    watcher.start()
    lab = SshLab(place, door.far)
    try:
        door.provider().log_in(Person([PASSWORD, CODE]))
        lab.kernel().execute("print('in')")
    finally:
        over.set()
        watcher.join()
    assert seen == []
    assert files_with(PASSWORD, place.root, door.far.root) == []
    assert files_with(CODE, place.root, door.far.root) == []
    modes = {path.name: path.stat().st_mode & 0o777 for path in place.runtime.iterdir()}
    assert all(mode & 0o077 == 0 for mode in modes.values()), modes
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in place.cache.glob("askpass-*"))
    lab.close()


@pytest.fixture
def notebook(door: Door, place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    configure(door.far, monkeypatch, "working_folder = false")
    with opened(place, place.root / "a.ipynb") as made:
        yield made


def test_the_notebook_asks_unseen_and_only_for_a_machine_that_was_named(
    notebook: Notebook, door: Door, place: Place
) -> None:
    offers = notebook.must("%gpu_offers cpu", timeout=60).all_text
    assert "gpu1" in offers and "asks for a password or a second factor" in offers and door.pushes == 0
    nobody_there = notebook.run("%gpu_provision cpu --on gpu1", allow_stdin=False, timeout=60)
    assert "nobody can type one here" in nobody_there.error and "Traceback" not in nobody_there.error
    assert "Nothing was rented on gpu1" in nobody_there.error
    cell = notebook.run("%gpu_provision cpu --on gpu1", answers=[PASSWORD, CODE], timeout=120)
    assert cell.status == "ok", cell.all_text
    assert [prompt["password"] for prompt in cell.prompts] == [True, True]
    assert notebook.value("__import__('os').environ['HOME']") == str(door.far.home)
    assert "Cells run here again" in notebook.must("%gpu_release", timeout=60).all_text
    pushes = door.pushes
    notebook.must("%gpu_provision cpu --on gpu1", timeout=120)
    assert door.pushes == pushes


def test_after_a_login_that_ended_the_notebook_says_what_to_type_and_the_cell_comes_home(
    notebook: Notebook, door: Door, place: Place, gate_at: Callable[[Path], Gate]
) -> None:
    notebook.must("%gpu_provision cpu --on gpu1 --name deep", answers=[PASSWORD, CODE], timeout=120)
    go = gate_at(door.far.home / "go")
    cell = notebook.execute(f"print('waiting', flush=True)\n{go.wait}\nprint('went on')")
    notebook.pump(lambda: "waiting" in cell.all_text, 30, cell)
    door.far.close_shared_connections()
    notebook.pump(lambda: "%gpu_attach deep" in cell.all_text, 60, cell)
    assert "the login of before has ended" in cell.all_text and door.pushes == 1
    go.open()
    # A kernel runs one cell at a time, so a magic would wait behind this one.
    words = ["-m", "jupyter_ext.cli", "login", "deep"]
    terminal = pexpect.spawn(sys.executable, words, timeout=30, encoding="utf-8")
    terminal.expect("Password")
    terminal.sendline(PASSWORD)
    terminal.expect("Verification code")
    terminal.sendline(CODE)
    terminal.expect("The way to deep is open")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    notebook.pump(lambda: cell.done, 60, cell)
    assert "went on" in cell.all_text and door.pushes == 2
    door.far.close_shared_connections()
    [lease] = LeaseBook(place.data).live()
    wait_for(lambda: provider_of_lease(lease).needs_login(), "the login has ended")  # type: ignore[attr-defined]
    again = notebook.run("%gpu_attach deep", answers=[PASSWORD, CODE], timeout=60)
    assert again.status == "ok", again.all_text
    script = subprocess.run(
        [sys.executable, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert script.returncode == 0  # It is open already, so that nobody is asked.
    assert len(again.prompts) == 2 and notebook.value("6 * 7") == 42
