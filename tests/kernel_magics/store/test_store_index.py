"""The index is disposable: lost or damaged, it is built anew and answers the same."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kernel_magics.store import open_store
from kernel_magics.store.schema import index_path

RUN = "20261122-141503-aaaaaa"


def index_files(data_dir: Path) -> Path:
    return index_path(data_dir)


def answers(store) -> dict:
    runs = [run.to_json() for run in store.runs()]
    ids = [run["id"] for run in runs]
    metrics = store.metrics(ids)
    return {
        "runs": runs,
        "facts": [store.run(run_id).to_json() for run_id in ids],
        "metrics": metrics,
        "summaries": repr(store.metric_summaries(ids)),
        "windows": [
            window.to_json()
            for axis in ("step", "relative", "time")
            for width in (20, 200)
            for window in store.window(ids, "loss", axis, width=width)
        ],
        "series": [store.series(run_id, "loss").value.tobytes() for run_id in ids],
        "outputs": [store.outputs(run_id) for run_id in ids],
        "events": [store.events(run_id) for run_id in ids],
    }


@pytest.fixture
def rich(new_journal):
    random = np.random.default_rng(11)
    for number in range(3):
        for writer in range(1 + number % 2):
            one = new_journal(
                f"20261122-00000{number}-aaaaaa", f"w{writer}", created=1000.0 + number + writer
            )
            one.json(3, lr=number, writer=writer)
            one.log_many(
                "loss", np.arange(20_000), 1000 + np.arange(20_000) * 0.1, random.normal(size=20_000)
            )
            one.log({"loss": 1.0, "acc": 2.0}, 20_001)
            one.json(8, key="c", cell_id="x", execution_count=1, source="1", started=1.0)
            one.output("c", "stream", name="stdout", text="hello\n")
            one.json(10, time=3.0, name="alert", level="info", detail="d")
            one.finish(time=2000.0 + writer)


def damage_nothing(path: Path) -> None:
    pass


def damage_delete(path: Path) -> None:
    for file in path.parent.glob(f"{path.stem}*"):
        file.unlink()


def damage_truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def damage_garbage(path: Path) -> None:
    path.write_bytes(b"this is no database" * 1000)


def flip(path: Path, table: str, column: str) -> None:
    """Every fifth byte of every blob of one column, so that no field of a record is spared."""
    sql = sqlite3.connect(path)
    rows = sql.execute(f"SELECT id, {column} FROM {table}").fetchall()
    assert rows, "nothing to damage"
    for row, blob in rows:
        flipped = bytearray(blob)
        flipped[::5] = bytes(byte ^ 0x11 for byte in flipped[::5])
        sql.execute(f"UPDATE {table} SET {column}=? WHERE id=?", (bytes(flipped), row))
    sql.commit()
    sql.close()


def damage_chunks(path: Path) -> None:
    flip(path, "chunk", "data")


def damage_summaries_of_chunks(path: Path) -> None:
    flip(path, "chunk", "by_step")


def damage_nodes(path: Path) -> None:
    flip(path, "node", "buckets")


def damage_tails(path: Path) -> None:
    flip(path, "tail", "data")


def damage_schema(path: Path) -> None:
    sql = sqlite3.connect(path)
    sql.execute("UPDATE meta SET value=0 WHERE key='schema'")
    sql.commit()
    sql.close()


DAMAGES = [
    *(damage_nothing, damage_delete, damage_truncate, damage_garbage, damage_schema),
    *(damage_chunks, damage_summaries_of_chunks, damage_nodes, damage_tails),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_index_that_is_lost_or_damaged_is_built_anew_with_the_same_answers(damage, rich, reopen, data_dir):
    store = reopen()
    expected = answers(store)
    store.close()
    damage(index_files(data_dir))
    assert answers(reopen()) == expected


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_under_an_open_store_heals_too(damage, rich, reopen, data_dir):
    store = reopen()
    expected = answers(store)
    damage(index_files(data_dir))
    store.refresh()
    assert answers(store) == expected


def test_a_data_folder_that_is_not_there_yet_is_an_empty_store(data_dir):
    with open_store(data_dir) as store:
        assert store.runs() == []
    with open_store(data_dir, ingest=False) as store:
        assert store.runs() == [] and not store.refresh()


def test_the_index_belongs_to_its_owner_only(journal, reopen, data_dir):
    reopen()
    assert index_files(data_dir).stat().st_mode & 0o077 == 0


MAKER = """
import itertools, os, resource, signal, sys
from pathlib import Path
from kernel_magics.store import schema

path, data = schema.index_path(Path(sys.argv[1])), Path(sys.argv[1])
path.parent.mkdir(parents=True)
killed = 0
for size in itertools.chain(range(0, 16384, 256), itertools.count(16384, 4096)):
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))    # dies of a write beyond
        schema.open_writer(path, data)
        os._exit(0)
    died = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGXFSZ
    killed += died
    schema.open_reader(path).execute("SELECT count(*) FROM run").fetchone()
    if not died:
        break
    if killed % 2:
        schema.discard(path)     # the next one replaces an index, or begins with what a kill has left
schema.open_writer(path, data).close()
print(killed)
"""


def test_whoever_is_killed_while_making_an_index_leaves_one_that_everybody_can_read(data_dir):
    command = [sys.executable, "-c", MAKER, str(data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
    assert [path.name for path in index_files(data_dir).parent.glob("*.new*")] == []


def test_the_log_of_much_that_was_read_does_not_stay_for_later_processes_to_read(journal, reopen, data_dir):
    store = reopen()
    assert store.runs() != []  # holds the index open, as a notebook does
    journal.log_many("loss", range(200_000), range(200_000), np.random.default_rng(1).normal(size=200_000))
    store.refresh()
    path = index_files(data_dir)
    assert path.stat().st_size > 1_000_000
    assert path.with_name(f"{path.name}-wal").stat().st_size <= 1_000_000
    assert len(store.series(RUN, "loss")) == 200_000
