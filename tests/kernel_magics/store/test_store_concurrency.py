"""Many writers, several readers and a follower at once: no error, no missing point."""

from __future__ import annotations

import subprocess
import sys

from kernel_magics.store import open_store

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
