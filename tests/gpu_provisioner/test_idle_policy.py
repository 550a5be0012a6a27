"""A kernel that nobody needs is warned about and given back; one that somebody needs never is."""

from __future__ import annotations

import json

import pytest

from gpu_provisioner import wire
from gpu_provisioner.agent.idle import Idleness, Requests, duration
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import LeaseState
from gpu_provisioner.transfer import Transfers
from gpu_provisioner.transfer_carrier import Advance, Wanted
from tests.gpu_provisioner.front import Front, Lab, Place
from tests.waiting import Gate, last_for, wait_for

HOUR = 3600.0


class Clock:
    """Half an hour of idleness in no time."""

    def __init__(self, limit_s: float, gpu: int | None = None) -> None:
        self.now = 1000.0
        self.gpu = gpu
        self.looks = 0
        self.idleness = Idleness(limit_s, self._look_at_gpu, self.now)

    def _look_at_gpu(self) -> int | None:
        self.looks += 1
        return self.gpu

    def run(self, seconds: float, busy: bool = False, step: float = 1.0) -> list[tuple[float, str]]:
        """What was decided, and when (seconds since the beginning)."""
        said = []
        end = self.now + seconds
        while self.now < end:
            self.now += step
            verdict = self.idleness.look(self.now, busy)
            if verdict:
                said.append((self.now - 1000.0, verdict))
            if verdict == "end":
                break
        return said


def test_the_warning_comes_five_minutes_before_the_end_of_half_an_hour() -> None:
    assert Clock(1800).run(HOUR) == [(1500.0, "warn"), (1800.0, "end")]


def test_a_short_limit_has_a_short_warning() -> None:
    assert Clock(100).run(HOUR) == [(80.0, "warn"), (100.0, "end")]


def test_without_a_limit_nothing_ever_happens() -> None:
    assert Clock(0).run(1000 * HOUR, step=60) == []


def test_a_cell_that_runs_for_days_keeps_it_and_the_time_counts_from_its_end() -> None:
    clock = Clock(1800)
    assert clock.run(72 * HOUR, busy=True, step=60) == []
    assert [verdict for _, verdict in clock.run(1700)] == ["warn"]
    assert [verdict for _, verdict in clock.run(200)] == ["end"]


def test_any_request_takes_the_warning_back() -> None:
    clock = Clock(1800)
    assert clock.run(1600) == [(1500.0, "warn")]
    clock.idleness.needed(clock.now)
    assert clock.run(10) == [(1601.0, "stay")]
    assert clock.run(1600)[-1][1] == "warn"


def test_a_gpu_that_works_for_a_process_in_the_background_keeps_it() -> None:
    clock = Clock(1800, gpu=97)
    assert clock.run(10 * HOUR) == []
    clock.gpu = 0
    assert [verdict for _, verdict in clock.run(2 * HOUR)] == ["warn", "end"]


def test_the_gpus_are_asked_only_when_the_end_is_near_and_seldom() -> None:
    clock = Clock(1800, gpu=0)
    clock.run(1400)
    assert clock.looks == 0
    clock.run(HOUR)
    assert 0 < clock.looks <= 32


def test_a_machine_that_slept_is_warned_before_it_is_released() -> None:
    clock = Clock(1800)
    clock.now += 10 * HOUR
    assert [verdict for _, verdict in clock.run(1)] == ["warn"]
    assert clock.run(290) == []
    assert [verdict for _, verdict in clock.run(20)] == ["end"]


def status(state: str, parent: str, channel: int = wire.IOPUB) -> wire.Message:
    parts = [b"{}", json.dumps({"msg_id": parent}).encode(), b"{}"]
    return channel, [*parts, json.dumps({"execution_state": state}).encode()]


def test_a_kernel_works_until_the_last_of_its_requests_has_ended() -> None:
    requests = Requests()
    requests.heard([status("busy", "a"), status("busy", "b"), status("idle", "a")])
    assert requests.busy
    requests.heard([status("idle", "b"), status("starting", ""), status("busy", "c", wire.SHELL)])
    assert not requests.busy
    requests.heard([status("busy", "never ends")])
    requests.forget()
    assert not requests.busy


@pytest.mark.parametrize(("seconds", "text"), [(40, "40 s"), (1800, "30 min"), (9000, "2.5 h")])
def test_times_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def idle_kernel(lab: Lab, idle_s: float) -> Front:
    return lab.front(lab.provision(idle_s=idle_s))


def test_an_idle_kernel_is_released_with_its_lease_and_a_running_one_is_not(
    lab: Lab, place: Place, gate: Gate
) -> None:
    front = idle_kernel(lab, 2.5)
    cell = front.begin(f"{gate.wait}; print('done')")
    last_for(3)  # longer than the limit
    gate.open()
    assert "done" in front.finish(cell).text
    assert not [event for event in front.events if event["type"].startswith("idle")]
    front.wait_event("idle-warning")
    stopping = front.wait_event("stopping")
    assert "idle policy" in stopping["by"]
    book = LeaseBook(place.data)
    lease = wait_for(lambda: _over(book, front.holder.lease.id), "the lease is over")
    assert lease.state == LeaseState.RELEASED and "idle policy" in lease.detail
    wait_for(lambda: not place.processes(), "no process is left")
    assert list(place.agents.iterdir()) == []


def _over(book: LeaseBook, lease_id: str) -> object:
    lease = book.load(lease_id)
    return lease if lease.state == LeaseState.RELEASED else None


def test_a_client_that_types_keeps_it(lab: Lab, place: Place) -> None:
    front = idle_kernel(lab, 10.0)
    front.wait_event("idle-warning")
    book, lease_id = LeaseBook(place.data), front.holder.lease.id
    wait_for(lambda: "is released in" in book.load(lease_id).detail, "the lease shows the warning", 1.0)
    asked = front.send(wire.SHELL, "complete_request", {"code": "pri", "cursor_pos": 3})
    front.wait(lambda: asked in front.cells and front.cells[asked].reply is not None, "completions")
    front.wait_event("idle-over")
    wait_for(lambda: not LeaseBook(place.data).load(front.holder.lease.id).detail, "the warning is gone")
    assert "fine" in front.execute("print('fine')").text


def test_a_machine_is_not_released_under_a_file_that_is_fetched_from_it(lab: Lab, place: Place) -> None:
    """Large results take longer than any idle limit, and no cell runs meanwhile."""
    front = idle_kernel(lab, 2.5)
    (place.root / "results").write_bytes(bytes(60 * 10**6))

    def slowly(advance: Advance) -> None:
        last_for(0.1)
        assert not [event for event in front.events if event["type"].startswith(("idle", "stopping"))]

    transfers = Transfers(front.holder.lease, lambda: front.holder.down_since is None)
    listing = transfers.listing(str(place.root / "results"))
    part = place.root / "part"
    transfers.fetch(listing.root, [Wanted(listing.files[0], part)], lambda *_: None, slowly)
    assert part.stat().st_size == 60 * 10**6
    front.wait_event("stopping")
