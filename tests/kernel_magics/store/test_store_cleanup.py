"""Deleting runs, bringing them back, making room: nothing goes that somebody still needs."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

import kernel_magics as km
from kernel_magics.errors import UnknownRun, UsageMistake
from kernel_magics.store import cleanup, edits, trash
from kernel_magics.tracking.blobs import put_bytes

DAY = 86400.0


def age(path: Path, days: float) -> None:
    """Makes a file, or the files under a folder, look as if untouched for so long."""
    when = time.time() - days * DAY
    for one in [*path.rglob("*"), path]:
        os.utime(one, (when, when))


@pytest.fixture
def aged_run(data_dir, new_journal):
    """``aged_run(days, artifact bytes, tags)``: a run that ended so long ago; its id."""

    def make(days: float, artifact: bytes = b"", tags: tuple[str, ...] = ()) -> str:
        ended = time.time() - days * DAY
        run_id = f"20260101-000000-{len(list(data_dir.glob('*/20*'))):06}"
        journal = new_journal(run_id, tags=list(tags), created=ended - 60)
        journal.log({"loss": 1.0}, 0, time=ended - 30)
        if artifact:
            digest = hashlib.sha256(artifact).hexdigest()
            (data_dir / "blobs").mkdir(exist_ok=True)
            (data_dir / "blobs" / digest).write_bytes(artifact)
            journal.json(11, name="file", type="file", digest=digest, size=len(artifact), path="file")
        journal.finish(time=ended)
        age(journal.path.parent, days)
        return run_id

    return make


def test_a_deleted_run_comes_back_as_it_was(journal, reopen, data_dir):
    journal.log_many("loss", range(5000), range(5000), range(5000))
    journal.finish()
    store = reopen()
    before = store.run(journal.run_id).to_json()
    store.delete(journal.run_id)
    assert store.runs() == [] and trash.trashed(data_dir) == [journal.run_id]
    with pytest.raises(UnknownRun):
        store.delete(journal.run_id)
    store.restore(journal.run_id)
    assert store.run(journal.run_id).to_json() == before
    assert len(store.series(journal.run_id, "loss")) == 5000 and trash.trashed(data_dir) == []
    with pytest.raises(UnknownRun):
        store.restore(journal.run_id)


def test_a_run_that_runs_is_not_deleted(data_dir, reopen):
    with km.init(data_dir=data_dir) as run:
        store = reopen()
        with pytest.raises(UsageMistake, match="running"):
            store.delete(run.id)
        with pytest.raises(UsageMistake, match="being written"):
            trash.delete(data_dir, run.id)
        store.refresh()
        assert cleanup.plan(store, older_than_s=0.0, quota=0).runs == []
    store.refresh()
    store.delete(run.id)
    assert store.runs() == []


@pytest.mark.parametrize("name", ["..", "../runs", "a/b", ""])
def test_what_is_no_run_id_deletes_nothing(name, journal, data_dir):
    for act in (trash.delete, trash.restore):
        with pytest.raises(UnknownRun):
            act(data_dir, name)
    trash.erase(data_dir, name)
    assert journal.path.exists()


def test_a_deleted_run_gives_way_to_a_later_one_of_the_same_id(journal, new_journal, reopen, data_dir):
    store = reopen()
    store.delete(journal.run_id)
    new_journal().log({"loss": 2.0}, 0)
    with pytest.raises(UsageMistake, match="already"):
        trash.restore(data_dir, journal.run_id)
    store.refresh()
    store.delete(journal.run_id)
    store.restore(journal.run_id)
    assert store.series(journal.run_id, "loss").value.tolist() == [2.0]


def test_what_is_in_the_trash_outlives_another_deletion(journal, reopen, data_dir):
    """Of a run that was deleted, a part may come again: by an import, or from the kernel it ran on."""
    journal.log({"loss": 1.0}, 0)
    journal.finish()
    whole = journal.path.read_bytes()
    trash.delete(data_dir, journal.run_id)
    folder = data_dir / "runs" / journal.run_id
    folder.mkdir()
    (folder / journal.path.name).write_bytes(whole[:20])
    (folder / "other.journal").write_bytes(b"other")
    trash.delete(data_dir, journal.run_id)
    assert not folder.exists()
    trash.restore(data_dir, journal.run_id)
    assert {path.name: path.read_bytes() for path in folder.glob("*.journal")} == {
        journal.path.name: whole,
        "other.journal": b"other",
    }


def test_an_edit_brings_no_deleted_run_back(journal, data_dir, monkeypatch):
    journal.finish()

    def delete_first(*_: object) -> str:
        trash.delete(data_dir, journal.run_id)
        return "abcdefgh"

    monkeypatch.setattr(edits, "random_word", delete_first)
    with pytest.raises(UnknownRun, match="just been deleted"):
        edits.edit(data_dir, journal.run_id, {"name": "n"})
    assert not (data_dir / "runs" / journal.run_id).exists()


def test_a_plan_deletes_nothing_and_says_what_it_would_free(aged_run, reopen, data_dir):
    old, young = aged_run(100), aged_run(1)
    binned = aged_run(0)
    trash.delete(data_dir, binned)
    store = reopen()
    planned = cleanup.plan(store, older_than_s=90 * DAY)
    assert [one.run_id for one in planned.runs] == [old] and "100 days" in planned.runs[0].why
    assert [one.run_id for one in planned.trash] == [binned]
    assert planned.freed == sum(one.size for one in (*planned.runs, *planned.trash)) > 0
    assert {run.id for run in store.runs()} == {old, young} and trash.trashed(data_dir) == [binned]
    assert cleanup.carry_out(store, planned) == planned.freed
    store.refresh()
    assert [run.id for run in store.runs()] == [young] and trash.trashed(data_dir) == []
    assert cleanup.plan(store, older_than_s=90 * DAY).freed == 0


def test_a_run_is_as_young_as_its_end_or_its_youngest_journal(aged_run, reopen, data_dir):
    """A copy of an old folder looks young, an import of an old run too: neither goes at once."""
    touched = aged_run(100)
    (journal,) = (data_dir / "runs" / touched).glob("*.journal")
    os.utime(journal)
    ended_late = aged_run(1)
    age(data_dir / "runs" / ended_late, 100)
    old = aged_run(100)
    planned = cleanup.plan(reopen(), older_than_s=90 * DAY)
    assert [one.run_id for one in planned.runs] == [old]


def test_what_is_tagged_keep_stays(aged_run, reopen):
    kept = aged_run(1000, tags=("keep", "x"))
    planned = cleanup.plan(reopen(), older_than_s=DAY, quota=0)
    assert planned.runs == [] and any("quota cannot be kept" in note for note in planned.notes), kept


def test_a_quota_takes_the_oldest_first_and_no_more_than_it_must(aged_run, reopen):
    runs = [aged_run(days, artifact=bytes([days]) * 100_000) for days in (5, 30, 10)]
    store = reopen()
    for blob in (store.data_dir / "blobs").iterdir():
        age(blob, 3)
    total = cleanup.plan(store).total
    planned = cleanup.plan(store, quota=total - 100_001)
    assert [one.run_id for one in planned.runs] == [runs[1]] and len(planned.blobs) == 1
    planned = cleanup.plan(store, quota=total - 150_000)
    assert [one.run_id for one in planned.runs] == [runs[1], runs[2]]
    cleanup.carry_out(store, planned)
    store.refresh()
    assert [run.id for run in store.runs()] == [runs[0]]
    assert cleanup.plan(store).total <= total - 150_000
    (artifact,) = store.artifacts(runs[0])
    assert (store.data_dir / "blobs" / artifact["digest"]).read_bytes() == bytes([5]) * 100_000


def test_a_blob_that_another_run_refers_to_stays(aged_run, reopen, data_dir):
    old, young = aged_run(100, artifact=b"shared"), aged_run(1, artifact=b"shared")
    age(data_dir / "blobs", 50)
    store = reopen()
    planned = cleanup.plan(store, older_than_s=90 * DAY)
    assert [one.run_id for one in planned.runs] == [old] and planned.blobs == []
    planned = cleanup.plan(store, older_than_s=DAY / 2)
    assert {one.run_id for one in planned.runs} == {old, young} and len(planned.blobs) == 1


def test_a_damaged_journal_keeps_its_blobs(aged_run, reopen, data_dir):
    run_id = aged_run(1, artifact=b"precious")
    age(data_dir / "blobs", 50)
    (journal,) = (data_dir / "runs" / run_id).glob("*.journal")
    data = bytearray(journal.read_bytes())
    data[:20] = b"x" * 20  # not even a journal any more
    journal.write_bytes(data)
    assert cleanup.plan(reopen()).blobs == []


def test_fresh_blobs_and_blobs_while_something_runs_are_left_alone(aged_run, reopen, data_dir):
    aged_run(1)
    folder = data_dir / "blobs"
    folder.mkdir(exist_ok=True)
    (folder / ("a" * 64)).write_bytes(b"old")
    (folder / ".incoming-1-x").write_bytes(b"cut short")
    (folder / "a person's file").write_bytes(b"mine")
    age(folder, 50)
    (folder / ("b" * 64)).write_bytes(b"fresh")
    store = reopen()
    assert {path.name for path in cleanup.plan(store).blobs} == {"a" * 64, ".incoming-1-x"}
    with km.init(data_dir=data_dir):
        store.refresh()
        planned = cleanup.plan(store)
        assert planned.blobs == [] and "running" in planned.notes[0]
    store.refresh()
    planned = cleanup.plan(store)
    assert cleanup.carry_out(store, planned) == planned.freed == 12
    assert sorted(path.name for path in folder.iterdir()) == sorted(["a person's file", "b" * 64])


def test_a_blob_that_is_needed_again_before_the_deed_stays(aged_run, reopen, data_dir):
    run_id = aged_run(30, b"weights")
    age(data_dir / "blobs", 30)
    store = reopen()
    planned = cleanup.plan(store, older_than_s=DAY)
    assert len(planned.blobs) == 1
    digest = put_bytes(data_dir / "blobs", b"weights")
    assert cleanup.carry_out(store, planned) > 0
    assert not (data_dir / "runs" / run_id).exists()
    assert (data_dir / "blobs" / digest).read_bytes() == b"weights"


def test_a_run_that_begins_again_before_the_deed_is_passed_over(aged_run, reopen, data_dir, new_journal):
    run_id = aged_run(100)
    store = reopen()
    planned = cleanup.plan(store, older_than_s=DAY)
    from kernel_magics.journal import lock

    held = data_dir / "runs" / run_id / "late.lock"
    lock.acquire(held)
    try:
        assert cleanup.carry_out(store, planned) == 0
    finally:
        lock.release(held)
    assert "being written" in planned.notes[-1] and (data_dir / "runs" / run_id).is_dir()


def test_a_run_that_is_deleted_while_a_plan_is_made_ends_no_plan_and_keeps_its_blobs(
    aged_run, reopen, data_dir, monkeypatch
):
    goes, stays = aged_run(40, b"of the one that goes"), aged_run(50)
    for run_id in (goes, stays):
        journal = data_dir / "runs" / run_id / "editor-gone.journal"
        journal.symlink_to("nowhere")  # listed, and gone when it is looked at
    for blob in (data_dir / "blobs").iterdir():
        age(blob, 30)
    listed = cleanup._mentioned

    def deleted_meanwhile(folder, trashed):
        if folder.name == goes and folder.exists():
            trash.delete(data_dir, goes)
        return listed(folder, trashed)

    monkeypatch.setattr(cleanup, "_mentioned", deleted_meanwhile)
    planned = cleanup.plan(reopen(), older_than_s=60 * DAY)
    assert planned.blobs == [] and planned.runs == []
    assert cleanup.plan(reopen(), older_than_s=45 * DAY).runs[0].run_id == stays
