"""A real sshd behind a real network that breaks: nothing is lost and nothing is done twice."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpu_provisioner import link
from kernel_magics.store import open_store
from tests.gpu_provisioner.breakable import lab_behind, quick_kernel
from tests.gpu_provisioner.far import Account, Far, SshLab
from tests.gpu_provisioner.front import Front, Place
from tests.waiting import Turnstile, last_for, wait_for

CELL = """
import kernel_magics as km
with open('ran', 'a') as f: f.write('x')
run = km.init(project='faults')
{ready}
for i in range({messages}):
    if i % 100 == 0: {step}
    print(i, flush=True)
    for j in range(4): run.log({{'loss': 4 * i + j}})
run.finish()
"""
"""A hundred messages a step: steps are let at every fault, so the faults fall into it on any machine."""


class Net:
    """The network between here and a namespace: one cable, and a firewall at its far end."""

    def __init__(self) -> None:
        self.name = f"ts{os.getpid()}"
        number = os.getpid() % 250
        self.address = f"198.18.{number}.2"
        self.cable, self.plug = f"tsh{os.getpid()}", f"tse{os.getpid()}"

    def build(self) -> None:
        here = self.address[:-1] + "1"
        for command in (
            f"ip netns add {self.name}",
            f"ip link add {self.cable} type veth peer name {self.plug} netns {self.name}",
            f"ip addr add {here}/30 dev {self.cable}",
            f"ip link set {self.cable} up",
            f"ip -n {self.name} addr add {self.address}/30 dev {self.plug}",
            f"ip -n {self.name} link set {self.plug} up",
            f"ip -n {self.name} link set lo up",
        ):
            subprocess.run(command.split(), check=True)

    def remove(self) -> None:
        subprocess.run(["ip", "link", "del", self.cable], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)

    def link(self, state: str) -> None:
        subprocess.run(["ip", "link", "set", self.cable, state], check=True)

    def firewall(self, *rule: str) -> None:
        """Replace the far end's rules for what arrives: by none, or by this one."""
        enter = ["nsenter", f"--net=/run/netns/{self.name}", "iptables"]
        subprocess.run([*enter, "-F", "INPUT"], check=True)
        if rule:
            subprocess.run([*enter, "-A", "INPUT", "-i", self.plug, *rule], check=True)


@pytest.fixture
def net() -> Iterator[Net]:
    if os.getuid() != 0 or not all(map(shutil.which, ("ip", "nsenter", "iptables"))):
        pytest.skip("NOT TESTED: network faults need root, ip, nsenter and iptables")
    made = Net()
    made.remove()
    made.build()
    yield made
    made.remove()


@pytest.fixture
def net_lab(net: Net, place: Place, account: Account) -> Iterator[SshLab]:
    """A lab whose far side is reached only over ``net``."""
    with lab_behind(net, place, account) as lab:
        yield lab


def begin(front: Front, turnstile: Turnstile, messages: int) -> str:
    """The cell, of which the first five steps run."""
    turnstile.let(5)
    cell = front.begin(counted(turnstile, messages))
    front.wait(lambda: cell in front.cells and len(front.cells[cell].outputs) > 20, "the cell prints")
    return cell


def counted(turnstile: Turnstile, messages: int) -> str:
    return CELL.format(messages=messages, ready=turnstile.ready, step=turnstile.step)


@pytest.fixture
def there(turnstile_at: Callable[[Path], Turnstile]) -> Callable[[Far], Turnstile]:
    """A turnstile that the far user can reach."""
    return lambda far: turnstile_at(far.home / "turnstile")


def logged(place: Place) -> list[float]:
    with open_store() as store:
        store.refresh()
        [run] = store.runs(project="faults")
        assert run.status == "finished"
        return [float(value) for value in store.series(run.id, "loss").value]


def test_everything_comes_home_once_and_in_order_over_a_network_that_breaks_in_every_way(
    net: Net, net_lab: SshLab, place: Place, there: Callable[[Far], Turnstile]
) -> None:
    front = quick_kernel(net_lab)
    turnstile = there(net_lab.far)
    cell = begin(front, turnstile, 5000)
    turnstile.let(5)
    net.link("down")
    last_for(10)
    net.link("up")
    front.wait(lambda: front.states[-1] == "up", "up after the link was down", 60)
    downs = front.states.count("down")
    turnstile.let(5)
    net.firewall("-j", "DROP")
    front.wait(lambda: front.states.count("down") > downs, "the black hole is noticed", 30)
    net.firewall()
    front.wait(lambda: front.states[-1] == "up", "up after the black hole", 60)
    downs = front.states.count("down")
    turnstile.let(5)
    net.firewall("-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset")
    front.wait(lambda: front.states.count("down") > downs, "the reset is noticed", 30)
    net.firewall()
    front.wait(lambda: front.states[-1] == "up", "up after the reset", 60)
    kills = 0
    while kills < 20:
        turnstile.let()
        last_for(random.uniform(0.02, 0.4))
        carrier = front.carrier()
        if carrier is not None:
            carrier.send_signal(signal.SIGKILL)
            kills += 1
    turnstile.close()
    home = front.finish(cell, 120)
    assert home.reply is not None and home.reply["status"] == "ok"
    assert home.text.split() == [str(i) for i in range(5000)]
    assert (net_lab.far.home / "ran").read_text() == "x"
    assert logged(place) == [float(i) for i in range(20_000)]
    assert front.ends == sorted(set(front.ends))


def test_cells_sent_while_the_network_is_down_run_once_and_in_order_when_it_is_back(
    net: Net, net_lab: SshLab
) -> None:
    front = quick_kernel(net_lab)
    net.firewall("-j", "DROP")
    code = "with open('ran', 'a') as f: f.write('{} ')"
    cells = [front.begin(code.format(i), i + 1) for i in range(10)]
    front.wait(lambda: front.states[-1] == "down", "it is noticed", 30)
    cells += [front.begin(code.format(i), i + 1) for i in range(10, 20)]
    net.firewall()
    for cell in cells:
        reply = front.finish(cell, 60).reply
        assert reply is not None and reply["status"] == "ok"
    assert (net_lab.far.home / "ran").read_text().split() == [str(i) for i in range(20)]


def test_a_shared_connection_that_hangs_is_given_up_and_gone_around(
    ssh_lab: SshLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the carrier's pipes as well, so the carrier's death alone ends nothing."""
    monkeypatch.setattr(link, "_SILENCE_LIMIT_S", 2.0)
    front = ssh_lab.kernel()
    [master] = ssh_lab.far.shared_connections()
    master.send_signal(signal.SIGSTOP)
    try:
        assert "around" in front.execute("print('around')", timeout=30).text
    finally:
        master.send_signal(signal.SIGCONT)
    assert "down" in front.states


def test_the_sshd_restarted_and_all_its_sessions_ended_is_no_more_than_a_pause(
    ssh_lab: SshLab, there: Callable[[Far], Turnstile]
) -> None:
    front = ssh_lab.kernel()
    turnstile = there(ssh_lab.far)
    cell = begin(front, turnstile, 1500)
    turnstile.let(5)
    ssh_lab.far.stop()
    front.wait(lambda: front.states[-1] == "down", "it is noticed")
    ssh_lab.far.start()
    turnstile.close()
    assert front.finish(cell, 60).text.split() == [str(i) for i in range(1500)]
    assert (ssh_lab.far.home / "ran").read_text() == "x"


SLEEPER = """
import json, sys
from pathlib import Path
from gpu_provisioner.leases import LeaseBook
from tests.gpu_provisioner.front import Front
data = Path(sys.argv[1])
front = Front(LeaseBook(data).load(sys.argv[2]), data)
front.holder.start(60)
cell = front.begin(sys.argv[3])
front.wait(lambda: cell in front.cells and len(front.cells[cell].outputs) > 20, 'begun')
print('begun', flush=True)
text = front.finish(cell, 120).text
print(json.dumps({'text': text, 'states': front.states, 'ends': front.ends}), flush=True)
front.holder.detach()
"""


@pytest.fixture
def impatient_lab(place: Place, account: Account) -> Iterator[SshLab]:
    """A lab whose sshd gives a silent client up after two seconds."""
    far = Far(place, account, alive_s=1)
    far.start()
    lab = SshLab(place, far)
    yield lab
    lab.close()
    far.close()


def test_a_laptop_that_slept_until_sshd_gave_up_has_everything_after_waking(
    impatient_lab: SshLab, place: Place, there: Callable[[Far], Turnstile]
) -> None:
    far = impatient_lab.far
    turnstile = there(far)
    turnstile.let(5)
    lease = impatient_lab.provision()
    laptop = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, str(place.data), lease.id, counted(turnstile, 2500)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)},
    )
    assert laptop.stdout is not None
    with laptop:
        try:
            assert laptop.stdout.readline() == b"begun\n"
            turnstile.let(10)
            sleep_until_sshd_gives_up(far)
            turnstile.close()
            said = json.loads(laptop.stdout.readline())
        except BaseException:
            laptop.kill()
            raise
    assert laptop.returncode == 0
    assert said["text"].split() == [str(i) for i in range(2500)]
    assert "down" in said["states"]
    assert said["ends"] == sorted(set(said["ends"]))
    assert (far.home / "ran").read_text() == "x"
    assert logged(place) == [float(i) for i in range(10_000)]
    assert "awake" in impatient_lab.front(lease).execute("print('awake')", 2).text


def sleep_until_sshd_gives_up(far: Far) -> None:
    """Stop everything of this side, the shared connection too, until no session is left over there."""
    there = {process.pid for process in far.processes_there()}
    here = [process for process in far.place.processes() if process.pid not in there]
    here += far.shared_connections()
    for process in here:
        process.send_signal(signal.SIGSTOP)
    try:
        wait_for(lambda: not far.sessions(), "sshd gives up", 30)
    finally:
        for process in here:
            process.send_signal(signal.SIGCONT)
