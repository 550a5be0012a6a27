"""What an agent leaves that ended while nobody was attached comes home with the next look at the leases."""

from __future__ import annotations

import json
import os
import signal

from gpu_provisioner import wire
from gpu_provisioner.home import read_records
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.provisioner import refresh
from gpu_provisioner.remains import fetch_remains
from tests.gpu_provisioner.front import Lab, Place
from tests.waiting import Gate, wait_for


def text_at_home(place: Place, lease: Lease) -> str:
    """What the kernel printed, as far as it is home."""
    records = [record for batch in read_records(place.data, lease.id) for record in batch]
    contents = [json.loads(parts[3]) for _, channel, parts in records if channel == wire.IOPUB]
    return "".join(content["text"] for content in contents if content.get("name") == "stdout")


def said_to_nobody(lab: Lab, gate: Gate, **options: float) -> Lease:
    """A kernel that has printed and logged while nobody was attached."""
    front = lab.kernel(**options)
    lease = front.holder.lease
    cell = front.begin(
        f"print('up', flush=True)\n{gate.wait}\nimport kernel_magics as km\n"
        "run = km.init(project='p')\nrun.log({'a': 1})\nrun.finish()\nprint('said to nobody', flush=True)"
    )
    front.wait(lambda: cell in front.cells and "up" in front.cells[cell].text, "the cell runs")
    front.holder.detach()
    lab.fronts.clear()
    gate.open()
    return lease


def ended(place: Place) -> bool:
    return not place.processes()


def test_an_idle_kernel_that_ends_itself_with_nobody_there_leaves_a_rest_that_comes_home(
    lab: Lab, place: Place, gate: Gate
) -> None:
    lease = said_to_nobody(lab, gate, idle_s=6.0)
    wait_for(lambda: ended(place), "the agent has ended itself", 60)
    assert (place.agents / lease.id / "ended.json").exists()
    [over] = refresh(LeaseBook(place.data))
    assert over.state == LeaseState.RELEASED
    assert over.detail == "released by its idle policy (nothing ran for 6 s)"
    assert text_at_home(place, lease) == "up\nsaid to nobody\n"
    assert len(list((place.data / "runs").glob("*/*.journal"))) == 1
    wait_for(lambda: not list(place.agents.iterdir()), "nothing is left over there")


def test_an_agent_that_was_terminated_with_nobody_there_is_lost_but_nothing_it_said_is(
    lab: Lab, place: Place, gate: Gate
) -> None:
    """What an orderly shutdown of the machine does."""
    lease = said_to_nobody(lab, gate)
    folder = place.agents / lease.id
    wait_for(
        lambda: any(b"said to nobody\\n" in path.read_bytes() for path in (folder / "spool").iterdir()),
        "it is said",
    )
    os.kill(json.loads((folder / "agent.json").read_text())["pid"], signal.SIGTERM)
    wait_for(lambda: ended(place), "the agent has ended", 60)
    [over] = refresh(LeaseBook(place.data))
    assert over.state == LeaseState.LOST and "ended by SIGTERM" in over.detail
    assert text_at_home(place, lease) == "up\nsaid to nobody\n"


def test_fetching_again_finds_nothing_more_and_keeps_the_reason(lab: Lab, place: Place, gate: Gate) -> None:
    lease = said_to_nobody(lab, gate)
    folder = place.agents / lease.id
    os.kill(json.loads((folder / "agent.json").read_text())["pid"], signal.SIGKILL)
    wait_for(lambda: ended(place), "the agent has ended", 60)
    first = fetch_remains(lease, place.data, 60)
    assert first.state == LeaseState.LOST and "killed by signal 9" in first.detail
    wait_for(lambda: not folder.exists(), "nothing is left over there")
    assert fetch_remains(first, place.data, 60) == first


def test_a_machine_that_cannot_give_the_rest_is_lost_and_says_how_to_try_again(
    lab: Lab, place: Place, gate: Gate
) -> None:
    """Its Python has gone, say; the folder waits."""
    lease = said_to_nobody(lab, gate)
    folder = place.agents / lease.id
    os.kill(json.loads((folder / "agent.json").read_text())["pid"], signal.SIGKILL)
    wait_for(lambda: ended(place), "the agent has ended", 60)
    gone = LeaseBook(place.data).update(lease.id, handle={**lease.handle, "python": "/nowhere/python3"})
    over = fetch_remains(gone, place.data, 1)
    assert over.state == LeaseState.LOST and "Its variables are lost" in over.detail
    assert "/nowhere/python3" in over.detail and f"to try again: %gpu_attach {over.id}" in over.detail
    assert folder.exists()
    mended = LeaseBook(place.data).update(lease.id, handle=lease.handle)
    assert "killed by signal 9" in fetch_remains(mended, place.data, 60).detail
