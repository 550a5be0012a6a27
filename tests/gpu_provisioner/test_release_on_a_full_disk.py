"""A machine is given back although the disk at home is full: soon, and its rest can be fetched later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_provisioner.home import stream_end
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import LeaseState
from gpu_provisioner.remains import fetch_remains
from tests.gpu_provisioner.front import Lab, Place
from tests.gpu_provisioner.small_disk import make_room, small_disk_at
from tests.waiting import wait_for


@pytest.fixture
def small_disk(place: Place) -> Iterator[Path]:
    """The kernels' folder is a disk of 1 MiB; the leases can still be written."""
    with small_disk_at(place.data / "kernels") as made:
        yield made


def test_a_release_does_not_wait_for_room_and_the_rest_waits_over_there(
    small_disk: Path, lab: Lab, place: Place
) -> None:
    front = lab.kernel()
    lease = front.holder.lease
    front.begin("for turn in range(30): print('%06d' % turn + 'x' * 100_000)\nprint('END')")
    assert "is full" in front.wait_event("notice")["text"]
    over = front.holder.release()
    assert over.state == LeaseState.RELEASED
    assert "the last of what it said waits on its machine, for the disk of" in over.detail
    wait_for(lambda: not place.processes(), "nothing runs any more")
    assert (place.agents / lease.id / "ended.json").exists()
    had = stream_end(small_disk / lease.id)
    make_room(small_disk)
    fetched = fetch_remains(over, place.data, 60)
    assert fetched.state == LeaseState.RELEASED
    assert fetched.detail == "released by the user; all it had said is here"
    assert LeaseBook(place.data).load(lease.id) == fetched
    assert stream_end(small_disk / lease.id) > had + 10**6
    assert b"END" in (small_disk / lease.id / "stream").read_bytes()
    wait_for(lambda: not (place.agents / lease.id).exists(), "nothing is left over there")
