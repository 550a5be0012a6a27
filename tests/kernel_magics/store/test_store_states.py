"""The store reads what the recorder writes, and knows whether a run still runs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

import kernel_magics as km
from kernel_magics.journal import lock
from kernel_magics.model import RunStatus

RUN = "20261122-141503-aaaaaa"

TRAINING = """
import sys
import kernel_magics as km
run = km.init(project="p", name="n", config={"lr": 0.1})
for step in range(100):
    run.log({"loss": 1.0 / (step + 1)}, step=step)
print(run.id, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def training(data_dir) -> Iterator[tuple[subprocess.Popen, str]]:
    child = subprocess.Popen(
        [sys.executable, "-c", TRAINING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdin is not None
    yield child, child.stdout.readline().strip()
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()


def test_what_was_logged_is_read_back(data_dir, reopen):
    with km.init(project="digits", name="lr=0.1", config={"lr": 0.1}, tags=["t"], group="g") as run:
        for step in range(1000):
            run.log({"train": {"loss": 1.0 / (step + 1)}, "acc": step}, step=step)
        run.summary["best"] = 0.5
    store = reopen()
    info = store.run(run.id)
    assert (info.status, info.project, info.name, info.tags, info.group) == (
        RunStatus.FINISHED,
        "digits",
        "lr=0.1",
        ("t",),
        "g",
    )
    assert info.config["lr"] == 0.1 and info.summary["best"] == 0.5 and info.summary["acc"] == 999
    series = store.series(run.id, "train/loss")
    assert series.step.tolist() == list(range(1000))
    assert series.value.tolist() == [1.0 / (step + 1) for step in range(1000)]


def test_a_run_of_this_process_is_running_until_it_finishes(data_dir, reopen):
    run = km.init()
    run.log({"loss": 1.0})
    store = reopen()
    assert store.run(run.id).status == RunStatus.RUNNING
    other = store.runs()  # looking must not drop the lock that this process itself holds
    assert other[0].status == RunStatus.RUNNING and store.run(run.id).status == RunStatus.RUNNING
    run.finish()
    assert run.id in store.refresh().runs
    assert store.run(run.id).status == RunStatus.FINISHED


def test_a_killed_run_is_killed_with_every_point_and_counts_as_changed(training, reopen):
    child, run_id = training
    store = reopen()
    assert store.run(run_id).status == RunStatus.RUNNING
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert store.refresh().runs == {run_id}
    info = store.run(run_id)
    assert (info.status, info.status_detail) == (RunStatus.KILLED, "Its process ended without a word.")
    assert info.finished is not None and info.finished >= info.created
    assert len(store.series(run_id, "loss")) == 100
    assert not store.refresh()


def test_a_run_that_has_just_ended_is_never_called_killed_by_an_index_that_is_behind(data_dir, reopen):
    run = km.init()
    run.log({"loss": 1.0})
    ingesting, reading = reopen(), reopen(ingest=False)
    run.finish()  # its lock is free; the index has not read how it ended
    assert reading.run(run.id).status == RunStatus.RUNNING
    assert [info.status for info in reading.runs()] == [RunStatus.RUNNING]
    ingesting.refresh()
    assert reading.run(run.id).status == RunStatus.FINISHED


def test_a_killed_run_is_killed_once_all_that_it_recorded_has_been_read(training, reopen):
    child, run_id = training
    ingesting, reading = reopen(), reopen(ingest=False)
    child.kill()
    child.wait()
    journal = next((reading.data_dir / "runs" / run_id).glob("*.journal"))
    torn = journal.read_bytes() + b"\x05torn"
    journal.write_bytes(torn)  # as a process leaves it that is killed in the middle of a frame
    assert reading.run(run_id).status == RunStatus.RUNNING
    ingesting.refresh()
    assert reading.run(run_id).status == RunStatus.KILLED


def test_the_agent_s_word_on_a_killed_run_is_the_last_word(training, reopen, new_journal):
    child, run_id = training
    child.kill()
    child.wait()
    created = reopen().run(run_id).created
    agent = new_journal(run_id, "agent", created=created + 5)
    agent.json(12, time=created + 6, status="killed", detail="killed by signal 9 (SIGKILL)")
    info = reopen().run(run_id)
    assert (info.status, info.status_detail) == (RunStatus.KILLED, "killed by signal 9 (SIGKILL)")
    assert info.name == "n" and info.config["lr"] == 0.1


def test_a_run_of_another_host_is_unknown_with_the_time_of_its_last_word(new_journal, reopen):
    journal = new_journal(host="somewhere-else")
    journal.path.with_suffix(".lock").touch()
    info = reopen().run(journal.run_id)
    assert info.status == RunStatus.UNKNOWN and "since 2" in info.status_detail


def test_a_run_without_a_lock_file_is_unknown(new_journal, reopen):
    journal = new_journal(host=socket.gethostname())
    assert reopen().run(journal.run_id).status == RunStatus.UNKNOWN


@pytest.mark.parametrize(
    ("state", "status"),
    [("ready", RunStatus.RUNNING), ("lost", RunStatus.KILLED), ("released", RunStatus.UNKNOWN)],
)
def test_a_run_on_a_leased_machine_runs_while_its_lease_lives(state, status, new_journal, reopen, data_dir):
    journal = new_journal(host="gpu-box")
    journal.json(2, lease="a100-k3f9qz", host="gpu-box")
    (data_dir / "leases").mkdir()
    (data_dir / "leases" / "a100-k3f9qz.json").write_text(json.dumps({"id": "a100-k3f9qz", "state": state}))
    assert reopen().run(journal.run_id).status == status


@pytest.mark.parametrize("state", ["lost", "released"])
def test_a_run_that_ended_with_its_lease_is_called_nothing_else_before_its_end_is_read(
    state, new_journal, reopen, data_dir
):
    journal = new_journal(host="gpu-box")
    journal.json(2, lease="a100-k3f9qz", host="gpu-box")
    ingesting, reading = reopen(), reopen(ingest=False)
    journal.json(12, status="finished", time=2e9)
    (data_dir / "leases").mkdir()
    (data_dir / "leases" / "a100-k3f9qz.json").write_text(json.dumps({"id": "a100-k3f9qz", "state": state}))
    assert reading.run(journal.run_id).status == RunStatus.RUNNING
    ingesting.refresh()
    assert reading.run(journal.run_id).status == RunStatus.FINISHED


def test_a_lease_cannot_lead_out_of_its_folder(new_journal, reopen, data_dir):
    (data_dir / "elsewhere.json").parent.mkdir(exist_ok=True)
    journal = new_journal(host="gpu-box")
    journal.json(2, lease="../elsewhere", host="gpu-box")
    (data_dir / "elsewhere.json").write_text(json.dumps({"state": "ready"}))
    (data_dir / "leases").mkdir()
    assert reopen().run(journal.run_id).status == RunStatus.UNKNOWN


def main_writer(began: float) -> dict[str, object]:
    """What a rank 0 says of itself; all that torchrun starts in a row say the same of the run."""
    return {"role": "main", "began": began, "host": socket.gethostname()}


def test_a_run_whose_rank_0_torchrun_started_again_goes_on_until_that_one_says_its_end(new_journal, reopen):
    first = new_journal(writer="w-first", person=main_writer(1000.0))
    first.finish(
        "failed", time=1010.0, detail="ValueError: no", error={"ename": "ValueError", "evalue": "no"}
    )
    store = reopen()
    assert store.run(RUN).status == RunStatus.FAILED
    # Its name sorts before the first one's: only the times say which is later.
    second = new_journal(writer="again", person=main_writer(1020.0))
    lock_file = lock.lock_path(second.path)
    assert lock.acquire(lock_file)
    store.refresh()
    info = store.run(RUN)
    assert (info.status, info.status_detail, info.finished, info.error) == (RunStatus.RUNNING, "", None, None)
    second.finish(time=1030.0)
    lock.release(lock_file)
    store.refresh()
    assert (store.run(RUN).status, store.run(RUN).finished) == (RunStatus.FINISHED, 1030.0)
    store.rebuild()
    assert (store.run(RUN).status, store.run(RUN).finished) == (RunStatus.FINISHED, 1030.0)


def test_a_rank_0_that_was_started_again_and_died_is_killed_whatever_the_one_before_said(new_journal, reopen):
    first = new_journal(writer="a", person=main_writer(1000.0))
    first.finish(time=1010.0)
    again = new_journal(writer="b", person=main_writer(1020.0))
    for one in (first, again):
        lock.lock_path(one.path).touch()
    store = reopen()
    assert store.run(RUN).status == RunStatus.KILLED
    agent = new_journal(writer="agent", person={**main_writer(1025.0), "role": "agent"})
    agent.finish("killed", time=1025.0, detail="killed by signal 9 (SIGKILL)")
    store.refresh()
    assert store.run(RUN).status_detail == "killed by signal 9 (SIGKILL)"


@pytest.mark.parametrize("end", [-500.0, 1010.0])
def test_ranks_that_join_and_a_clock_that_jumps_back_do_not_reopen_a_run(end, new_journal, reopen):
    first = new_journal(writer="a", person=main_writer(990.0))
    first.log({"loss": 1.0}, 0)
    ended = new_journal(writer="b", person=main_writer(1000.0))
    ended.finish(time=end)
    new_journal(writer="c", person={**main_writer(1020.0), "role": "member"})
    assert reopen().run(RUN).status == RunStatus.FINISHED
