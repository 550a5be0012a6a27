"""torchrun's ranks are one run with a writer each, however they were started."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kernel_magics as km
from kernel_magics import paths
from kernel_magics.journal.format import Kind
from kernel_magics.store import open_store
from kernel_magics.tracking import launch

Records = Callable[[str], list[Any]]
ROOT = Path(km.__file__).parent.parent
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="NOT TESTED: torchrun; pip install torch"
)

RANK = """
import os, select, sys
import kernel_magics as km
for number in range(int(sys.argv[1])):
    with km.init(project="ddp", config={f"of-{os.environ['RANK']}": number}) as run:
        for step in range(3):
            run.log({"loss": 10.0 * int(os.environ["RANK"]) + step})
        if len(sys.argv) > 2 and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
            run.log({"again": 1.0})
            open(os.path.join(sys.argv[2], os.environ["RANK"]), "w").close()
            while len(os.listdir(sys.argv[2])) < 2:     # torchrun ends the others as soon as one has ended
                select.select([], [], [], 0.01)
            os._exit(7)
"""


def torchrun(script: Path, *options: str, arguments: tuple[str, ...] = ("1",)) -> None:
    """As a shell would start it, with two ranks; killed with its ranks when it hangs."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc-per-node",
            "2",
            *options,
            script,
            *arguments,
        ],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        out, _ = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    assert process.returncode == 0, out
    assert "still active" not in out


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.write_text(RANK)
    return path


@pytest.fixture
def port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def run_ids() -> list[str]:
    return sorted(folder.name for folder in paths.runs_dir(paths.data_dir()).iterdir())


def writers(records: Records, run_id: str) -> list[tuple[str, int, int, list[float]]]:
    return [
        (
            record.head["writer"]["role"],
            record.head["writer"]["rank"],
            record.head["writer"]["world_size"],
            [value for _, value in record.points("loss")],
        )
        for record in sorted(records(run_id), key=lambda record: str(record.head["writer"]["rank"]))
    ]


@needs_torch
def test_each_torchrun_from_a_shell_is_one_run_even_with_the_same_port(
    script: Path, port: str, records: Records
) -> None:
    torchrun(script, "--master-port", port)
    torchrun(script, "--master-port", port)
    assert len(run_ids()) == 2
    for run_id in run_ids():
        assert writers(records, run_id) == [
            ("main", 0, 2, [0.0, 1.0, 2.0]),
            ("member", 1, 2, [10.0, 11.0, 12.0]),
        ]
        main, member = records(run_id)
        assert [finish["status"] for finish in main.all(Kind.FINISH)] == ["finished"]
        assert member.all(Kind.FINISH) == []
        assert {key: main.head[key] for key in ("id", "name", "project", "created")} == {
            key: member.head[key] for key in ("id", "name", "project", "created")
        }
        assert main.head["name"].startswith("train-")


SPAWNED = """
import torch, torch.multiprocessing as mp
import kernel_magics as km

def work(rank):
    with km.init() as run:
        for step in range(50):
            run.log({f"loss/{rank}": torch.tensor(rank + step / 100)}, step=step)

if __name__ == "__main__":
    with km.init(name="parent", capture={"packages": False, "diff": False}) as run:
        run.log({"loss/parent": 1.0})
        mp.spawn(work, nprocs=2)
"""


@needs_torch
def test_workers_of_torch_multiprocessing_record_into_the_run(tmp_path: Path) -> None:
    program = tmp_path / "spawns.py"
    program.write_text(SPAWNED)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
    with open_store() as store:
        (run,) = store.runs()
        assert (run.name, run.status) == ("parent", "finished")
        for rank in range(2):
            series = store.series(run.id, f"loss/{rank}")
            assert series.step.tolist() == list(range(50))
            assert series.value == pytest.approx([rank + step / 100 for step in range(50)], rel=1e-6)
        assert store.series(run.id, "loss/parent").value.tolist() == [1.0]


@needs_torch
def test_the_nth_run_of_a_script_is_the_nth_of_every_rank(script: Path, records: Records) -> None:
    torchrun(script, "--standalone", arguments=("3",))
    found = run_ids()
    assert len(found) == 3
    for run_id in found:
        (first,), (second,) = (record.merged(Kind.CONFIG).items() for record in records(run_id))
        assert {first[0], second[0]} == {"of-0", "of-1"}
        assert first[1] == second[1]


@needs_torch
def test_ranks_that_torchrun_starts_again_go_on_in_the_same_run(
    script: Path, records: Records, tmp_path: Path
) -> None:
    (tmp_path / "failed").mkdir()
    torchrun(script, "--standalone", "--max-restarts", "1", arguments=("1", str(tmp_path / "failed")))
    (run_id,) = run_ids()
    found = records(run_id)
    assert len(found) == 4
    assert sum(len(record.points("loss")) for record in found) == 12


RAISES = """
import os, select, sys
from pathlib import Path
import kernel_magics as km
from kernel_magics.store import open_store
with km.init(project="ddp") as run:
    run.log({"loss": 1.0})
    if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        Path(sys.argv[1], os.environ["RANK"]).touch()
        while len(os.listdir(sys.argv[1])) < 2:     # torchrun ends the others as soon as one has ended
            select.select([], [], [], 0.01)
        raise ValueError("not yet")
    if os.environ["RANK"] == "0":
        with open_store() as store:
            store.refresh()
            Path(sys.argv[1], "seen").write_text(str(store.run(run.id).status))
"""


@needs_torch
def test_a_run_that_failed_and_that_torchrun_began_again_runs_and_is_then_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    script = tmp_path / "raises.py"
    script.write_text(RAISES)
    (tmp_path / "failed").mkdir()
    torchrun(script, "--standalone", "--max-restarts", "1", arguments=(str(tmp_path / "failed"),))
    assert (tmp_path / "failed" / "seen").read_text() == "running"
    with open_store() as store:
        store.refresh()
        (run,) = store.runs()
        assert (str(run.status), run.error, len(store.series(run.id, "loss"))) == ("finished", None, 4)


@needs_torch
def test_torchrun_from_a_process_with_a_run_joins_that_run(script: Path, port: str, records: Records) -> None:
    with km.init() as run:
        torchrun(script, "--master-port", port)
    assert run_ids() == [run.id]
    assert writers(records, run.id) == [
        ("member", 0, 2, [0.0, 1.0, 2.0]),
        ("member", 1, 2, [10.0, 11.0, 12.0]),
        ("main", None, None, []),
    ]
    assert not (paths.data_dir() / "launches").exists()


@needs_torch
def test_torchrun_in_a_tracked_cell_joins_the_cells_run(
    script: Path, port: str, notebook: Any, runs_in: Callable[[Path], list[Any]]
) -> None:
    answer = notebook.run(
        "%%track\nimport subprocess, sys\ncommand = [sys.executable, '-m', 'torch.distributed.run',"
        f" '--nproc-per-node', '2', '--master-port', '{port}', {str(script)!r}, '1']\n"
        "done = subprocess.run(command, capture_output=True, text=True)\n"
        "assert not done.returncode, done.stderr"
    )
    assert answer.status == "ok", answer.messages
    (run,) = runs_in(notebook.data)
    assert run.status == "finished"
    ranks = [head["writer"]["rank"] for head in run.of(Kind.RUN)]
    assert sorted(map(str, ranks)) == ["0", "1", "None"]
    assert run.config == {"of-0": 0, "of-1": 0}


RANKS = {
    "TORCHELASTIC_RUN_ID": "none",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
    "RANK": "1",
    "WORLD_SIZE": "2",
}


def agreed(tmp_path: Path, **more: str) -> launch.Launch:
    """The launch as a rank sees that has begun none yet."""
    launch._begun.clear()
    found = launch.joined_launch(tmp_path, {**RANKS, **more})
    assert found is not None
    return found


def test_ranks_on_other_hosts_find_the_launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = agreed(tmp_path)
    assert agreed(tmp_path, RANK="0") == first._replace(rank=0)
    assert agreed(tmp_path, MASTER_PORT="29501").run_id != first.run_id
    monkeypatch.setattr(launch, "host_name", lambda: "another")
    assert agreed(tmp_path) == first
    monkeypatch.setattr(launch.time, "time", lambda: first.created + 3600)
    assert agreed(tmp_path).run_id != first.run_id, "nothing says that it is the same launch"


def test_a_rendezvous_id_of_the_users_tells_launches_apart_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = agreed(tmp_path, TORCHELASTIC_RUN_ID="slurm-17")
    monkeypatch.setattr(launch, "host_name", lambda: "another")
    monkeypatch.setattr(launch.time, "time", lambda: first.created + 3600)
    assert agreed(tmp_path, TORCHELASTIC_RUN_ID="slurm-17").run_id == first.run_id


def test_a_damaged_file_and_old_ones_are_written_anew(tmp_path: Path) -> None:
    first = agreed(tmp_path)
    (path,) = (tmp_path / "launches").glob("*.json")
    path.write_text('{"run": "../../x"}')
    again = agreed(tmp_path)
    assert again.run_id != first.run_id
    assert agreed(tmp_path) == again
    os.utime(path, (0, 0))
    agreed(tmp_path, MASTER_PORT="29501")
    assert not path.exists()


@pytest.mark.parametrize("missing", ["TORCHELASTIC_RUN_ID", "RANK", "MASTER_PORT"])
def test_other_processes_are_no_ranks(tmp_path: Path, missing: str) -> None:
    environ = {key: value for key, value in RANKS.items() if key != missing}
    assert launch.joined_launch(tmp_path, environ) is None
    assert list(tmp_path.iterdir()) == []
