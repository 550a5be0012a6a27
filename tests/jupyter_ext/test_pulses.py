"""How leases are doing, on a real server with a real agent: the line, the machine's load, the agent's log."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gpu_provisioner import gpus, provisioner, pulse
from gpu_provisioner.agent.places import process_birth, read_json
from gpu_provisioner.home import home_folder
from gpu_provisioner.lease_lock import lock_lease
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.providers import provider_of_lease
from gpu_provisioner.providers.base import Target
from jupyter_ext.pulses import Pulses, link_of

Ask = Callable[..., Awaitable[Any]]
LOG = {"spec": "/leases/{lease}/log", "request_timeout": 60}


@pytest.fixture
def lease(jp_serverapp: Any, data_dir: Path) -> Iterator[Lease]:
    """A lease of this machine whose agent runs and whom no notebook holds."""
    targets = [Target("local", "local")]
    rented = provisioner.provision([gpus.parse("cpu")], targets=targets, data_dir=data_dir)
    yield rented
    provider_of_lease(rented).release(rented)  # the server, which may hold it, cannot let go of it meanwhile


def a_watch(number: int, pulses: bool) -> dict[str, Any]:
    return {"type": "watch", "id": number, "series": [], "pulses": pulses}


def samples(message: dict[str, Any], lease: Lease) -> list[dict[str, Any]]:
    """Those of the lease in a message of the feed."""
    if message["type"] != "pulses":
        return []
    return [one for each in message["pulses"] if each["lease"] == lease.id for one in each["samples"]]


async def test_a_machines_load_is_pushed_to_who_looks_and_each_sample_once(listen: Ask, lease: Lease) -> None:
    browser = await listen()
    await browser.say(a_watch(1, True))
    seen: list[dict[str, Any]] = []

    def enough(message: dict[str, Any]) -> bool:
        seen.extend(samples(message, lease))
        return len(seen) >= 3

    await browser.until(enough, 60)
    assert [one["time"] for one in seen] == sorted({one["time"] for one in seen})
    assert all(0 < one["memory_gib"] < one["memory_total_gib"] for one in seen)
    assert all(0 <= one["cpu_percent"] <= 100 for one in seen[1:])
    assert all((one["gpus"], one["problem"]) == ([], "") for one in seen)


async def test_who_looks_later_is_given_what_came_before(listen: Ask, lease: Lease) -> None:
    first = await listen()
    await first.say(a_watch(1, True))
    message = await first.until(lambda message: samples(message, lease), 60)
    (earliest, *_) = samples(message, lease)
    second = await listen()
    await second.say(a_watch(1, True))
    message = await second.until(lambda message: message["type"] == "pulses")
    assert samples(message, lease)[0] == earliest


async def test_the_line_is_told_with_who_holds_it(
    listen: Ask, ask: Ask, lease: Lease, data_dir: Path
) -> None:
    browser = await listen()

    def is_up(message: dict[str, Any]) -> bool:
        links = [one["link"] for one in message.get("leases", ()) if one["id"] == lease.id]
        return [(link["state"], link["holder"]) for link in links] == [("up", "server")]

    message = await browser.until(is_up, 60)
    assert message["leases"][0]["link"]["since"] > lease.created


async def test_a_broken_line_is_down_with_since_when_and_why_and_is_up_again_by_itself(
    listen: Ask, lease: Lease, data_dir: Path
) -> None:
    browser = await listen()
    folder = home_folder(data_dir, lease.id)

    def is_down(message: dict[str, Any]) -> bool:
        return message["type"] == "leases" and message["leases"][0]["link"]["state"] == "down"

    held = lock_lease(folder, lease)
    try:
        holder = pulse.Pulse(folder, lambda: False)
        holder.line_is("down", 5.0, "no route to host")
        link = (await browser.until(is_down, 60))["leases"][0]["link"]
    finally:
        held.close()
    assert link == {"state": "down", "since": 5.0, "detail": "no route to host", "holder": "notebook"}
    await browser.until(lambda message: message["type"] == "leases" and not is_down(message), 60)


def test_the_note_of_a_holder_that_is_gone_is_not_believed(data_dir: Path) -> None:
    lease = Lease("a-1", "a", "local", "local", "cpu", LeaseState.READY, 5.0)
    folder = home_folder(data_dir, lease.id)
    assert link_of(data_dir, lease.id)["state"] == "none"
    held = lock_lease(folder, lease)
    note = '{"pid": 1, "state": "up", "since": 5.0, "detail": ""}'
    (folder / pulse.LINE_NOTE).write_text(note)  # of an earlier holder
    assert link_of(data_dir, lease.id)["state"] == "new"
    held.close()
    assert link_of(data_dir, lease.id) == {"state": "none", "since": None, "detail": "", "holder": None}


def test_a_sample_from_a_strange_machine_is_spelled_as_specified(data_dir: Path) -> None:
    folder = home_folder(data_dir, "a-1")
    pulses = Pulses(data_dir, lambda: ["a-1"])
    pulse.watch(folder)
    (folder / pulse.PULSE_NOTE).write_text(
        '{"samples": [{"time": "x", "gpus": [5]}, 7, {"gpus": 3}, {"time": 9.5}]}'
    )
    text, told = pulses.message({})
    assert told == {"a-1": 9.5} and '"time":9.5' in text and '"memory_gib":null' in text
    assert pulses.message(told)[0] == '{"type":"pulses","pulses":[{"lease":"a-1","samples":[]}]}'


def test_each_sample_is_told_once_whatever_the_clocks_say(data_dir: Path) -> None:
    pulses = Pulses(data_dir, lambda: ["a-1", "b-1"])
    told: Mapping[str, float] = {}

    def tell(**times: list[float]) -> dict[str, list[float]]:
        nonlocal told
        for name, of_lease in times.items():
            folder = home_folder(data_dir, f"{name}-1")
            pulse.watch(folder)
            (folder / pulse.PULSE_NOTE).write_text(json.dumps({"samples": [{"time": t} for t in of_lease]}))
        text, told = pulses.message(told)
        said = json.loads(text)["pulses"]
        return {one["lease"]: [sample["time"] for sample in one["samples"]] for one in said}

    assert tell(a=[10.0], b=[20.0]) == {"a-1": [10.0], "b-1": [20.0]}
    # Written after the other lease's, though taken before it.
    assert tell(a=[10.0, 15.0], b=[20.0]) == {"a-1": [15.0], "b-1": []}
    # The clock was set back by an hour.
    assert tell(b=[20.0, -3580.0]) == {"a-1": [], "b-1": [-3580.0]}
    assert tell(b=[20.0, -3580.0, -3578.0]) == {"a-1": [], "b-1": [-3578.0]}
    assert tell(b=[-3576.0, -3574.0]) == {"a-1": [], "b-1": [-3576.0, -3574.0]}


def test_a_lease_whose_folder_is_not_safe_does_not_end_the_watching_of_the_others(data_dir: Path) -> None:
    (data_dir / "elsewhere").mkdir(parents=True)
    home_folder(data_dir, "cpu-bad-1").parent.mkdir()
    home_folder(data_dir, "cpu-bad-1").symlink_to(data_dir / "elsewhere")
    Pulses(data_dir, lambda: ["cpu-bad-1", "cpu-good-1"]).look()
    assert pulse.is_watched(home_folder(data_dir, "cpu-good-1"))


async def test_nothing_is_measured_when_nobody_looks(data_dir: Path) -> None:
    folder = home_folder(data_dir, "a-1")
    assert not pulse.is_watched(folder)
    pulse.watch(folder)
    assert pulse.is_watched(folder)
    os.utime(folder / "watched", (0, 0))
    assert not pulse.is_watched(folder)


async def test_the_agents_log_is_read_piece_by_piece(ask: Ask, lease: Lease) -> None:
    path = Path(lease.handle["folder"]) / "agent.log"
    with path.open("ab") as log:
        log.write("first <b>lïne</b>\n".encode())
    whole = await ask("leases", lease.id, "log", **LOG)
    assert whole["text"].endswith("first <b>lïne</b>\n") and whole["end"] == whole["size"]
    with path.open("ab") as log:
        log.write("half a ï".encode()[:-1])
    piece = await ask("leases", lease.id, "log", params={"offset": str(whole["end"])}, **LOG)
    assert (piece["text"], piece["start"]) == ("half a ", whole["end"])
    with path.open("ab") as log:
        log.write("ï\n".encode()[1:])
    rest = await ask("leases", lease.id, "log", params={"offset": str(piece["end"])}, **LOG)
    assert rest["text"] == "ï\n"


async def test_a_long_log_is_told_from_its_end_and_one_begun_anew_from_its_beginning(
    ask: Ask, lease: Lease
) -> None:
    assert (await ask("leases", lease.id, "log", params={"name": "kernel"}, **LOG))["missing"] is False
    path = Path(lease.handle["folder"]) / "agent.log"
    path.write_bytes(b"x" * 200_000 + b"end")
    piece = await ask("leases", lease.id, "log", **LOG)
    assert (len(piece["text"]), piece["text"][-3:], piece["end"]) == (64 << 10, "end", 200_003)
    path.write_bytes(b"anew")
    piece = await ask("leases", lease.id, "log", params={"offset": "200003"}, **LOG)
    assert (piece["text"], piece["start"]) == ("anew", 0)


async def test_a_log_that_is_no_more_and_one_that_never_was(ask: Ask, lease: Lease, data_dir: Path) -> None:
    await ask("leases", lease.id, spec="/leases/{lease}", method="DELETE", status=204, request_timeout=60)
    assert (await ask("leases", lease.id, "log", **LOG))["missing"] is True
    wrong = await ask("leases", lease.id, "log", params={"name": "../agent"}, status=400, **LOG)
    assert "agent and kernel" in wrong["message"]
    await ask("leases", "nobody-1", "log", status=404, **LOG)


async def test_an_agent_that_is_killed_leaves_its_log(ask: Ask, lease: Lease, wait_for: Ask) -> None:
    folder = Path(lease.handle["folder"])
    pid = (read_json(folder / "agent.json") or {})["pid"]
    with (folder / "agent.log").open("ab") as log:
        log.write(b"the last word\n")
    os.kill(pid, 9)

    async def is_dead() -> bool:
        return process_birth(pid) is None

    await wait_for(is_dead)
    assert "the last word" in (await ask("leases", lease.id, "log", **LOG))["text"]
