"""Ids that are taken, journals of a later version, folders of others, clocks that jump."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kernel_magics as km
from kernel_magics import paths
from kernel_magics.journal import format as fmt
from kernel_magics.journal.format import Kind
from kernel_magics.store import open_store
from kernel_magics.tracking import active
from kernel_magics.tracking.aftermath import close_runs
from kernel_magics.tracking.clock import ClockWatch
from kernel_magics.tracking.notices import TracksideWarning

Records = Callable[[str], list[Any]]
ROOT = Path(km.__file__).parent.parent


def test_an_id_that_is_taken_is_drawn_again(monkeypatch: pytest.MonkeyPatch, records: Records) -> None:
    first = km.init()
    first.finish()
    ids = iter([first.id, first.id, "20261122-000000-second"])
    monkeypatch.setattr(active, "new_run_id", lambda now=None: next(ids))
    with km.init() as second:
        second.log({"x": 1.0})
    assert second.id == "20261122-000000-second"
    assert len(records(first.id)) == 1


SAME_ID = """
import sys
import kernel_magics as km
from kernel_magics.tracking import active
active.new_run_id = lambda now=None: "20261122-000000-sameid"
active._is_folder = lambda path: False        # both look before either has begun
run = km.init(name=sys.argv[1])
print("begun", flush=True)
sys.stdin.readline()
for step in range(1000):
    run.log({"of-" + sys.argv[1]: float(step)})
run.finish()
"""


def test_two_processes_with_the_same_run_id_both_keep_all(records: Records) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", SAME_ID, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for name in "ab"
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
    for process in processes:
        process.communicate("go\n", timeout=60)
        assert process.returncode == 0
    found = records("20261122-000000-sameid")
    assert len(found) == 2
    for record in found:
        assert (record.skipped, record.tail, len(record.all(Kind.FINISH))) == ([], 0, 1)
    for name in "ab":
        (points,) = [points for record in found if (points := record.points(f"of-{name}"))]
        assert points == [(step, float(step)) for step in range(1000)]
    with open_store() as store:
        store.refresh()
        (run,) = store.runs()
        assert (str(run.status), store.events(run.id)) == ("finished", [])
        assert [len(store.series(run.id, f"of-{name}")) for name in "ab"] == [1000, 1000]


def test_a_journal_of_a_newer_version_is_left_alone_and_closes_nothing(records: Records) -> None:
    run = km.init()
    folder = paths.runs_dir(paths.data_dir()) / run.id
    newer = bytearray(fmt.pack_header())
    newer[8] = 2
    newer[12:] = fmt.crc32(newer[:12]).to_bytes(4, "little")
    (folder / "main-newer.journal").write_bytes(newer)
    other = paths.runs_dir(paths.data_dir()) / "20300101-000000-newest"
    other.mkdir()
    (other / "main-newer.journal").write_bytes(newer)
    assert close_runs(paths.data_dir(), {}) == []
    run.finish()
    assert (other / "main-newer.journal").read_bytes() == newer
    assert len(list(other.iterdir())) == 1


STRANGER = """
import os, sys
import kernel_magics as km
from kernel_magics.errors import DataFolderError
km.init
os.setuid(65534)
try:
    km.init(capture={"diff": False})
except DataFolderError as error:
    print(error)
"""


def test_a_data_folder_of_somebody_elses_is_said_to_be_that(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: a folder that may not be entered needs another user, and that needs root")
    (tmp_path / "theirs").mkdir(mode=0o700)
    done = subprocess.run(
        [sys.executable, "-c", STRANGER],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TRACKSIDE_DIR": str(tmp_path / "theirs" / "data"),
            "TRACKSIDE_CONFIG": os.devnull,
        },
    )
    assert "Permission denied" in done.stdout, done.stderr
    assert "Try: set TRACKSIDE_DIR" in done.stdout


class Clocks:
    """Two clocks that a test turns."""

    wall = 1000.0
    steady = 5.0


def test_a_clock_that_jumps_is_on_the_record_each_time_and_said_once(records: Records) -> None:
    clocks = Clocks()
    with km.init() as run:
        watch = ClockWatch(run, lambda: clocks.wall, lambda: clocks.steady)
        with pytest.warns(TracksideWarning, match="clock was set 3,600 s back") as heard:
            for wall, steady in (
                (10, 10),
                (1.5, 0),
                (-3601.5, 0),
                (1, 1),
                (86400, 0),
                (-1, 0),
                (-1, 0),
                (0, 0),
            ):
                clocks.wall += wall
                clocks.steady += steady
                watch.look()
    assert len(heard) == 1
    jumps = [
        event["seconds"] for event in records(run.id)[0].all(Kind.EVENT) if event["name"] == "clock-jumped"
    ]
    assert jumps == [-3600.0, 86400.0, -2.0]


def test_points_keep_the_clocks_times_and_their_order_when_it_jumps(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kernel_magics.tracking import scribe

    times = iter([100.0, 50.0, 200.0])
    with km.init() as run:
        run.log({"x": -1.0})
        with monkeypatch.context() as patch:
            patch.setattr(scribe, "_time", lambda: next(times))
            for value in range(3):
                run.log({"x": float(value)})
    (record,) = records(run.id)
    assert record.points("x") == [(0, -1.0), (1, 0.0), (2, 1.0), (3, 2.0)]
    found = [fmt.unpack_points(frame.payload).time for frame in record.frames if frame.kind == Kind.POINTS]
    assert found[1:4] == [100.0, 50.0, 200.0]
