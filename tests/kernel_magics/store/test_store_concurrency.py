"""Many writers, several readers and a follower at once: no error, no missing point."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing

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
with open_store() as store:
    while len([run for run in store.runs() if str(run.status) == "finished"]) < int(sys.argv[1]):
        store.refresh()
        for run in store.runs():
            if store.metrics([run.id])[run.id]:
                steps = store.series(run.id, "loss").step.tolist()
                assert steps == list(range(len(steps))), "a hole"
                store.window([run.id], "loss", width=100)
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


def test_writers_readers_and_a_follower_at_once(data_dir):
    count = 6
    pipe = subprocess.PIPE
    follower = subprocess.Popen(
        [sys.executable, "-m", "kernel_magics.store.follow", str(data_dir)],
        stdin=pipe,
        stdout=subprocess.DEVNULL,
        stderr=pipe,
    )
    started = [subprocess.Popen([sys.executable, "-c", READER, str(count)], stderr=pipe) for _ in range(2)]
    started += [subprocess.Popen([sys.executable, "-c", WRITER, f"w{n}"], stderr=pipe) for n in range(count)]
    try:
        for process in started:
            _out, said = process.communicate(timeout=120)
            assert process.returncode == 0, said.decode()
        assert follower.poll() is None
        _out, said = follower.communicate(timeout=20)
        assert (follower.returncode, said) == (0, b"")
    finally:
        for process in [*started, follower]:
            process.kill()
            process.wait()
    with open_store(data_dir) as store:
        store.refresh()
        runs = store.runs(project="many")
        assert len(runs) == count
        for run in runs:
            assert store.series(run.id, "loss").value.tolist() == [float(step) for step in range(3000)]
            assert len(store.series(run.id, "acc")) == 3000


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
