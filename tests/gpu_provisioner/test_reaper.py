"""A machine that runs without a lease is found by its tag and ended; one that is in use is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpu_provisioner.errors import LeaseError
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import LeaseState
from gpu_provisioner.providers.base import Target
from gpu_provisioner.reaper import chosen, find_orphans, reap
from jupyter_ext.cli import main
from tests.gpu_provisioner.far import SshLab
from tests.gpu_provisioner.front import Lab, Place
from tests.waiting import UNTIL_KILLED, wait_for

LOCAL = [Target("local", "local")]


def forget(place: Place, lease_id: str) -> None:
    (place.data / "leases" / f"{lease_id}.json").unlink()


def test_a_machine_in_use_is_no_orphan(lab: Lab, place: Place) -> None:
    lab.kernel()
    assert find_orphans(LOCAL, LeaseBook(place.data)) == ([], [])


def test_an_agent_whose_lease_file_is_gone_is_found_and_ended(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    lease = front.holder.lease
    cell = front.begin("print('early', flush=True)\n" + UNTIL_KILLED)
    front.wait(lambda: cell in front.cells and "early" in front.cells[cell].text, "the cell runs")
    front.holder.detach()
    lab.fronts.clear()
    forget(place, lease.id)
    [orphan], problems = find_orphans(LOCAL, LeaseBook(place.data))
    assert (orphan.lease.id, orphan.ours, problems) == (lease.id, True, [])
    assert orphan.owner.endswith(f":{place.data}")
    over = reap(orphan, place.data)
    assert (over.state, over.detail) == (LeaseState.RELEASED, "released by trackside reap")
    wait_for(lambda: not place.processes(), "no process")
    assert b"early" in (place.data / "kernels" / lease.id / "stream").read_bytes()
    assert find_orphans(LOCAL, LeaseBook(place.data)) == ([], [])


def test_one_that_was_begun_from_elsewhere_is_told_and_ended_only_by_name(
    lab: Lab, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    front = lab.kernel()
    lease = front.holder.lease
    elsewhere = place.root / "another-data-folder"
    [orphan], _ = find_orphans(LOCAL, LeaseBook(elsewhere))
    assert not orphan.ours and chosen([orphan], []) == []
    assert main(["--data", str(elsewhere), "reap"]) == 0
    said = capsys.readouterr().out
    assert lease.id in said and str(place.data)[:30] in said and "may be in use" in said
    assert main(["--data", str(elsewhere), "reap", "--yes"]) == 0
    assert "No machine runs" in capsys.readouterr().out
    assert "fine" in front.execute("print('fine')").text
    with pytest.raises(LeaseError, match="nothing was ended"):
        chosen([orphan], ["someone-else"])
    assert chosen([orphan], [lease.id]) == [orphan]


def test_the_command_lists_and_with_yes_ends(
    lab: Lab, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    front = lab.kernel()
    lease = front.holder.lease
    front.holder.detach()
    lab.fronts.clear()
    LeaseBook(place.data).update(lease.id, state=LeaseState.LOST, detail="thought to be dead")
    assert main(["--data", str(place.data), "reap"]) == 0
    assert "ends the one begun from this data folder" in capsys.readouterr().out
    assert place.processes()
    assert main(["--data", str(place.data), "reap", "--yes"]) == 0
    assert f"{lease.id} on " in capsys.readouterr().out
    wait_for(lambda: not place.processes(), "no process")
    assert LeaseBook(place.data).load(lease.id).state == LeaseState.RELEASED


def test_a_target_that_cannot_be_asked_is_named(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = place.root / "trackside.toml"
    config.write_text('[targets.gone]\nprovider = "ssh"\nhost = "no-such-host.invalid"\n')
    monkeypatch.setenv("TRACKSIDE_CONFIG", str(config))
    assert main(["--data", str(place.data), "reap"]) == 1
    told = capsys.readouterr()
    assert "Not asked: gone" in told.err and "as far as could be asked" in told.out


def test_an_orphan_behind_ssh_is_found_and_ended(ssh_lab: SshLab, place: Place) -> None:
    front = ssh_lab.kernel()
    lease = front.holder.lease
    front.holder.detach()
    ssh_lab.fronts.clear()
    forget(place, lease.id)
    [orphan], problems = find_orphans([ssh_lab.target()], LeaseBook(place.data))
    assert (orphan.lease.id, orphan.ours, problems) == (lease.id, True, [])
    reap(orphan, place.data)
    wait_for(lambda: not list(Path(ssh_lab.far.agents).iterdir()), "nothing is left over there")
