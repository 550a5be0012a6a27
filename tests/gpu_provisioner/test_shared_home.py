"""A home on a file server: two machines see one folder, locks may be missing, and appends take their time."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_provisioner.agent.whereabouts import BEAT_S, elsewhere
from gpu_provisioner.errors import BootstrapError, LeaseError, ProviderError
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import LeaseState
from gpu_provisioner.providers import provider_of_lease
from gpu_provisioner.provisioner import refresh
from kernel_magics.store import open_store
from tests.gpu_provisioner.far import Account, Far, SshLab
from tests.gpu_provisioner.front import Lab, Place
from tests.waiting import wait_for

SSHD = """#!/bin/sh
hostname={name}
mount='mount --bind {boot} /proc/sys/kernel/random/boot_id'
exec unshare -m -u sh -c "hostname $hostname && $mount && exec /usr/sbin/sshd \\"\\$@\\"" sshd "$@"
"""
WITHOUT_LOCKS = """
#include <errno.h>
int flock(int handle, int operation) { (void)handle; (void)operation; errno = ENOLCK; return -1; }
"""


class Cluster(Far):
    """Login nodes behind one name: whoever comes gets the one that is on duty."""

    def on_duty(self, name: str, boot: str) -> None:
        """Only that node is reached from now on. Its memory, and so its sockets, are its own."""
        self.stop()
        (self.keys / f"boot-{name}").write_text(f"{boot}\n")
        script = self.keys / "sshd"
        script.write_text(SSHD.format(name=name, boot=self.keys / f"boot-{name}"))
        script.chmod(0o755)
        run = self.root / f"run-{name}"
        run.mkdir(mode=0o700, exist_ok=True)
        os.chown(run, self.account.uid, -1)
        self.program, self.env = str(script), {"XDG_RUNTIME_DIR": str(run)}
        self.start()


@pytest.fixture
def cluster(place: Place, account: Account) -> Iterator[Cluster]:
    can = subprocess.run(["unshare", "-m", "-u", "true"], capture_output=True, check=False)
    if os.getuid() != 0 or can.returncode != 0:
        pytest.skip("NOT TESTED: without root there is no machine with another name")
    made = Cluster(place, account)
    yield made
    made.close()


def test_an_agent_on_another_machine_with_the_same_home_is_neither_dead_nor_ended_nor_doubled(
    cluster: Cluster, place: Place
) -> None:
    boots = {name: str(uuid.uuid4()) for name in ("login1", "login2")}
    cluster.on_duty("login1", boots["login1"])
    lab = SshLab(place, cluster)
    front = lab.kernel()
    lease = front.holder.lease
    assert "before" in front.execute("x = 'kept'; print('before')").text
    cluster.on_duty("login2", boots["login2"])
    front.holder.hurry()
    wait_for(lambda: "its agent runs on login1" in front.holder.detail.lower(), "the other says so", 60)
    assert "this is login2" in front.holder.detail and 'host = "login1"' in front.holder.detail
    assert front.holder.state == "down"
    front.holder.detach()
    lab.fronts.clear()
    with pytest.raises(ProviderError, match="its agent runs on login1"):
        provider_of_lease(lease).status(lease)
    with pytest.raises(ProviderError, match="its agent runs on login1"):
        provider_of_lease(lease).release(lease)
    [seen] = refresh(LeaseBook(place.data))
    assert seen.state == LeaseState.READY
    assert not (cluster.agents / lease.id / "died.json").exists(), "nobody took it for dead"
    cluster.on_duty("login1", boots["login1"])
    again = lab.front(lease)
    assert "kept" in again.execute("print(x)").text
    lab.close()


def test_where_locks_do_not_reach_the_time_of_the_lock_file_tells(tmp_path: Path) -> None:
    (tmp_path / "agent.json").write_text(json.dumps({"host": "login1"}))
    lock = tmp_path / "agent.lock"
    lock.touch()
    assert elsewhere(tmp_path) == "login1"
    os.utime(lock, (time.time() - 10 * BEAT_S,) * 2)
    assert elsewhere(tmp_path) == "", "it has been silent for too long"
    (tmp_path / "agent.json").write_text(json.dumps({"host": socket.gethostname()}))
    lock.touch()
    assert elsewhere(tmp_path) == "", "what was here is looked for here"


@pytest.fixture
def no_locks(place: Place) -> str:
    """A library after which no file system has locks, as on NFS without its lock service."""
    source, library = place.root / "nolocks.c", place.root / "nolocks.so"
    source.write_text(WITHOUT_LOCKS)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return str(library)


def test_a_machine_whose_cache_folder_has_no_locks_says_where_to_put_it(
    lab: Lab, place: Place, no_locks: str
) -> None:
    with pytest.raises(BootstrapError, match=r"without locks \(No locks available\)") as caught:
        lab.provision(env={"LD_PRELOAD": no_locks})
    assert "XDG_CACHE_HOME" in (caught.value.remedy or "")
    assert [lease.state for lease in LeaseBook(place.data).all()] == [LeaseState.RELEASED]


def test_a_data_folder_without_locks_rents_nothing_and_says_why(place: Place, no_locks: str) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom gpu_provisioner.leases import LeaseBook\n"
        "from gpu_provisioner.errors import LeaseError\n"
        "try:\n    with LeaseBook(Path(sys.argv[1])).exclusive(): print('locked')\n"
        "except LeaseError as error: print(error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(place.data)],
        env={**os.environ, "LD_PRELOAD": no_locks},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "without locks (No locks available)" in said and "TRACKSIDE_DIR" in said


def test_a_lock_that_nobody_gives_back_is_not_waited_for_for_ever(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpu_provisioner.leases._LOCK_LIMIT_S", 0.2)
    book = LeaseBook(place.data)
    refused = pytest.raises(LeaseError, match="had the lock of the leases")
    with book.exclusive(), refused, LeaseBook(place.data).exclusive():
        pytest.fail("two had it")


def test_with_both_sides_on_network_file_systems_every_point_comes_home(
    lab: Lab, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKSIDE_NETWORK_FS", "1")
    front = lab.kernel(env={"TRACKSIDE_NETWORK_FS": "1"})
    front.execute(
        "import kernel_magics as km\nrun = km.init(project='p')\n"
        "for i in range(5000): run.log({'loss': i})\nrun.finish()"
    )

    def points() -> bool:
        with open_store(place.data) as store:
            store.refresh()
            runs = store.runs()
            return bool(runs) and list(store.series(runs[0].id, "loss").value) == list(range(5000))

    wait_for(points, "all points are home")
