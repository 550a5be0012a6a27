"""Many writers, several readers and a follower at once: no error, no missing point."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest

from kernel_magics.store import open_store
from kernel_magics.store.schema import index_path, open_reader, open_writer

WRITER = """
import sys
import kernel_magics as km
with km.init(project="many", name=sys.argv[1]) as run:
    for step in range(3000):
        run.log({"loss": float(step), "acc": step / 2}, step=step)
"""
READER = """
import sys
from kernel_magics.store import open_store
writers, calls = int(sys.argv[1]), int(sys.argv[2])
told = False
with open_store() as store:
    print("ready", flush=True)
    while sum(str(run.status) == "finished" for run in store.runs(project="many")) < writers:
        store.refresh()
        for run in store.runs(project="many"):
            if "loss" in {metric.name for metric in store.metrics([run.id])[run.id]}:
                steps = store.series(run.id, "loss").step.tolist()
                assert steps == list(range(len(steps))), "a hole"
                store.window([run.id], "loss", width=100)
                if 0 < len(steps) < calls and not told:
                    told = True
                    print("some of it", flush=True)
"""
WRITERS = """
import os, sys
import kernel_magics as km
km.init(name="warm", facts={"git": {}}).finish()      # what the writers inherit is imported
count, calls = int(sys.argv[1]), int(sys.argv[2])
begin, begun = os.pipe()                              # the end of a pipe lets all go at once
go_on, goes_on = os.pipe()
children = []
for number in range(count):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(begun)
            os.close(goes_on)
            os.read(begin, 1)
            with km.init(project="many", name=f"w{number}", facts={"git": {}, "packages": {}}) as run:
                for step in range(calls):
                    run.log({"loss": float(step), "acc": step / 2}, step=step)
                    if step == calls // 2:
                        os.read(go_on, 1)
            code = 0
        finally:
            os._exit(code)
    children.append(child)
os.close(begun)
sys.stdin.readline()                                  # until readers have seen what is half done
os.close(goes_on)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
assert codes == [0] * count, codes
"""
REBUILDER = """
import sys
from kernel_magics.store import open_store
for turn in range(6):
    with open_store() as store:
        store.refresh()
        if turn % 3 == 2:
            store.rebuild()
        assert len(store.series(sys.argv[1], "loss").value) == 3000
"""


def test_a_recorded_run_is_never_denied_while_others_build_the_index_anew(data_dir, monkeypatch):
    monkeypatch.setenv("TRACKSIDE_DIR", str(data_dir))
    subprocess.run([sys.executable, "-c", WRITER, "one"], check=True)
    with open_store(data_dir) as store:
        store.refresh()
        (run,) = store.runs()
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", REBUILDER, run.id]
    processes = [subprocess.Popen(command, stderr=pipe, text=True) for _ in range(4)]
    for process in processes:
        _out, said = process.communicate(timeout=120)
        assert process.returncode == 0, said


@pytest.mark.parametrize(("writers", "calls"), [(64, 1500)])
def test_64_writers_4_readers_and_a_follower_at_once(writers, calls, data_dir):
    pipe = subprocess.PIPE
    follower = subprocess.Popen(
        [sys.executable, "-m", "kernel_magics.store.follow", str(data_dir)],
        stdin=pipe,
        stdout=subprocess.DEVNULL,
        stderr=pipe,
    )
    pipes = {"stdin": pipe, "stdout": pipe, "stderr": pipe, "text": True}
    numbers = [str(writers), str(calls)]
    readers = [subprocess.Popen([sys.executable, "-c", READER, *numbers], **pipes) for _ in range(4)]
    started = [follower, *readers]
    try:
        assert [reader.stdout.readline() for reader in readers] == ["ready\n"] * 4
        started.append(subprocess.Popen([sys.executable, "-c", WRITERS, *numbers], **pipes))
        assert [reader.stdout.readline() for reader in readers] == ["some of it\n"] * 4
        for process in (started[-1], *readers):
            _out, said = process.communicate("go on\n", timeout=150)
            unexpected = [line for line in said.splitlines() if not is_about_the_disk(line)]
            assert (process.returncode, unexpected) == (0, [])
        assert follower.poll() is None
        _out, said = follower.communicate(timeout=20)
        assert (follower.returncode, said) == (0, b"")
    finally:
        for process in started:
            process.kill()
            process.communicate()
    with open_store(data_dir) as store:
        store.refresh()
        runs = store.runs(project="many")
        assert len(runs) == writers
        for run in runs:
            loss, acc = store.series(run.id, "loss"), store.series(run.id, "acc")
            np.testing.assert_array_equal(loss.step, np.arange(calls))
            np.testing.assert_array_equal(loss.value, np.arange(calls))
            np.testing.assert_array_equal(acc.value, np.arange(calls) / 2)
            assert store.events(run.id) == []


def is_about_the_disk(line: str) -> bool:
    """Dozens that finish at once may have to wait longer for the disk than finish() does; it says so."""
    return "could not be brought to stable storage" in line or line.startswith("  ")


def test_a_reader_never_meets_an_index_that_is_half_made(data_dir, monkeypatch):
    """What another process could see is looked at before every statement that makes a new index."""
    path = index_path(data_dir)
    path.parent.mkdir(parents=True)
    seen = []

    def look(_statement: str) -> None:
        try:
            with closing(open_reader(path)) as sql:
                seen.append(sql.execute("SELECT count(*) FROM run").fetchone()[0])
        except sqlite3.DatabaseError as error:
            seen.append(str(error))

    def watched(place, **more):
        sql = real(place, **more)
        if "mode=ro" not in str(place) and str(place) != ":memory:":
            sql.set_trace_callback(look)
        return sql

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", watched)
    open_writer(path, data_dir).close()
    assert len(seen) > 20 and set(seen) == {0}
