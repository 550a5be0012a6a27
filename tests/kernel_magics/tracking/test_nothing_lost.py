"""Nothing lost: killed at hundreds of random instants, and dozens of writers at once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kernel_magics import paths
from kernel_magics.journal import lock
from kernel_magics.journal.format import Kind
from tests.programs import run_program

KILLS = 500

KILLER = """
import json, mmap, os, random, select, signal, struct, sys
import kernel_magics as km

def call(index):
    if index % 3 == 0:
        return {"x": float(index), "y": -float(index), "z": {"half": index / 2}}
    return {"x": float(index)}

def write(returned):
    run = km.init(capture={"packages": False}, facts={"git": {}})
    (folder,) = [name for name in os.listdir(runs) if name == run.id]
    ids[: len(folder)] = folder.encode()
    index = 0
    while True:
        run.log(call(index), step=7 * index)
        index += 1
        struct.pack_into("<q", returned, 0, index)
        if index == 1:
            os.write(begins, b".")

runs = os.path.join(os.environ["TRACKSIDE_DIR"], "runs")
km.init(name="warm", facts={"git": {}}).finish()   # what the children inherit is imported
random.seed(20261122)
killed = []
for _ in range(int(sys.argv[1])):
    returned, ids = mmap.mmap(-1, 8), mmap.mmap(-1, 64)   # shared with the child, no system call between
    begun, begins = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            write(returned)
        finally:
            os._exit(9)
    if random.random() < 0.8:
        os.read(begun, 1)              # the others are hit where they begin
    select.select([], [], [], random.uniform(0.0, 0.03))   # the random instant
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    os.close(begun)
    os.close(begins)
    killed.append([ids[:].rstrip(b"\\0").decode(), struct.unpack("<q", returned[:])[0]])
json.dump(killed, sys.stdout)
"""


def script(code: str, *arguments: str) -> str:
    """Run ``code`` in an interpreter and a process group of its own; what it printed."""
    done = run_program(code, *arguments, options=("-W", "error"))
    # Dozens that finish at once may have to wait longer for the disk than finish() does; it says so.
    unexpected = [
        line for line in done.stderr.splitlines() if "could not be brought to stable storage" not in line
    ]
    assert (done.returncode, unexpected) == (0, [])
    return done.stdout


def test_every_log_that_returned_before_a_kill_9_is_read_back_in_order_exactly(
    read: Callable[[Path], Any],
) -> None:
    killed = json.loads(script(KILLER, str(KILLS)))
    assert len(killed) == KILLS
    writing = [(run_id, returned) for run_id, returned in killed if returned > 0]
    assert len(writing) > KILLS // 2, "most must be hit while they write"
    assert len({returned for _, returned in writing}) > KILLS // 4, "the instants must differ"
    for run_id, returned in writing:
        (path,) = (paths.runs_dir(paths.data_dir()) / run_id).glob("*.journal")
        record = read(path)
        found = record.points("x")
        assert found == [(7 * index, float(index)) for index in range(len(found))]
        assert returned <= len(found) <= returned + 1, "the log() under way may be there or not"
        thirds = range(0, len(found), 3)
        assert record.points("y") == [(7 * index, -float(index)) for index in thirds]
        assert record.points("z/half") == [(7 * index, index / 2) for index in thirds]
        assert record.skipped == []
        assert lock.is_held(lock.lock_path(path)) is False


WRITERS = """
import os, sys
import kernel_magics as km
from kernel_magics.tracking import active

count, calls = int(sys.argv[1]), int(sys.argv[2])
shared = km.init(name="shared", facts={"git": {}})
go, ready = os.pipe()
children = []
for number in range(count):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(ready)
            os.read(go, 1)                     # all are let go at once, by the end of the pipe
            if number % 4 == 0:
                run = shared                   # inherited: a member
            else:
                active.leave(shared)
                os.environ.pop("TRACKSIDE_RUN", None)          # a child joins its parent's run unless told
                if number % 4 == 2:
                    os.environ["TRACKSIDE_RUN"] = shared.id    # as a subprocess would join
                run = km.init(name=f"own-{number}", capture={"packages": False}, facts={"git": {}})
            for index in range(calls):
                run.log({f"of-{number}": float(index), "common": float(number)}, step=index)
            run.finish()
            code = 0
        finally:
            os._exit(code)
    children.append(child)
os.close(ready)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
shared.finish()
assert codes == [0] * count, codes
print(shared.id)
"""


@pytest.mark.parametrize(("count", "calls"), [(64, 150)])
def test_64_writers_at_once_in_one_folder_and_half_of_them_in_one_run_lose_nothing(
    records: Callable[[str], list[Any]], count: int, calls: int
) -> None:
    shared = script(WRITERS, str(count), str(calls)).strip()
    found: dict[str, list[Any]] = defaultdict(list)
    runs = [folder.name for folder in paths.runs_dir(paths.data_dir()).iterdir()]
    assert len(runs) == 1 + count // 2
    for run_id in runs:
        for record in records(run_id):
            assert (record.skipped, record.tail) == ([], 0)
            ends = [event["name"] for event in record.all(Kind.EVENT)]
            assert ends == ([] if record.head["writer"]["role"] == "main" else ["process-finished"])
            for metric in record.all(Kind.METRIC):
                if metric["name"].startswith("of-"):
                    found[metric["name"]].append((run_id, record.points(metric["name"])))
    assert len(found) == count
    whole = [(index, float(index)) for index in range(calls)]
    for number in range(count):
        ((run_id, points),) = found[f"of-{number}"]
        assert points == whole
        assert (run_id == shared) is (number % 2 == 0)
    assert len(records(shared)) == 1 + count // 2
