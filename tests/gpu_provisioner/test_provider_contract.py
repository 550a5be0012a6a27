"""One contract for every provider: this machine, and another one behind a real sshd."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpu_provisioner.catalog import Catalog
from gpu_provisioner.errors import ProvisionError
from gpu_provisioner.gpus import parse
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.providers import provider_of, provider_of_lease
from gpu_provisioner.provisioner import refresh, release
from tests.gpu_provisioner.far import Far, SshLab
from tests.gpu_provisioner.front import Lab, Place
from tests.waiting import UNTIL_INTERRUPTED, Turnstile, wait_for

PROVIDERS = ("local", "ssh")
SECRET = "hunter2-of-the-target"


class Side:
    """Where a provider's kernels run, and whoever looks at it from outside."""

    def __init__(self, lab: Lab, agents: Path, home: Path) -> None:
        self.lab, self.agents, self.home = lab, agents, home

    def folder(self, lease: Lease) -> Path:
        return self.agents / lease.id


@pytest.fixture(params=PROVIDERS)
def side(request: pytest.FixtureRequest, place: Place) -> Iterator[Side]:
    if request.param == "local":
        lab = Lab(place)
        yield Side(lab, place.agents, place.root / "work")
    else:
        far: Far = request.getfixturevalue("far")
        lab = SshLab(place, far)
        yield Side(lab, far.agents, far.home)
    lab.close()


def test_a_processor_is_always_offered_and_its_price_is_never_invented(side: Side) -> None:
    target = side.lab.target()
    provider = provider_of(target, lambda: ())
    [offer] = provider.offers(parse("cpu"))
    assert (offer.target, offer.provider, offer.device, offer.gpus) == (
        target.name,
        target.provider,
        "cpu",
        (),
    )
    assert offer.usd_per_hour is None
    assert provider.offers(parse("a100")) == []
    assert "no GPU" in provider.inventory()


def test_what_a_kernel_prints_and_answers_comes_home(side: Side) -> None:
    cell = side.lab.kernel().execute("print('hello'); 6 * 7", count=5)
    assert cell.reply is not None and cell.reply["execution_count"] == 5
    assert cell.text == "hello\n"
    assert [c["data"]["text/plain"] for kind, c in cell.outputs if kind == "execute_result"] == ["42"]


def test_a_lease_is_ready_while_its_agent_lives_and_lost_once_it_does_not(side: Side, place: Place) -> None:
    lease = side.lab.provision()
    provider = provider_of_lease(lease)
    assert provider.status(lease) == LeaseState.READY
    release(lease, place.data, "the test")
    assert provider.status(lease) == LeaseState.LOST


def test_a_lease_survives_being_written_down_and_read_by_another_process(side: Side, place: Place) -> None:
    lease = side.lab.provision()
    again = LeaseBook(place.data).load(lease.id)
    assert provider_of_lease(again).status(again) == LeaseState.READY
    assert "here too" in side.lab.front(again).execute("print('here too')").text


def test_a_carrier_is_eight_bits_clean_both_ways(side: Side) -> None:
    lease = side.lab.provision()
    data = bytes(range(256)) * 4000 + b"\r\n~.\n\x03\x04\x1a"
    argv = provider_of_lease(lease).carrier_argv(lease, ["cat"])
    done = subprocess.run(argv, input=data, capture_output=True, timeout=30)
    assert done.stdout == data
    release(lease, side.lab.place.data, "the test")


def test_arguments_reach_the_far_end_as_they_are(side: Side) -> None:
    lease = side.lab.provision()
    words = ["$(id)", "`id`", "a b", "'", '"', "\\", "*", ";", "&& id", "", "~", "ä", "-n", "!x"]
    argv = provider_of_lease(lease).carrier_argv(lease, ["printf", "%s|", *words])
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, text=True)
    assert done.stdout == "|".join(words) + "|"
    release(lease, side.lab.place.data, "the test")


def test_giving_back_twice_or_something_unknown_is_success(side: Side) -> None:
    lease = side.lab.provision()
    provider = provider_of_lease(lease)
    provider.release(lease)
    provider.release(lease)
    unknown = Lease.from_json({**lease.to_json(), "id": "cpu-20200101-000000-dead"})
    provider.release(unknown)
    assert provider.status(unknown) == LeaseState.LOST
    release(lease, side.lab.place.data, "the test")


def test_giving_back_leaves_nothing_over_there(side: Side, place: Place) -> None:
    front = side.lab.kernel()
    lease = front.holder.lease
    front.execute("print('x')")
    front.holder.release("the test")
    assert not side.folder(lease).exists()
    assert LeaseBook(place.data).load(lease.id).state == LeaseState.RELEASED


def test_a_living_machine_is_found_by_its_tag_and_no_other_is(side: Side, place: Place) -> None:
    lease = side.lab.provision()
    provider = provider_of(side.lab.target(), LeaseBook(place.data).live)
    [found] = provider.find(lease.id)
    assert (found.id, found.device) == (lease.id, "cpu")
    assert provider.status(found) == LeaseState.READY
    assert provider.find("cpu-20200101-000000-dead") == []
    provider.release(found)
    assert provider.find(lease.id) == []
    release(lease, place.data, "the test")


def test_a_killed_carrier_loses_nothing_and_runs_nothing_twice(
    side: Side, turnstile_at: Callable[[Path], Turnstile]
) -> None:
    front = side.lab.kernel()
    turnstile = turnstile_at(side.home / "turnstile")
    cell = front.begin(
        f"with open('ran', 'a') as f: f.write('x')\n{turnstile.ready}\n"
        f"for i in range(400):\n    if i % 100 == 0: {turnstile.step}\n    print(i, flush=True)"
    )
    for kills in range(1, 4):
        turnstile.let()
        front.kill_carrier()
        front.wait(lambda kills=kills: front.states.count("down") == kills, "the kill is noticed")
        front.wait(lambda: front.states[-1] == "up", "it is up again")
    turnstile.close()
    assert front.finish(cell).text.split() == [str(i) for i in range(400)]
    assert (side.home / "ran").read_text() == "x"


def test_a_kernel_that_nobody_holds_keeps_its_variables(side: Side) -> None:
    first = side.lab.kernel()
    first.execute("kept = 'treasure'")
    first.holder.detach()
    second = side.lab.front(first.holder.lease)
    assert "treasure" in second.execute("print(kept)", 2).text


def test_an_interrupt_reaches_the_cell(side: Side) -> None:
    front = side.lab.kernel()
    cell = front.begin("print('up', flush=True)\n" + UNTIL_INTERRUPTED)
    front.wait(lambda: cell in front.cells and "up" in front.cells[cell].text, "the cell runs")
    front.holder.command("interrupt")
    reply = front.finish(cell).reply
    assert reply is not None and reply["ename"] == "KeyboardInterrupt"


def test_a_run_that_is_logged_there_is_home_with_the_cells_answer(side: Side, place: Place) -> None:
    front = side.lab.kernel()
    code = (
        "import kernel_magics as km\nrun = km.init(project='p')\nfor i in range(1000): run.log({'loss': i})\n"
    )
    cell = front.execute(code + "run.finish(); print(run.id)")
    from kernel_magics.store import open_store

    with open_store() as store:
        store.refresh()
        series = store.series(cell.text.split()[-1], "loss")
    assert list(series.value) == list(range(1000))


def test_everything_over_there_is_private(side: Side) -> None:
    front = side.lab.kernel()
    front.execute("import kernel_magics as km; km.init(project='p').log({'x': 1})")
    seen = [side.agents, *side.agents.rglob("*")]
    facts = json.loads((side.folder(front.holder.lease) / "agent.json").read_text())
    runtime = Path(facts["socket"]).parent
    seen += [runtime.parent, runtime, *runtime.iterdir()]
    assert any(stat.S_ISSOCK(path.lstat().st_mode) for path in seen)
    loose = {str(path): oct(path.lstat().st_mode) for path in seen if _is_loose(path)}
    assert loose == {}


def _is_loose(path: Path) -> bool:
    """A socket of ZeroMQ's own is as private as its folder (connect(2) needs to enter that)."""
    return bool(path.lstat().st_mode & 0o077) and not path.is_socket()


def test_no_tcp_port_listens_that_did_not_before(side: Side) -> None:
    before = listening()
    front = side.lab.kernel()
    front.execute("pass")
    assert listening_of(side, before) == []
    front.execute("import socket; control = socket.create_server(('127.0.0.1', 0))", 2)
    assert len(listening_of(side, before)) == 1, "the test sees a port that does listen"


def listening_of(side: Side, before: set[str]) -> list[str]:
    """New ports of the test's processes; other programs of the machine may open some meanwhile."""
    ours = {process.pid for process in side.lab.place.processes()}
    return [line for line in listening() - before if any(f"pid={pid}," in line for pid in ours)]


def listening() -> set[str]:
    done = subprocess.run(["ss", "-H", "-l", "-n", "-t", "-p"], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def test_nothing_secret_shows_in_a_process_list_or_in_a_file_over_there(side: Side) -> None:
    front = side.lab.kernel(env={"API_KEY": SECRET})
    assert SECRET in front.execute("import os; print(os.environ['API_KEY'])").text
    shown = [part for process in side.lab.place.processes() for part in process.cmdline()]
    assert shown and not any(SECRET in part for part in shown)
    folder = side.folder(front.holder.lease)
    # The spool holds what the cell printed, and a user who prints a secret has a printed secret.
    files = [path for path in folder.rglob("*") if path.is_file() and "spool" not in str(path)]
    assert files and not any(SECRET.encode() in path.read_bytes() for path in files)


def test_asking_all_targets_names_this_one(side: Side) -> None:
    survey = Catalog([side.lab.target()], lambda: ()).survey(parse("cpu"))
    assert [offer.target for offer in survey.offers] == [side.lab.target().name]
    assert survey.problems == ()


def test_a_vanished_agent_is_noticed_and_said(side: Side, place: Place) -> None:
    front = side.lab.kernel()
    facts = json.loads((side.folder(front.holder.lease) / "agent.json").read_text())
    front.holder.detach()
    for process in place.processes():
        if process.pid == facts["pid"]:
            process.kill()
    provider = provider_of_lease(front.holder.lease)
    wait_for(lambda: provider.status(front.holder.lease) == LeaseState.LOST, "it is noticed")
    [lease] = refresh(LeaseBook(place.data))
    assert lease.state == LeaseState.LOST and "killed by signal 9" in lease.detail


def test_a_lease_without_a_machine_is_an_error_for_nobody(side: Side, place: Place) -> None:
    """The process died between writing the lease down and asking for the machine."""
    lease = side.lab.provision()
    release(lease, place.data, "the test")
    planned = Lease.from_json({**lease.to_json(), "id": "cpu-20200101-000000-beef", "handle": {}})
    try:
        provider_of(side.lab.target(), lambda: ()).release(planned)
    except ProvisionError as error:
        pytest.fail(f"release of an unknown lease: {error}")
