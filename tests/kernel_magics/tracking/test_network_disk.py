"""On a network file system points are gathered: a kill costs the last 100 ms, and the record says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import kernel_magics as km
from kernel_magics.journal.format import Kind
from kernel_magics.journal.writer import BATCH_S, HELD_LIMIT
from kernel_magics.store import open_store
from tests.programs import run_program
from tests.waiting import eventually

Records = Callable[[str], list[Any]]
KILLS = 12
POINT = 39
"""Bytes of a points frame of one metric."""

KILLER = """
import json, mmap, os, random, select, signal, struct, sys, time
import kernel_magics as km

ROOM = 400_000
def write(shared):
    run = km.init(capture={"packages": False}, facts={"git": {}})
    struct.pack_into("<30s", shared, 8, run.id.encode())
    for index in range(ROOM):
        before = time.monotonic()
        run.log({"x": float(index)}, step=index)
        struct.pack_into("<dd", shared, 64 + 16 * index, before, time.monotonic())
        struct.pack_into("<q", shared, 0, index + 1)
        if index == 0:
            os.write(begins, b".")
    while True:
        signal.pause()

km.init(name="warm", facts={"git": {}}).finish()      # what the children inherit is imported
random.seed(20261122)
killed = []
for _ in range(int(sys.argv[1])):
    shared = mmap.mmap(-1, 64 + 16 * ROOM)
    begun, begins = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            write(shared)
        finally:
            os._exit(9)
    if random.random() < 0.8:
        os.read(begun, 1)              # the others are hit where they begin
    select.select([], [], [], random.uniform(0.02, 0.2))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(begun)
    os.close(begins)
    count = struct.unpack_from("<q", shared)[0]
    times = list(struct.iter_unpack("<dd", shared[64 : 64 + 16 * count]))[-30_000:]
    killed.append([shared[8:38].rstrip(b"\\0").decode(), count, times])
json.dump(killed, sys.stdout)
"""


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKSIDE_NETWORK_FS", "1")


def test_a_kill_costs_the_points_of_the_last_100_ms_and_the_run_says_so(
    network: None, records: Records
) -> None:
    killer = run_program(KILLER, str(KILLS))
    assert killer.returncode == 0, killer.stderr
    killed = [one for one in json.loads(killer.stdout) if one[1]]
    assert len(killed) > KILLS // 2
    lost_points = 0
    for run_id, returned, times in killed:
        (record,) = records(run_id)
        found = record.points("x")
        assert found == [(index, float(index)) for index in range(len(found))]
        lost = returned - len(found)
        if lost > 0:
            lost_points += lost
            assert times[-1][0] - times[-lost][1] <= BATCH_S, "from the first that is lost to the last"
            assert lost * POINT <= HELD_LIMIT // 8
    assert lost_points > 0, "or nothing was gathered at all"
    with open_store() as store:
        store.refresh()
        for run_id, _returned, _times in killed:
            said = store.run(run_id).status_detail
            assert said == "Its process ended without a word. Points of its last 0.1 s may be missing."


def test_points_that_no_others_follow_are_written_without_being_asked_for(
    network: None, records: Records
) -> None:
    with km.init() as run:
        (record,) = records(run.id)
        assert record.head["writer"]["batch_s"] == BATCH_S
        run.log({"x": 1.0})
        assert eventually(lambda: records(run.id)[0].points("x")) == [(0, 1.0)]


def test_what_is_no_point_is_written_at_once_with_the_points_before_it(
    network: None, records: Records
) -> None:
    with km.init(capture={"packages": False}) as run:
        for step in range(3):
            run.log({"x": float(step)})
            run.record_event("note", detail=str(step))
            (record,) = records(run.id)
            assert len(record.points("x")) == step + 1
            notes = [event["detail"] for event in record.all(Kind.EVENT) if event["name"] == "note"]
            assert notes == [str(n) for n in range(step + 1)]


@pytest.mark.parametrize(("said", "gathers"), [("1", True), ("0", False), ("", False), ("yes", False)])
def test_the_environment_may_say_what_the_mount_table_does_not(
    said: str, gathers: bool, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKSIDE_NETWORK_FS", said)
    with km.init() as run:
        assert ("batch_s" in records(run.id)[0].head["writer"]) is gathers
