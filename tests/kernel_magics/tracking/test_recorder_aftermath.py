"""A run whose process died is told by what, once, and no other run is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import kernel_magics as km
from kernel_magics import paths
from kernel_magics.journal.format import Kind
from kernel_magics.tracking import processes
from kernel_magics.tracking.aftermath import close_runs, last_word

Records = Callable[[str], list[Any]]
ROOT = Path(km.__file__).parent.parent

TRACKED = """
import os, subprocess, sys
import kernel_magics as km
run = km.init(name="of " + sys.argv[1])
run.log({"x": 1.0})
if sys.argv[1] == "parent":
    run.finish()
    child = subprocess.Popen([sys.executable, "-c", sys.argv[2], "child", ""], stdin=subprocess.PIPE)
print(run.id, os.getpid(), flush=True)
sys.stdin.read()
os._exit(3)
"""


class Tracked:
    """A process with an unfinished run."""

    def __init__(self, name: str = "process", **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", TRACKED, name, TRACKED],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )
        self.run_id, self.pid = self.next_line()

    def next_line(self) -> tuple[str, int]:
        assert self.process.stdout is not None
        run_id, pid = self.process.stdout.readline().split()
        return run_id, int(pid)

    def end(self, number: int | None) -> dict[str, Any]:
        """End the process by a signal or by itself; the report an agent would write."""
        if number is not None:
            self.process.send_signal(number)
        self.process.communicate()
        returncode = self.process.returncode
        return {"epoch": 1, "pid": self.pid, "returncode": returncode, "signal": number, "reason": ""}


@pytest.fixture
def tracked() -> Iterator[Callable[..., Tracked]]:
    started: list[Tracked] = []

    def start(name: str = "process", **environment: str) -> Tracked:
        started.append(Tracked(name, **environment))
        return started[-1]

    yield start
    for found in started:
        if found.process.poll() is None:
            found.process.kill()
            found.process.communicate()


def ends(records: Records, run_id: str) -> list[dict[str, Any]]:
    return [finish for record in records(run_id) for finish in record.all(Kind.FINISH)]


def test_a_killed_process_leaves_a_run_that_says_by_what(
    tracked: Callable[..., Tracked], records: Records
) -> None:
    victim = tracked()
    report = victim.end(signal.SIGKILL)
    assert close_runs(paths.data_dir(), {**report, "reason": "out of memory"}) == [victim.run_id]
    (finish,) = ends(records, victim.run_id)
    assert finish["status"] == "killed"
    assert finish["detail"] == "killed by signal 9 (SIGKILL): out of memory"
    agent, main = records(victim.run_id)
    assert (agent.head["writer"]["role"], main.head["writer"]["role"]) == ("agent", "main")
    assert {key: agent.head[key] for key in ("id", "name", "project", "created")} == {
        key: main.head[key] for key in ("id", "name", "project", "created")
    }
    (event,) = agent.all(Kind.EVENT)
    assert (event["name"], event["level"], event["pid"]) == ("process-died", "error", victim.pid)
    assert main.points("x") == [(0, 1.0)]


def test_it_is_said_once(tracked: Callable[..., Tracked], records: Records) -> None:
    victim = tracked()
    report = victim.end(signal.SIGSEGV)
    close_runs(paths.data_dir(), report)
    assert close_runs(paths.data_dir(), report) == []
    assert len(ends(records, victim.run_id)) == 1


def test_a_process_that_ended_by_itself_failed(tracked: Callable[..., Tracked], records: Records) -> None:
    victim = tracked()
    assert close_runs(paths.data_dir(), victim.end(None)) == [victim.run_id]
    (finish,) = ends(records, victim.run_id)
    assert (finish["status"], "exit code 3" in finish["detail"]) == ("failed", True)


def test_runs_that_live_are_finished_or_belong_to_others_are_left_alone(
    tracked: Callable[..., Tracked], records: Records
) -> None:
    living, other, victim = tracked(), tracked(), tracked()
    with km.init() as finished:
        pass
    other.end(signal.SIGKILL)
    report = victim.end(signal.SIGKILL)
    assert close_runs(paths.data_dir(), report) == [victim.run_id]
    assert close_runs(paths.data_dir(), {**report, "pid": living.pid}) == []
    assert close_runs(paths.data_dir(), {**report, "pid": 2**30}) == []
    assert len(ends(records, finished.id)) == 1
    assert ends(records, other.run_id) == []


def test_a_report_without_a_process_closes_all_that_died_here(tracked: Callable[..., Tracked]) -> None:
    living, first, second = tracked(), tracked(), tracked()
    report = first.end(signal.SIGKILL)
    second.end(signal.SIGTERM)
    del report["pid"]
    assert close_runs(paths.data_dir(), report) == sorted([first.run_id, second.run_id])
    assert living.process.poll() is None


def test_the_run_of_a_dead_process_s_child_is_closed_when_the_child_is_dead_too(
    tracked: Callable[..., Tracked], records: Records
) -> None:
    parent = tracked("parent")
    child_run, child_pid = parent.next_line()
    os.kill(child_pid, signal.SIGKILL)
    report = parent.end(signal.SIGKILL)
    assert close_runs(paths.data_dir(), report) == [child_run]
    assert ends(records, child_run)[0]["status"] == "killed"


def test_a_process_id_that_is_used_again_is_not_the_process_that_wrote(
    tracked: Callable[..., Tracked], records: Records
) -> None:
    victim = tracked()
    began = processes.start_ticks(victim.pid)
    assert began is not None
    report = victim.end(signal.SIGKILL)
    assert processes.start_ticks(victim.pid) is None
    (main,) = records(victim.run_id)
    assert main.head["writer"]["start_ticks"] == began
    assert close_runs(paths.data_dir(), {**report, "start_ticks": began + 1}) == []
    grandparent = main.head["writer"]["ancestors"][0]
    assert close_runs(paths.data_dir(), {**report, "pid": grandparent, "start_ticks": began + 1}) == []
    assert close_runs(paths.data_dir(), {**report, "start_ticks": began}) == [victim.run_id]


def test_an_ancestor_is_older_than_the_process_that_wrote(tracked: Callable[..., Tracked]) -> None:
    victim = tracked()
    report = victim.end(signal.SIGKILL)
    ticks = processes.start_ticks(os.getpid())
    assert close_runs(paths.data_dir(), {**report, "pid": os.getpid(), "start_ticks": ticks}) == [
        victim.run_id
    ]


RANK_0 = {
    "RANK": "0",
    "WORLD_SIZE": "1",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RUN_ID": "none",
}


def name_journals(run_id: str, *names: str) -> None:
    """Give the main journals of a run other names, the oldest first: a listing is in the names' order."""
    folder = paths.runs_dir(paths.data_dir()) / run_id
    found = sorted(folder.glob("main-*.journal"), key=lambda path: path.stat().st_mtime_ns)
    for path, name in zip(found, names, strict=True):
        path.rename(folder / f"main-{name}.journal")


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_of_several_main_writers_it_is_the_last_whose_death_ends_the_run(
    tracked: Callable[..., Tracked], records: Records, names: tuple[str, str]
) -> None:
    first = tracked("rank", **RANK_0)
    earlier = first.end(signal.SIGKILL)
    again = tracked("rank", **RANK_0)
    assert again.run_id == first.run_id, "torchrun started rank 0 again: it is the same run"
    assert close_runs(paths.data_dir(), earlier) == [], "the run goes on"
    later = again.end(signal.SIGTERM)
    name_journals(first.run_id, *names)
    assert close_runs(paths.data_dir(), earlier) == []
    assert close_runs(paths.data_dir(), later) == [first.run_id]
    assert close_runs(paths.data_dir(), later) == []
    (finish,) = ends(records, first.run_id)
    assert finish["detail"] == "killed by signal 15 (SIGTERM)"


def test_a_run_that_was_closed_and_began_again_is_closed_again(
    tracked: Callable[..., Tracked], records: Records
) -> None:
    first = tracked("rank", **RANK_0)
    assert close_runs(paths.data_dir(), first.end(signal.SIGKILL)) == [first.run_id]
    again = tracked("rank", **RANK_0)
    later = again.end(signal.SIGTERM)
    assert again.run_id == first.run_id
    assert close_runs(paths.data_dir(), later) == [first.run_id]
    assert close_runs(paths.data_dir(), later) == []
    assert sorted(finish["detail"] for finish in ends(records, first.run_id)) == [
        "killed by signal 15 (SIGTERM)",
        "killed by signal 9 (SIGKILL)",
    ]


def test_damaged_and_foreign_files_are_no_obstacle(tracked: Callable[..., Tracked], records: Records) -> None:
    victim = tracked()
    folder = paths.runs_dir(paths.data_dir())
    (folder / "junk").mkdir()
    (folder / "junk" / "x.journal").write_bytes(b"not a journal at all")
    (folder / victim.run_id / "empty.journal").write_bytes(b"")
    assert close_runs(paths.data_dir(), victim.end(signal.SIGKILL)) == [victim.run_id]


def test_a_data_folder_without_runs_has_nothing_to_close(tmp_path: Path) -> None:
    assert close_runs(tmp_path / "none", {"pid": 1}) == []


@pytest.mark.parametrize(
    ("report", "status", "detail"),
    [
        ({"returncode": -9}, "killed", "killed by signal 9 (SIGKILL)"),
        ({"signal": "SIGKILL"}, "killed", "killed by signal 9 (SIGKILL)"),
        ({"signal": "11"}, "killed", "killed by signal 11 (SIGSEGV)"),
        ({"signal": 99}, "killed", "killed by signal 99"),
        (
            {"signal": 11, "reason": "killed by signal 11 (SIGSEGV): a segmentation fault"},
            "killed",
            "killed by signal 11 (SIGSEGV): a segmentation fault",
        ),
        ({}, "killed", "its process ended and nobody saw how"),
        ({"returncode": 0}, "failed", "its process ended with exit code 0 before the run did"),
        (
            {"returncode": 1, "reason": "it ended by itself with exit code 1"},
            "failed",
            "it ended by itself with exit code 1",
        ),
    ],
)
def test_the_last_word_names_the_signal(report: dict[str, Any], status: str, detail: str) -> None:
    word = last_word(report)
    assert (word["status"], word["detail"]) == (status, detail)
