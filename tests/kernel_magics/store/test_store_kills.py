"""Writers and ingesters that are killed at random instants, at the same time: nothing lost, nothing twice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from kernel_magics.model import RunStatus
from kernel_magics.store import open_store
from tests.programs import run_program

KILLS = 120

KILLER = """
import io, json, mmap, os, random, select, signal, struct, sys, traceback
import kernel_magics as km
from pathlib import Path
from kernel_magics.store import follow, ingest

data = Path(os.environ["TRACKSIDE_DIR"])
ingest.BATCH, ingest.HEAD = 100_000, 50_000    # many transactions, so that many are hit

def write(returned, name):
    run = km.init(name=name, capture={"packages": False}, facts={"git": {}})
    struct.pack_into("<30s", returned, 8, run.id.encode())
    index = 0
    while True:
        values = {"x": float(index), "y": -float(index)} if index % 3 == 0 else {"x": float(index)}
        run.log(values, step=index)
        index += 1
        struct.pack_into("<q", returned, 0, index)
        if index == 1:
            os.write(begins, b".")

def child_of(act, *arguments):
    child = os.fork()
    if child == 0:
        try:
            act(*arguments)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(9)
    return child

def kill(child):
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

random.seed(20261122)
km.init(name="warm", facts={"git": {}}).finish()      # what the children inherit is imported
killed, ingesters, ingester = [], 0, None
for number in range(int(sys.argv[1])):
    if ingester is None:
        ingester = child_of(lambda: follow.Follower(data, io.StringIO()).run())
        ingesters += 1
    returned = mmap.mmap(-1, 64)
    begun, begins = os.pipe()
    writer = child_of(write, returned, str(number))
    if random.random() < 0.8:
        os.read(begun, 1)              # the others are hit where they begin
    select.select([], [], [], random.uniform(0.0, 0.04))   # the random instant
    order = [writer, ingester] if random.random() < 0.6 else [writer]
    random.shuffle(order)
    for child in order:
        kill(child)
    if ingester in order:
        ingester = None
    os.close(begun)
    os.close(begins)
    killed.append([returned[8:38].rstrip(b"\\0").decode(), struct.unpack_from("<q", returned)[0]])
if ingester is not None:
    kill(ingester)
json.dump({"killed": killed, "ingesters": ingesters}, sys.stdout)
"""


def test_writers_and_ingesters_killed_at_once_lose_nothing_and_count_nothing_twice(data_dir: Path) -> None:
    killer = run_program(KILLER, str(KILLS), options=("-W", "error"))
    assert killer.returncode == 0, killer.stderr
    said = json.loads(killer.stdout)
    writing = [(run_id, returned) for run_id, returned in said["killed"] if returned > 0]
    assert len(writing) > KILLS // 2, "most must be hit while they write"
    assert said["ingesters"] > KILLS // 3
    with open_store(data_dir) as store:
        store.refresh()
        for _index_as_it_grew_and_one_built_at_once in range(2):
            for run_id, returned in writing:
                check(store, run_id, returned)
            store.rebuild()


def check(store, run_id: str, returned: int) -> None:
    """Every ``log()`` that returned, in order and exactly; the one under way may be there or not."""
    x, y = store.series(run_id, "x"), store.series(run_id, "y")
    count = len(x)
    assert returned <= count <= returned + 1
    np.testing.assert_array_equal(x.step, np.arange(count))
    np.testing.assert_array_equal(x.value, np.arange(count))
    np.testing.assert_array_equal(y.value, -np.arange(0.0, count, 3))
    (window,) = store.window([run_id], "x", width=10)
    assert (window.points, window.max.max()) == (count, count - 1)
    (summary,) = [one for one in store.metric_summaries([run_id])[run_id] if one.name == "x"]
    assert (summary.count, summary.last, summary.last_step) == (count, count - 1, count - 1)
    assert store.run(run_id).status == RunStatus.KILLED
    assert store.events(run_id) == []
