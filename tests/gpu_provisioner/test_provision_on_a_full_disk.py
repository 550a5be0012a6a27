"""The disk at home gets full while a machine is being got: it goes back, and everybody says so."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_provisioner.errors import LeaseError
from gpu_provisioner.gpus import parse
from gpu_provisioner.lease_states import refresh
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.provisioner import provision
from gpu_provisioner.typed import Typed
from tests.gpu_provisioner.front import Lab, Place
from tests.gpu_provisioner.small_disk import small_disk_at
from tests.waiting import wait_for


@pytest.fixture
def small_disk(place: Place) -> Iterator[Path]:
    """The data folder is a disk of 1 MiB."""
    with small_disk_at(place.data) as made:
        yield made


def fill(folder: Path) -> None:
    """Until not even an empty file of more than a block can be written."""
    try:
        with (folder / "hog").open("wb", buffering=0) as hog:
            while True:
                hog.write(b"x" * 4096)
    except OSError as error:
        assert error.errno == errno.ENOSPC


@pytest.mark.parametrize("stage", ["offer", "agent", "payload"])
def test_a_machine_goes_back_when_the_disk_here_gets_full_meanwhile(
    small_disk: Path, lab: Lab, place: Place, stage: str
) -> None:
    seen: list[str] = []

    def on_progress(now: str, _text: str) -> None:
        if now == stage and now not in seen:
            fill(small_disk)
        seen.append(now)

    with pytest.raises(LeaseError) as failed:
        provision(
            [parse("cpu")],
            targets=[lab.target()],
            data_dir=place.data,
            asked_for=Typed(("cpu",), (("--on", "local"),)),
            on_progress=on_progress,
        )
    assert stage in seen
    told, remedy = failed.value.message, str(failed.value.remedy)
    assert "cannot be written" in told and "No space left on device" in told
    if stage == "offer":
        assert "nothing was rented" in told
    else:
        assert told.endswith("The machine has been given back, so nothing is billed for it.")
        assert remedy == "free some disk space; then: %gpu_provision cpu --on local"
    wait_for(lambda: not place.processes(), "nothing runs any more")
    (small_disk / "hog").unlink()
    over = refresh(LeaseBook(place.data))
    assert [lease.state for lease in over] == [LeaseState.RELEASED] * len(over)
    assert all("given back" in lease.detail for lease in over)
    assert list(place.agents.glob("*")) == []


def test_that_a_lease_is_over_is_written_down_on_a_full_disk(small_disk: Path) -> None:
    book = LeaseBook(small_disk)
    facts = {"provider": "local", "target": "local", "spec": "cpu", "state": LeaseState.READY, "created": 1.0}
    lease = book.save(Lease(id="cpu-1", name="cpu", detail="a" * 500, **facts))
    fill(small_disk)
    with pytest.raises(LeaseError, match="No space left on device"):
        book.save(lease)
    over = book.finish(lease.id, LeaseState.RELEASED, "released by the user")
    assert book.load(lease.id) == over and over.state == LeaseState.RELEASED
    assert [path.name for path in sorted((small_disk / "leases").iterdir())] == [".lock", "cpu-1.json"]
