"""The other machine restarts: what is lost is said exactly, what was on its disk comes home, runs are closed.

Over there everything is killed at once, the folder of its sockets is wiped as a tmpfs is, and whoever logs in
afterwards finds another boot of the system: sshd has a mount of its own over
``/proc/sys/kernel/random/boot_id``.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gpu_provisioner import wire
from gpu_provisioner.agent.places import process_birth
from gpu_provisioner.errors import BootstrapError
from gpu_provisioner.home import home_folder, read_records
from gpu_provisioner.lease_lock import is_held
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.provisioner import refresh
from jupyter_ext.cli import main
from kernel_magics.model import RunInfo
from kernel_magics.store import open_store
from tests.gpu_provisioner.far import Account, Far, SshLab
from tests.gpu_provisioner.front import Front, Lab, Place
from tests.kernel_magics.bridge.notebook_driver import Notebook
from tests.waiting import UNTIL_KILLED, wait_for

RUN = (
    "import kernel_magics as km\nrun = km.init(project='p', name='long')\n"
    "for i in range(1000): run.log({'loss': i})\nprint('logged', flush=True)\n"
)
SSHD = """#!/bin/sh
mount='mount --bind {boot} /proc/sys/kernel/random/boot_id'
exec unshare -m sh -c "$mount && exec /usr/sbin/sshd \\"\\$@\\"" sshd "$@"
"""


class RebootingFar(Far):
    """A far side that can be restarted."""

    def boot(self) -> None:
        """Start it with a boot id of its own."""
        (self.keys / "boot_id").write_text(f"{uuid.uuid4()}\n")
        script = self.keys / "sshd"
        script.write_text(SSHD.format(boot=self.keys / "boot_id"))
        script.chmod(0o755)
        self.program = str(script)
        self.start()

    def go_down(self) -> None:
        """As a power failure does it: all processes at once, and what was in memory only."""
        for process in [*self.processes_there(), *self.sessions()]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.stop()
        wait_for(lambda: not self.processes_there(), "everything over there has ended")
        for path in (self.root / "run").iterdir():
            shutil.rmtree(path)


@pytest.fixture
def rebooting(place: Place, account: Account) -> Iterator[RebootingFar]:
    can = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    if os.getuid() != 0 or can.returncode != 0:
        pytest.skip("NOT TESTED: without root no other boot id can be shown to a login")
    made = RebootingFar(place, account)
    made.boot()
    yield made
    made.close()


@pytest.fixture
def far(rebooting: RebootingFar) -> Far:
    """What the lab behind ssh is on."""
    return rebooting


def begun(front: Front, code: str = RUN) -> str:
    """A cell that has logged and runs on."""
    cell = front.begin(code + UNTIL_KILLED)
    front.wait(lambda: cell in front.cells and "logged" in front.cells[cell].text, "it has logged")
    return cell


def the_run(place: Place) -> RunInfo:
    with open_store(place.data) as store:
        store.refresh()
        [run] = store.runs()
        assert list(store.series(run.id, "loss").value) == list(range(1000))
        return store.run(run.id)


def test_a_holder_learns_of_the_restart_and_has_all_that_was_on_that_disk(
    ssh_lab: SshLab, rebooting: RebootingFar, place: Place
) -> None:
    front = ssh_lab.kernel()
    cell = begun(front)
    rebooting.go_down()
    front.wait(lambda: front.states[-1] == "down", "the line is down")
    rebooting.boot()
    front.holder.hurry()
    died = front.wait_event("agent-died", 60)
    assert died["reason"].endswith("was restarted, and the kernel ended with it")
    assert died["last_word"] <= died["restarted"] + 10**9  # both by the clock over there, in seconds
    front.wait(lambda: front.holder.state == "gone", "the holder gives up")
    assert "logged" in front.cells[cell].text
    lease = LeaseBook(place.data).load(front.holder.lease.id)
    assert lease.state == LeaseState.LOST
    assert "was restarted" in lease.detail and "Its variables are lost" in lease.detail
    assert "all it had printed and recorded by then is here" in lease.detail
    run = the_run(place)
    assert run.status == "killed" and "was restarted" in run.status_detail
    wait_for(lambda: not list(rebooting.agents.iterdir()), "nothing stays over there")


def test_who_looks_after_a_restart_that_nobody_saw_gets_the_rest_and_the_reason(
    ssh_lab: SshLab, rebooting: RebootingFar, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    front = ssh_lab.kernel()
    lease = front.holder.lease
    cell = begun(front, "import time\nprint('attached', flush=True)\nlogged = 'logged'\nprint(logged)\n")
    front.holder.detach()
    ssh_lab.fronts.clear()
    # The cell of before is interrupted over there, and another one logs while nobody is attached.
    heir = ssh_lab.front(lease)
    heir.holder.command("interrupt")
    heir.wait(lambda: cell in heir.cells and heir.cells[cell].idle, "it was interrupted")
    heir.begin(RUN + UNTIL_KILLED)
    heir.holder.detach()
    ssh_lab.fronts.clear()
    journals = rebooting.agents / lease.id / "data" / "runs"
    spool = rebooting.agents / lease.id / "spool"
    wait_for(lambda: any(b"logged" in path.read_bytes() for path in spool.iterdir()), "it is said")
    wait_for(lambda: any(path.stat().st_size > 20_000 for path in journals.rglob("*.journal")), "and logged")
    rebooting.go_down()
    rebooting.boot()
    assert main(["--data", str(place.data), "leases"]) == 0
    told = capsys.readouterr().out
    assert "lost" in told and "was restarted, and the kernel ended with it" in told
    assert the_run(place).status == "killed"
    assert not [lease.id for lease in LeaseBook(place.data).live()]


def test_a_machine_that_was_set_up_anew_has_nothing_and_what_is_here_is_named_by_its_time(
    ssh_lab: SshLab, rebooting: RebootingFar, place: Place
) -> None:
    front = ssh_lab.kernel()
    begun(front)
    with open_store(place.data) as store:
        wait_for(lambda: store.refresh() and store.runs(), "the run is home")
    rebooting.go_down()
    shutil.rmtree(rebooting.cache)
    rebooting.boot()
    front.holder.hurry()
    front.wait(lambda: front.holder.state == "gone", "the holder gives up", 60)
    lease = LeaseBook(place.data).load(front.holder.lease.id)
    assert lease.state == LeaseState.LOST and "what it printed or recorded after" in lease.detail
    assert "What came before is kept." in lease.detail
    with open_store(place.data) as store:
        store.refresh()
        [run] = store.runs()
    assert run.status == "killed" and "Its kernel was lost." in run.status_detail


def test_the_notebook_says_what_was_lost_what_was_kept_and_what_to_type(
    rebooting: RebootingFar, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = place.root / "trackside.toml"
    config.write_text(
        f'[targets.gpu1]\nprovider = "ssh"\nhost = "far"\npython = "{rebooting.account.python}"\n'
        f'ssh_args = ["-F", "{rebooting.keys / "config"}"]\nworking_folder = false\n'
    )
    monkeypatch.setenv("TRACKSIDE_CONFIG", str(config))
    notebook = Notebook(
        {**os.environ, "JPY_SESSION_NAME": str(place.root / "work" / "a.ipynb")}, place.root / "work"
    )
    try:
        notebook.must("%load_ext kernel_magics")
        notebook.must("%gpu_provision cpu --on gpu1 --name train", timeout=120)
        cell = notebook.execute(RUN + UNTIL_KILLED)
        notebook.pump(lambda: "logged" in cell.text(), 60, cell)
        rebooting.go_down()
        rebooting.boot()
        notebook.pump(lambda: cell.done, 90, cell)
        assert "was restarted" in cell.error and "its variables are gone" in cell.error
        assert "Everything printed and recorded before is kept" in cell.error
        # Said in the cell that runs, or in the next one where it had ended by then.
        told = cell.all_text + notebook.must("print('here')").all_text
        assert "is gone. " in told and "Its variables are lost" in told and "by then is here" in told
        status = notebook.must("%gpu_status", timeout=60).all_text
        assert "'train' on" in status and "is lost since" in status and "was restarted" in status
        assert "Run long is marked killed." in status
        assert "Another one: %gpu_provision cpu --on gpu1 --name train" in status
        refused = notebook.run("%gpu_attach train", timeout=60)
        assert refused.reply["content"]["ename"] == "LeaseError"
        assert "was restarted" in refused.error and "%gpu_provision cpu" in refused.error
        assert "was restarted" in notebook.run("%gpu_attach", timeout=60).error
    finally:
        notebook.close()


# ---------------------------------------------------------------- power failures, without root


def lose_power(lab: Lab, place: Place, lease: Lease) -> Path:
    """Kill all of the agent's at once and let its notes be of another boot; its folder."""
    folder = place.agents / lease.id
    facts = json.loads((folder / "agent.json").read_text())
    for process in place.processes():
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: not place.processes(), "all have ended")
    for name in ("birth", "kernel_birth"):
        facts[name] = f"another-boot-{facts[name].rpartition('-')[2]}"
    (folder / "agent.json").write_text(json.dumps(facts))
    (folder / "died.json").unlink(missing_ok=True)
    shutil.rmtree(place.runtime)
    return folder


def test_what_a_disk_forgot_at_a_power_failure_but_is_home_already_stays_and_the_stream_goes_on(
    lab: Lab, place: Place
) -> None:
    """The last seconds of a spool may never reach the disk, and home may have half a record of them."""
    front = lab.kernel()
    lease = front.holder.lease
    cell = front.execute("for i in range(2000): print(i)")
    front.holder.detach()
    lab.fronts.clear()
    [segment] = (lose_power(lab, place, lease) / "spool").iterdir()
    whole = segment.read_bytes()
    segment.write_bytes(whole[: len(whole) // 2] + bytes(500))
    torn = wire.encode_record(wire.IOPUB, [b"{}"] * 5)[:-3]
    home = home_folder(place.data, lease.id)
    with (home / "stream").open("ab") as stream:
        stream.write(torn)
    heir = lab.front(lease, start=False)
    with pytest.raises(BootstrapError, match="was restarted, and the kernel ended with it"):
        heir.holder.start(60)
    heir.wait(lambda: heir.holder.state == "gone", "the holder has all there is")
    records = [record for batch in read_records(place.data, lease.id) for record in batch]
    contents = [json.loads(parts[3]) for _, channel, parts in records if channel == wire.IOPUB]
    text = "".join(content["text"] for content in contents if content.get("name") == "stdout")
    assert text == cell.text == "".join(f"{i}\n" for i in range(2000))
    kinds = [event["type"] for event in heir.events]
    assert kinds == ["kernel-died", "agent-died"]
    wait_for(lambda: not (place.agents / lease.id).exists(), "nothing is left over there")


def test_a_note_of_who_holds_a_lease_means_nobody_after_a_restart_of_this_machine(
    lab: Lab, place: Place
) -> None:
    """Its process' id belongs to somebody else by then."""
    front = lab.kernel()
    home = home_folder(place.data, front.holder.lease.id)
    assert is_held(home)
    front.holder.detach()
    note = {"pid": os.getpid(), "host": os.uname().nodename, "birth": process_birth(os.getpid())}
    (home / "holder.json").write_text(json.dumps(note))
    assert is_held(home)
    (home / "holder.json").write_text(json.dumps({**note, "birth": "another-boot-1"}))
    assert not is_held(home)
    [seen] = refresh(LeaseBook(place.data))
    assert seen.state == LeaseState.READY
    lab.front(seen)
