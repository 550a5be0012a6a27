"""The process that follows the journals: what it says, when it ends, and several of them at once."""

from __future__ import annotations

import json
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from kernel_magics.errors import UnknownRun
from kernel_magics.store import open_store, trash
from kernel_magics.store.schema import index_path

RUN = "20261122-141503-aaaaaa"


class Following:
    """A follower as Jupyter Server starts it."""

    def __init__(self, data_dir) -> None:
        command = [sys.executable, "-m", "kernel_magics.store.follow", str(data_dir)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        self.lines: queue.Queue[dict] = queue.Queue()
        self.said: list[dict] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def until(self, condition, seconds: float = 20.0) -> dict:
        """The first report from now on for which ``condition`` holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                report = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                break
            self.said.append(report)
            if condition(report):
                return report
        raise AssertionError(f"it never said so; it said {self.said[-5:]}, {self.process.poll()}")

    def end(self) -> int:
        if not self.process.stdin.closed:
            self.process.stdin.close()
        status = self.process.wait(10)
        self.errors = self.process.stderr.read()
        return status


@pytest.fixture
def follow(data_dir):
    started: list[Following] = []

    def start() -> Following:
        started.append(Following(data_dir))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
        for pipe in (one.process.stdin, one.process.stdout, one.process.stderr):
            pipe.close()


def test_it_says_what_is_there_and_what_comes(journal, follow, reopen):
    journal.log({"loss": 1.0}, 0)
    follower = follow()
    first = follower.until(lambda report: RUN in report["runs"])
    assert [RUN, "loss"] in first["metrics"] and first["new_metrics"] == [RUN]
    journal.log({"loss": 2.0}, 1)
    report = follower.until(lambda report: [RUN, "loss"] in report["metrics"])
    assert report["new_metrics"] == [] and report["behind_bytes"] == 0
    reader = reopen(ingest=False)
    assert reader.series(RUN, "loss").value.tolist() == [1.0, 2.0]
    journal.log({"acc": 2.0}, 1)
    assert follower.until(lambda report: report["new_metrics"])["new_metrics"] == [RUN]


def test_it_greets_an_empty_folder_and_ends_when_its_stdin_closes(data_dir, follow):
    follower = follow()
    report = follower.until(lambda report: True)
    assert report == {"runs": [], "metrics": [], "new_metrics": [], "removed": [], "behind_bytes": 0}
    assert follower.end() == 0 and follower.errors == ""


def test_a_run_that_begins_later_and_one_that_is_deleted_are_reported(data_dir, follow, new_journal):
    import shutil

    follower = follow()
    follower.until(lambda report: True)
    new_journal().log({"loss": 1.0}, 0)
    follower.until(lambda report: RUN in report["runs"])
    shutil.rmtree(data_dir / "runs" / RUN)
    follower.until(lambda report: report["removed"] == [RUN])


def test_a_second_follower_reports_the_same_and_goes_on_when_the_first_is_killed(journal, follow):
    first = follow()
    first.until(lambda report: RUN in report["runs"])
    second = follow()
    second.until(lambda report: True)
    journal.log({"loss": 1.0}, 0)
    for one in (first, second):
        one.until(lambda report: [RUN, "loss"] in report["metrics"])
    first.process.kill()
    first.process.wait()
    journal.log({"loss": 2.0}, 1)
    second.until(lambda report: [RUN, "loss"] in report["metrics"])


def test_a_store_beside_a_follower_leaves_the_index_to_it_and_still_sees_everything(journal, follow, reopen):
    follow().until(lambda report: RUN in report["runs"])
    store = reopen()
    for step in range(50):
        journal.log({"loss": float(step)}, step)
        store.refresh()
        assert store.series(RUN, "loss").step.tolist() == list(range(step + 1))


def test_a_damaged_index_is_built_anew_by_the_follower(journal, follow, data_dir, reopen):
    journal.log_many("loss", range(9000), range(9000), range(9000))
    follow().until(lambda report: report["behind_bytes"] == 0 and RUN in report["runs"])
    reader = reopen(ingest=False)
    assert len(reader.series(RUN, "loss")) == 9000
    reader.close()
    import sqlite3

    sql = sqlite3.connect(index_path(data_dir))
    sql.execute("UPDATE chunk SET data=x'00'")
    sql.commit()
    sql.close()
    assert len(reader.series(RUN, "loss")) == 9000


def test_a_killed_run_is_reported_though_its_journal_does_not_grow(data_dir, follow):
    code = (
        "import kernel_magics as km, sys\n"
        "run = km.init(); run.log({'x': 1.0}); print(run.id, flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        run_id = child.stdout.readline().strip()
        follower = follow()
        follower.until(lambda report: run_id in report["runs"])
        with open_store(data_dir, ingest=False) as store:
            assert str(store.run(run_id).status) == "running"
        child.kill()
        child.wait()
        follower.until(lambda report: run_id in report["runs"])
        with open_store(data_dir, ingest=False) as store:
            assert str(store.run(run_id).status) == "killed"
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


def test_wrong_arguments_are_answered_with_the_usage():
    done = subprocess.run(
        [sys.executable, "-m", "kernel_magics.store.follow"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "usage" in done.stderr


def test_a_run_that_is_deleted_and_brought_back_is_reported_both_times(journal, follow, data_dir):
    journal.log({"loss": 1.0}, 0)
    journal.finish()
    follower = follow()
    follower.until(lambda report: report["runs"] == [RUN])
    with open_store(data_dir) as store:
        store.delete(RUN)
        follower.until(lambda report: report["removed"] == [RUN])
        store.restore(RUN)
        follower.until(lambda report: RUN in report["runs"] and report["new_metrics"] == [RUN])
        assert store.refresh() is not None and store.series(RUN, "loss").value.tolist() == [1.0]


def record(name: str) -> str:
    """A whole run by a process of its own; its id."""
    script = f"import kernel_magics as km\nrun = km.init(name={name!r}, capture={{'packages': False}})\n"
    script += "run.log({'loss': 1.0})\nrun.finish()\nprint(run.id)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("what", ["index", "data"])
def test_runs_are_seen_after_somebody_deleted_the_folder(data_dir, follow, monkeypatch, what):
    """A process that holds the deleted files would go on writing where nobody reads."""
    monkeypatch.setenv("TRACKSIDE_DIR", str(data_dir))
    first = record("one")
    following = follow()
    following.until(lambda report: first in report["runs"])
    # At once: the follower makes a folder again that is missing, also one that is being deleted.
    gone = (index_path(data_dir).parent if what == "index" else data_dir).rename(data_dir.with_name("gone"))
    shutil.rmtree(gone)
    if what == "index":
        following.until(lambda report: first in report["runs"])  # built anew: all of it is news
    else:
        following.until(lambda report: first in report["removed"])
    second = record("two")
    following.until(lambda report: second in report["runs"])
    with open_store(data_dir, ingest=False) as store:
        names = {run.name for run in store.runs()}
    assert names == ({"one", "two"} if what == "index" else {"two"})


HALF_MADE = """
import os, signal, sqlite3, sys
sql = sqlite3.connect(sys.argv[1], isolation_level=None)
sql.execute("PRAGMA cache_size=1")
sql.execute("CREATE TABLE t(data)")
sql.execute("BEGIN")
for _ in range(100):
    sql.execute("INSERT INTO t VALUES(zeroblob(100000))")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("what", ["garbage", "half made"])
def test_a_follower_that_begins_with_an_index_nobody_can_read_builds_it_anew(
    what, journal, follow, data_dir, reopen
):
    journal.log({"loss": 1.0}, 0)
    path = index_path(data_dir)
    path.parent.mkdir(parents=True)
    if what == "garbage":
        path.write_bytes(b"this is no database" * 1000)
    else:
        done = subprocess.run([sys.executable, "-c", HALF_MADE, str(path)], check=False)
        assert done.returncode == -signal.SIGKILL and path.with_suffix(".sqlite-journal").exists()
    follower = follow()
    follower.until(lambda report: report["behind_bytes"] == 0 and RUN in report["runs"])
    assert reopen(ingest=False).series(RUN, "loss").value.tolist() == [1.0]
    assert follower.end() == 0


def test_a_run_that_was_deleted_and_restored_unchanged_is_there_again(data_dir, journal, follow):
    journal.log({"loss": 1.0}, 0)
    following = follow()
    following.until(lambda report: not report["behind_bytes"])
    with open_store(data_dir, ingest=False) as store:
        for _ in range(2):
            trash.delete(data_dir, RUN)
            assert store.runs() == []  # at once, whatever the index still says
            with pytest.raises(UnknownRun):
                store.run(RUN)
            following.until(lambda report: RUN in report["removed"])
            trash.restore(data_dir, RUN)
            following.until(lambda report: RUN in report["runs"])
            assert store.run(RUN).summary["loss"] == 1.0
