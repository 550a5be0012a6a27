"""What is recorded survives the process, however it ends; forks, subprocesses, other Pythons record too."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kernel_magics as km
from kernel_magics import paths
from kernel_magics.errors import TracksideError
from kernel_magics.journal import lock
from kernel_magics.journal.format import Kind
from tests.programs import run_program

Records = Callable[[str], list[Any]]
ROOT = Path(km.__file__).parent.parent


def only_run() -> str:
    (folder,) = paths.runs_dir(paths.data_dir()).iterdir()
    return folder.name


LOOP = """
import os, sys
import kernel_magics as km
run = km.init()
for index in range(10**9):
    run.log({"x": float(index)})
    os.write(1, b"%d\\n" % index)
"""


@pytest.mark.parametrize("seed", range(5))
def test_kill_9_at_any_instant_loses_no_log_that_returned(records: Records, seed: int) -> None:
    enough = random.Random(seed).randrange(1, 3000)
    child = subprocess.Popen([sys.executable, "-c", LOOP], stdout=subprocess.PIPE)
    assert child.stdout is not None
    for _ in range(enough):
        child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    rest = child.communicate()[0].split(b"\n")
    returned = enough + len(rest) - 1  # the last piece is empty or cut short
    (record,) = records(only_run())
    found = record.points("x")
    assert found == [(index, float(index)) for index in range(len(found))]
    assert returned <= len(found) <= returned + 1, "the log() that was under way may be there or not"
    assert record.skipped == []
    assert lock.is_held(lock.lock_path(record.path)) is False
    assert record.all(Kind.FINISH) == []


@pytest.mark.parametrize(
    ("ending", "status", "detail"),
    [
        ("pass", "finished", ""),
        ("raise ValueError('no')", "failed", "ValueError: no"),
        ("raise KeyboardInterrupt", "interrupted", "KeyboardInterrupt"),
        ("sys.exit(0)", "finished", ""),
        ("sys.exit(3)", "failed", "SystemExit: 3"),
        ("run.finish('failed'); sys.exit(0)", "failed", ""),
    ],
)
def test_a_script_without_finish_ends_its_run_as_it_ends_itself(
    records: Records, ending: str, status: str, detail: str
) -> None:
    done = run_program(f"import sys, kernel_magics as km\nrun = km.init()\nrun.log({{'x': 1}})\n{ending}")
    assert "Traceback" not in done.stderr or status in ("failed", "interrupted")
    (finish,) = records(only_run())[0].all(Kind.FINISH)
    assert (finish["status"], finish["detail"]) == (status, detail)


def test_a_forked_child_writes_a_journal_of_its_own_and_does_not_end_the_run(records: Records) -> None:
    done = run_program("""
import os, sys, threading, kernel_magics as km
run = km.init()
run.log({"x": 0.0})
hammer = threading.Thread(target=lambda: [run.log({"y": 1.0}) for _ in range(20000)])
hammer.start()                      # so that the lock is likely held at the instant of the fork
children = []
for number in range(5):
    child = os.fork()
    if child == 0:
        run.log({"x": 10.0 + number})
        run.finish()
        os._exit(0)
    children.append(child)
for child in children:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
hammer.join()
run.log({"x": 1.0})
run.finish()
""")
    assert done.returncode == 0, done.stderr
    main, *members = records(only_run())
    assert [value for _, value in main.points("x")] == [0.0, 1.0]
    assert len(main.points("y")) == 20000
    assert len(main.all(Kind.FINISH)) == 1
    assert sorted(member.points("x")[0][1] for member in members) == [10.0, 11.0, 12.0, 13.0, 14.0]
    for member in members:
        assert member.head["writer"]["role"] == "member"
        assert member.all(Kind.FINISH) == []
        assert "process-finished" in [event["name"] for event in member.all(Kind.EVENT)]


def test_a_forked_child_that_records_nothing_leaves_no_journal(records: Records) -> None:
    done = run_program("import os, kernel_magics as km\nrun = km.init()\nif os.fork(): os.wait()\n")
    assert done.returncode == 0, done.stderr
    (record,) = records(only_run())
    assert len(record.all(Kind.FINISH)) == 1


def test_multiprocessing_workers_record_into_the_run(records: Records) -> None:
    done = run_program("""
import multiprocessing, kernel_magics as km
run = km.init()
def work(number):
    run.log({"worker": float(number)})
with multiprocessing.get_context("fork").Pool(2) as pool:
    pool.map(work, range(10))
""")
    assert done.returncode == 0, done.stderr
    found = [value for record in records(only_run()) for _, value in record.points("worker")]
    assert sorted(found) == [float(number) for number in range(10)]


POOL = """
import multiprocessing, os, kernel_magics as km
def work(number):
    run = km.init(config={f"of-{number}": number})
    run.log({"worker": float(number)})
    run.finish()
    return run.id, os.getpid(), os.environ["TRACKSIDE_RUN"]
%s
with multiprocessing.get_context("%s").Pool(2) as pool:
    answers = pool.map(work, range(8), chunksize=1)
assert {(run_id, told) for run_id, _, told in answers} == {(run.id, run.id)}, answers
run.finish()
assert "TRACKSIDE_RUN" not in os.environ
"""


@pytest.mark.parametrize("begun", ["run = km.init()", "outer = km.init(); run = km.init(nested=True)"])
def test_every_task_of_a_forked_pool_that_begins_and_finishes_is_in_the_run(
    records: Records, begun: str
) -> None:
    code = POOL % (begun, "fork")
    if "outer" in begun:
        code = code.replace('assert "TRACKSIDE_RUN"', 'outer.finish()\nassert "TRACKSIDE_RUN"')
    done = run_program(code)
    assert done.returncode == 0, done.stderr
    *outer, run_id = sorted(
        (folder.name for folder in paths.runs_dir(paths.data_dir()).iterdir()),
        key=lambda name: len(records(name)),
    )
    assert len(outer) == ("outer" in begun), "no task makes a run of its own"
    main, *members = records(run_id)
    assert sorted(value for record in members for _, value in record.points("worker")) == [
        *map(float, range(8))
    ]
    assert {key for record in members for key in record.merged(Kind.CONFIG)} == {f"of-{n}" for n in range(8)}
    assert len(members) == 8, "each task's end is on the record, and the next is a writer of its own"
    assert {record.head["writer"]["role"] for record in members} == {"member"}
    for record in members:
        assert "process-finished" in [event["name"] for event in record.all(Kind.EVENT)]
    assert [finish["status"] for finish in main.all(Kind.FINISH)] == ["finished"]


def test_init_in_a_subprocess_joins_the_run(records: Records) -> None:
    with km.init(project="p") as run:
        done = run_program(
            "import kernel_magics as km\nkm.init(config={'k': 1}).log({'sub': 2.0})\nraise ValueError('no')"
        )
        assert done.returncode == 1
    assert only_run() == run.id
    main, member = records(run.id)
    assert member.head["writer"]["role"] == "member"
    assert os.getpid() in member.head["writer"]["ancestors"]
    assert member.points("sub") == [(0, 2.0)]
    assert member.merged(Kind.CONFIG) == {"k": 1}
    assert member.all(Kind.FINISH) == []
    assert [event["error"]["ename"] for event in member.all(Kind.EVENT)] == ["ValueError"]
    assert [finish["status"] for finish in main.all(Kind.FINISH)] == ["finished"]
    assert "TRACKSIDE_RUN" not in os.environ


def test_init_in_a_forked_child_is_the_run_it_inherited(records: Records) -> None:
    done = run_program("""
import os, kernel_magics as km
run = km.init()
child = os.fork()
if child == 0:
    again = km.init(config={"k": 1})
    assert again is run and again.member
    again.log({"x": 1.0})
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
""")
    assert done.returncode == 0, done.stderr
    main, member = records(only_run())
    assert member.points("x") == [(0, 1.0)]
    assert member.merged(Kind.CONFIG) == {"k": 1}
    assert [finish["status"] for finish in main.all(Kind.FINISH)] == ["finished"]


def test_a_subprocess_with_another_data_folder_begins_a_run_of_its_own(tmp_path: Path) -> None:
    with km.init() as run:
        done = run_program(f"import kernel_magics as km\nprint(km.init(data_dir={str(tmp_path / 'd')!r}).id)")
    assert done.stdout.strip() not in ("", run.id)


def test_a_full_disk_does_not_stop_the_training(read: Callable[[Path], Any], tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: a full disk needs a tmpfs of its own, and mounting one needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "t", str(disk)], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip(f"NOT TESTED: a full disk needs a tmpfs of its own: {made.stderr.decode()}")
    try:
        done = run_program(f"""
import os, kernel_magics as km
ballast = open({str(disk / "ballast")!r}, "wb", buffering=0)
run = km.init(data_dir={str(disk / "data")!r}, capture={{"packages": False, "diff": False}})
run.log({{"x": -1.0}})
ballast.write(bytes(200_000))
for index in range(5000):
    run.log({{"x": float(index)}})
ballast.truncate(0)
ballast.write(bytes(10))
for index in range(5000, 5010):
    run.log({{"x": float(index)}})
    run.config[f"late{{index}}"] = 1
run.finish()
print(run.id)
""")
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("cannot be written") == 1, done.stderr
        (path,) = (disk / "data" / "runs" / done.stdout.strip()).glob("*.journal")
        record = read(path)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
    assert record.skipped == []
    assert record.tail == 0
    values = [value for _, value in record.points("x")]
    (event,) = [event for event in record.all(Kind.EVENT) if event["name"].startswith(("points", "journal"))]
    assert len(values) == 5011 - event["lost_points"]
    assert len(record.all(Kind.FINISH)) == 1


TRAVELS = ("__init__.py", "errors.py", "model.py", "paths.py", "journal", "tracking")


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    """A zip of what travels to the GPU machine."""
    path = tmp_path / "payload.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in TRAVELS:
            found = ROOT / "kernel_magics" / name
            for file in sorted(found.rglob("*.py")) if found.is_dir() else [found]:
                archive.write(file, file.relative_to(ROOT))
    return path


def oldest_python() -> str:
    for folder in sorted(Path.home().glob(".pyenv/versions/3.9.*")):
        if (folder / "bin" / "python").exists():
            return str(folder / "bin" / "python")
    found = shutil.which("python3.9") or ""
    # A version manager's stand-in is on PATH also when there is nothing behind it.
    runs = found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0
    return found if runs else ""


@pytest.mark.parametrize("python", ["this", "oldest"])
def test_the_payload_records_under_a_bare_python(payload: Path, records: Records, python: str) -> None:
    interpreter = sys.executable if python == "this" else oldest_python()
    if not interpreter:
        pytest.skip("NOT TESTED: there is no Python 3.9 on this machine")
    code = f"""
import sys
sys.path.insert(0, {str(payload)!r})
import kernel_magics as km
heavy = {{"IPython", "numpy", "bokeh", "sqlite3", "psutil", "asyncio"}} & set(sys.modules)
assert not heavy, heavy
with km.init(project="p", config={{"lr": 0.1}}) as run:
    run.log({{"loss": 0.5, "nested": {{"x": 1}}}})
    run.log({{"loss": "x"}})
    run.log_artifact(sys.argv[1])
assert not {{"IPython", "numpy", "bokeh", "sqlite3"}} & set(sys.modules)
from kernel_magics.tracking import aftermath
aftermath.close_runs(km.tracking.active.paths.data_dir(), {{"pid": 1, "returncode": 0}})
try:
    km.open_store()
except km.errors.TracksideError as error:
    print(error)
"""
    done = subprocess.run(
        [interpreter, "-I", "-S", "-W", "error::DeprecationWarning", "-c", code, str(payload)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "%%local" in done.stdout
    (record,) = records(only_run())
    assert record.points("loss") == [(0, 0.5)]
    assert record.merged(Kind.FACTS)["python"].startswith("3.")
    assert [finish["status"] for finish in record.all(Kind.FINISH)] == ["finished"]


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, kernel_magics; print(*sys.modules)"
    found = set(run_program(code).stdout.split())
    assert {name for name in found if name.startswith("kernel_magics")} == {"kernel_magics"}
    assert not found & {"IPython", "numpy", "bokeh", "sqlite3", "json", "pathlib", "threading", "dataclasses"}


def test_reading_runs_at_home_needs_the_store_and_says_so_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
            if name == "kernel_magics.store":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    for name in [name for name in sys.modules if name.startswith("kernel_magics.store")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(TracksideError, match=r"at home[\s\S]*%%local"):
        km.open_store()


def test_the_thread_and_the_hooks_leave_the_terminal_alone() -> None:
    done = run_program("import kernel_magics as km\nkm.init().log({'x': 1})\nprint('end')")
    assert (done.stdout, done.stderr) == ("end\n", "")
    assert re.fullmatch(r"[a-z0-9-]+", only_run())
