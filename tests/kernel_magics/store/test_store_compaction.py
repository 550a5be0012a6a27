"""Edits of a run become one journal, and nobody can tell from what the run says."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import kernel_magics as km
from kernel_magics.errors import UnknownRun
from kernel_magics.journal import changes as journal_changes
from kernel_magics.journal import lock
from kernel_magics.journal.format import Kind, unpack_json
from kernel_magics.journal.reader import read_journal
from kernel_magics.model import RunStatus
from kernel_magics.store import cleanup, compaction, edits, open_store


@pytest.fixture
def edited(journal, data_dir) -> Path:
    """The folder of a run that was edited seven times."""
    journal.log({"loss": 1.0}, 0)
    journal.json(13, name="by its process", time=1500.0)
    journal.finish()
    for change in (
        {"name": "one", "tags": ["a"]},
        {"name": "two 🦜", "notes": "n" * 60_000},
        {"colour": 3, "pinned": True},
        {"group": "g"},
        {"group": None, "colour": 0},
        {"tags": []},
        {"name": "the last"},
    ):
        edits.edit(data_dir, journal.run_id, change)
    return journal.path.parent


def editors(folder: Path) -> list[Path]:
    return sorted(folder.glob("editor-*.journal"))


def changes(folder: Path) -> list[dict[str, Any]]:
    """All changes of the edits in a folder, each once, in the order of their times."""
    frames = [frame for path in editors(folder) for frame in read_journal(path)[0]]
    payloads = {frame.payload for frame in frames if frame.kind == Kind.CHANGE}
    return sorted(map(unpack_json, payloads), key=lambda change: change["time"])


def said(folder: Path) -> dict[str, Any]:
    """What the run says by an index that is made anew, from the journals alone."""
    with open_store(folder.parents[1]) as store:
        store.rebuild()
        found = store.run(folder.name)
        assert store.events(folder.name) == []
        return {**found.to_json(), "series": store.series(folder.name, "loss").value.tolist()}


def test_nothing_of_the_edits_is_lost_and_their_order_is_kept(edited):
    before, frames = said(edited), changes(edited)
    small = sum(path.stat().st_size for path in editors(edited))
    freed = compaction.compact(edited)
    (journal,) = editors(edited)
    assert journal.stat().st_size == small - freed < small
    assert (said(edited), changes(edited)) == (before, frames)
    assert before["name"] == "the last" and before["group"] is None and before["colour"] == 0
    assert [path.name for path in edited.iterdir() if not path.name.endswith(".journal")] == []
    assert compaction.compact(edited) == 0, "one is one"


def test_an_index_that_knows_the_old_journals_goes_on(edited, reopen):
    store = reopen()
    before = store.run(edited.name).to_json()
    store.close()
    compaction.compact(edited)
    store = reopen()
    assert store.run(edited.name).to_json() == before
    assert store.events(edited.name) == [] and store.behind_bytes() == 0
    store.edit(edited.name, notes="later")
    assert (store.run(edited.name).notes, store.run(edited.name).name) == ("later", "the last")
    compaction.compact(edited)
    assert said(edited) == {**before, "notes": "later", "series": [1.0]}


def test_the_run_is_no_younger_for_it(edited):
    for path in edited.glob("*.journal"):
        os.utime(path, (1000.0, 1000.0))
    compaction.compact(edited)
    assert [path.stat().st_mtime for path in editors(edited)] == [1000.0]


def killed_at(number: int, folder: Path) -> bool:
    """Compacts in a process that is killed before its ``number``-th step on the disk; whether it was."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    left = [number]

    def step() -> None:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("os.rename", "os.remove", "os.utime") or (event == "open" and arguments[2] & os.O_CREAT):
            step()

    sync = os.fsync
    compaction.os.fsync = lambda descriptor: (step(), sync(descriptor))
    sys.addaudithook(hook)
    compaction.compact(folder)
    os._exit(0)


def test_killed_at_any_instant_it_has_changed_nothing_that_the_run_says(edited, tmp_path):
    before, frames = said(edited), changes(edited)
    whole = shutil.copytree(edited, tmp_path / "whole")
    number, finished = 0, False
    while not finished:
        finished = not killed_at(number, edited)
        assert (said(edited), changes(edited)) == (before, frames), f"killed before step {number}"
        compaction.compact(edited)
        assert len(editors(edited)) == 1
        assert (said(edited), changes(edited)) == (before, frames), f"begun again after step {number}"
        shutil.rmtree(edited)
        shutil.copytree(whole, edited)
        number += 1
    assert number > 12, "made, synced, named; and each of the old ones deleted"


def test_what_a_killed_one_has_left_is_cleared_away(edited):
    old, new = edited / ".editor-editor-old", edited / ".editor-editor-new"
    for path in (old, new):
        path.write_bytes(b"half a journal")
    os.utime(old, (1000.0, 1000.0))
    compaction.compact(edited)
    assert not old.exists() and new.exists(), "somebody may be writing it"


def test_edits_that_are_made_meanwhile_are_kept(edited, data_dir):
    child = os.fork()
    if not child:
        for number in range(60):
            edits.edit(data_dir, edited.name, {"notes": f"meanwhile {number}"})
        os._exit(0)
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        compaction.compact(edited)
    compaction.compact(edited)
    assert len(editors(edited)) == 1
    told = [change["notes"] for change in changes(edited) if "notes" in change]
    assert told[1:] == [f"meanwhile {number}" for number in range(60)]
    assert said(edited)["notes"] == "meanwhile 59"


def test_what_it_does_not_understand_is_left_alone(edited, new_journal):
    damaged, held, *_others = editors(edited)
    assert lock.acquire(lock.lock_path(held)), "its writer lives"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    person = {"role": "editor"}
    newer = new_journal(edited.name, "editor-newer", person=person)
    newer.path.write_bytes(newer.path.read_bytes().replace(b"\x1a\n\x01", b"\x1a\n\x02", 1))
    more = new_journal(edited.name, "editor-more", person=person)
    more.json(10, time=1.0, name="x", level="info", detail="")
    back = new_journal(edited.name, "editor-back", person=person)
    back.json(13, notes="first", time=20.0)
    back.json(13, notes="second", time=10.0)
    begun = new_journal(edited.name, "editor-begun", person=person)
    left = (damaged, held, newer.path, more.path, back.path, begun.path)
    kept = {path: path.read_bytes() for path in left}
    assert compaction.compact(edited) > 0
    assert {path: path.read_bytes() for path in kept} == kept
    assert len(editors(edited)) == len(kept) + 1
    lock.release(lock.lock_path(held))


def test_a_change_without_a_time_and_two_at_one_time_count_as_before(journal, new_journal, data_dir):
    journal.log({"loss": 1.0}, 0)
    for writer, began, change in (
        ("editor-c", 30.0, {"name": "when it began"}),
        ("editor-b", 20.0, {"name": "c", "notes": "x", "time": 25.0}),
        ("editor-a", 21.0, {"name": "d", "notes": "y", "time": 25.0}),
        ("editor-d", 22.0, {"archived": True, "time": "yesterday"}),
    ):
        new_journal(journal.run_id, writer, person={"role": "editor", "began": began}).json(13, **change)
    folder = journal.path.parent
    before = said(folder)
    assert (before["name"], before["notes"], before["archived"]) == ("when it began", "y", True)
    compaction.compact(folder)
    assert len(editors(folder)) == 1 and said(folder) == before


def test_a_full_disk_leaves_the_edits_as_they_were(edited, store, monkeypatch):
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    before, names = changes(edited), editors(edited)
    planned = cleanup.plan(store)
    monkeypatch.setattr(compaction.os, "fsync", full)
    assert cleanup.carry_out(store, planned) == 0
    assert "No space left" in planned.notes[-1]
    assert (changes(edited), editors(edited)) == (before, names)
    assert [path.name for path in edited.iterdir() if path.name.startswith(".")] == []


def test_a_clean_up_plans_it_and_does_it_also_for_a_run_that_goes_on(data_dir, store):
    with km.init(name="first") as run:
        for number in range(5):
            store.edit(run.id, notes=str(number))
        planned = cleanup.plan(store)
        assert [(one.run_id, one.journals) for one in planned.edits] == [(run.id, 5)]
        assert len(editors(data_dir / "runs" / run.id)) == 5, "planned and not done"
        assert cleanup.carry_out(store, planned) == planned.freed == planned.saving > 0
        store.refresh()
        assert (store.run(run.id).notes, store.run(run.id).status) == ("4", RunStatus.RUNNING)
        assert cleanup.plan(store).edits == []
        run.log({"loss": 1.0})
    store.refresh()
    assert store.run(run.id).status == RunStatus.FINISHED


def test_edits_of_a_run_that_is_deleted_meanwhile_are_none(edited, store):
    planned = cleanup.plan(store)
    store.delete(edited.name)
    cleanup.carry_out(store, planned)
    with pytest.raises(UnknownRun):
        store.run(edited.name)
    store.restore(edited.name)
    assert store.run(edited.name).name == "the last" and time.time() - edited.stat().st_mtime < 60


def test_an_edit_sees_those_that_are_put_together_while_it_looks(edited, monkeypatch):
    latest = changes(edited)[-1]["time"]
    read = journal_changes.read_journal

    def late(path: Path) -> Any:
        compaction.compact(edited)  # between listing the journals and reading the first of them
        return read(path)

    monkeypatch.setattr(journal_changes, "read_journal", late)
    assert max(journal_changes.edit_times(edited)) == latest
