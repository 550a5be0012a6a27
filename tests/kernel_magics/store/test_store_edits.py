"""What a person changes afterwards is in journals: a live run, a rebuilt index and a copy say the same."""

from __future__ import annotations

import errno
import os
import time

import pytest

import kernel_magics as km
from kernel_magics.errors import DataFolderError, UnknownRun, UsageMistake
from kernel_magics.journal import format as fmt
from kernel_magics.model import RunStatus
from kernel_magics.store import edits, open_store, views

ALL = {
    "name": "better name",
    "project": "other",
    "group": "sweep",
    "tags": ["a", "b"],
    "notes": "lr was too high\n<b>",
    "colour": 0,
    "pinned": True,
    "archived": True,
}


def a_run(data, **options):
    with km.init("digits", "first name", {"lr": 0.1}, data_dir=data, **options) as run:
        run.log({"loss": 1.0})
    return run.id


def test_every_edit_survives_a_rebuilt_index(tmp_path):
    run_id = a_run(tmp_path, tags=["old"])
    with open_store(tmp_path) as store:
        store.edit(run_id, **ALL)
        for _ in range(2):
            run = store.run(run_id)
            shown = run.to_json()
            assert {key: shown[key] for key in ALL} == ALL
            assert (run.status, run.summary["loss"], run.config["lr"]) == (RunStatus.FINISHED, 1.0, 0.1)
            store.rebuild()


def test_of_two_edits_the_later_one_counts_key_by_key(tmp_path):
    run_id = a_run(tmp_path)
    with open_store(tmp_path) as store:
        store.edit(run_id, name="one", notes="kept", colour=3)
        store.edit(run_id, name="two", group="g")
        store.edit(run_id, group=None, colour=None)
        run = store.run(run_id)
    assert (run.name, run.notes, run.group, run.colour) == ("two", "kept", None, None)


def test_the_last_edit_counts_although_a_clock_was_wrong(tmp_path, monkeypatch):
    """A clock that was an hour ahead must not have the last word for an hour."""
    run_id = a_run(tmp_path)
    now = time.time()
    with open_store(tmp_path) as store:
        for ahead, name in ((3600.0, "first"), (0.0, "second"), (-3600.0, "third")):
            monkeypatch.setattr(edits.time, "time", lambda ahead=ahead: now + ahead)
            edits.edit(tmp_path, run_id, {"name": name})
            monkeypatch.undo()
            store.refresh()
            assert store.run(run_id).name == name
        store.rebuild()
        assert store.run(run_id).name == "third"


@pytest.fixture
def clock(monkeypatch):
    """``clock(ahead)``: the clock of this machine is wrong by so many seconds from now on."""
    right = time.time

    def set_clock(ahead):
        monkeypatch.setattr(time, "time", lambda: right() + ahead)

    return set_clock


def test_an_edit_counts_after_a_change_by_a_process_whose_clock_is_ahead(tmp_path, clock):
    run = km.init("digits", "first", data_dir=tmp_path)
    clock(3600.0)
    run.change(name="an hour from now", tags=["t"])
    clock(0.0)
    with open_store(tmp_path) as store:
        assert store.run(run.id).name == "an hour from now"
        store.edit(run.id, name="by a person")
        store.rebuild()
        assert (store.run(run.id).name, store.run(run.id).tags) == ("by a person", ("t",))
        assert store.edited([run.id])[run.id] > time.time() + 3500
    run.finish()


def test_a_change_by_the_process_counts_after_an_edit_that_it_can_see(tmp_path, clock):
    run = km.init("digits", "first", data_dir=tmp_path)
    with open_store(tmp_path) as store:
        clock(3600.0)
        run.change(group="g1")
        store.edit(run.id, name="an hour from now")
        clock(-3600.0)
        run.change(name="an hour ago", group="g2")
        store.rebuild()
        assert (store.run(run.id).name, store.run(run.id).group) == ("an hour ago", "g2")
    run.finish()


def test_a_change_at_a_time_that_is_none_can_be_edited(tmp_path):
    run_id = a_run(tmp_path)
    path = next((tmp_path / "runs" / run_id).glob("*.journal"))
    with open_store(tmp_path) as store:
        for said in ("Infinity", "NaN", "1e300", "-1e300", "true", '"soon"', "[]"):
            frame = fmt.pack_frame(fmt.Kind.CHANGE, f'{{"name": "odd {said[:1]}", "time": {said}}}'.encode())
            path.write_bytes(path.read_bytes() + frame)
            store.edit(run_id, name=f"after {said}")
            assert store.run(run_id).name == f"after {said}"
        store.rebuild()
        assert store.run(run_id).name == "after []"


def test_a_live_run_is_edited_and_its_own_later_change_counts(tmp_path):
    run = km.init("digits", "first", data_dir=tmp_path)
    with open_store(tmp_path) as store:
        run.change(name="by the process", tags=["p"])
        store.edit(run.id, name="by a person")
        assert store.run(run.id).name == "by a person"
        assert store.run(run.id).status == RunStatus.RUNNING
        run.change(name="by the process again")
        run.log({"loss": 1.0})
        run.finish()
        store.refresh()
        shown = store.run(run.id)
    assert (shown.name, shown.tags, shown.status) == ("by the process again", ("p",), RunStatus.FINISHED)


def test_an_edit_never_makes_a_dead_run_look_alive_or_ended(new_journal, reopen):
    journal = new_journal(host=os.uname().nodename)
    journal.log({"loss": 1.0}, 0)
    journal.path.with_suffix(".lock").touch()  # and nobody holds it: killed
    store = reopen()
    assert store.run(journal.run_id).status == RunStatus.KILLED
    store.edit(journal.run_id, notes="it crashed")
    run = store.run(journal.run_id)
    assert (run.status, run.notes) == (RunStatus.KILLED, "it crashed")
    assert [path.name for path in journal.path.parent.glob("editor-*.lock")] == []


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"name": ""},
        {"name": 3},
        {"tags": "a"},
        {"tags": [""]},
        {"colour": 24},
        {"colour": True},
        {"pinned": 1},
        {"status": "finished"},
        {"notes": "n" * 65_537},
        {"name": "\ud800"},
        {"group": 1},
    ],
)
def test_a_change_that_makes_no_sense_changes_nothing(tmp_path, change):
    run_id = a_run(tmp_path)
    with pytest.raises(UsageMistake):
        edits.edit(tmp_path, run_id, change)
    assert len(list((tmp_path / "runs" / run_id).glob("*.journal"))) == 1


def test_a_run_that_there_is_not_cannot_be_edited(tmp_path):
    a_run(tmp_path)
    for run_id in ("20261122-141503-zzzzzz", "../../etc", ""):
        with pytest.raises(UnknownRun):
            edits.edit(tmp_path, run_id, {"name": "x"})


def test_an_edited_run_can_be_deleted_and_comes_back_edited(tmp_path):
    run_id = a_run(tmp_path)
    with open_store(tmp_path) as store:
        store.edit(run_id, name="edited")
        store.delete(run_id)
        assert store.runs() == []
        store.restore(run_id)
        assert store.run(run_id).name == "edited"


def test_views_are_saved_replaced_listed_and_deleted(tmp_path):
    first = views.save(tmp_path, "20261122-141503-aaaaaa", "zeta", {"filter": "a"})
    views.save(tmp_path, "20261122-141503-bbbbbb", "Alpha", {"columns": ["name"]})
    again = views.save(tmp_path, "20261122-141503-aaaaaa", "zeta", {"filter": "b"})
    assert again.created == first.created
    assert [(view.name, dict(view.state)) for view in views.views(tmp_path)] == [
        ("Alpha", {"columns": ["name"]}),
        ("zeta", {"filter": "b"}),
    ]
    (tmp_path / "views" / "20261122-141503-cccccc.json").write_text("{torn")
    assert len(views.views(tmp_path)) == 2
    views.delete(tmp_path, "20261122-141503-aaaaaa")
    views.delete(tmp_path, "20261122-141503-aaaaaa")
    assert [view.name for view in views.views(tmp_path)] == ["Alpha"]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "views").glob("*bbbb.json")} == {0o600}


def test_a_view_that_cannot_be_deleted_says_so(tmp_path):
    (tmp_path / "views" / "20261122-141503-aaaaaa.json").mkdir(parents=True)
    with pytest.raises(DataFolderError, match="was not deleted"):
        views.delete(tmp_path, "20261122-141503-aaaaaa")


WITHOUT_TIME = '{"name": "x", "state": {}, "changed": 1, "created": '


@pytest.mark.parametrize(
    "damaged",
    [
        "[" * 100_000,
        WITHOUT_TIME + "1e999}",
        WITHOUT_TIME + "1" + "0" * 400 + "}",
        WITHOUT_TIME + "NaN}",
        None,
    ],
    ids=["nested deeply", "from beyond time", "a number too large", "at no time", "a pipe"],
)
def test_a_damaged_view_does_not_hide_the_others(tmp_path, damaged):
    views.save(tmp_path, "20261122-141503-aaaaaa", "mine", {})
    place = tmp_path / "views" / "20261122-141503-bbbbbb.json"
    os.mkfifo(place) if damaged is None else place.write_text(damaged)
    assert [view.name for view in views.views(tmp_path)] == ["mine"]


@pytest.mark.parametrize(
    ("view_id", "name", "state"),
    [
        ("../x", "n", {}),
        ("20261122-141503-aaaaaa", " ", {}),
        ("20261122-141503-aaaaaa", "n", {"s": "x" * 300_000}),
    ],
)
def test_a_view_that_cannot_be_saved_is_refused(tmp_path, view_id, name, state):
    with pytest.raises(UsageMistake):
        views.save(tmp_path, view_id, name, state)
    assert not list(tmp_path.rglob("*.json"))


def failing_writes(monkeypatch, which):
    """Of the writes to a journal that is begun now, these (counted from 0) find no room."""
    write, count = os.write, iter(range(1000))

    def once_full(descriptor, data):
        if next(count) in which:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    monkeypatch.setattr("kernel_magics.journal.writer.os.write", once_full)


def test_an_edit_for_which_there_is_no_room_says_so_and_leaves_nothing(tmp_path, monkeypatch):
    run_id = a_run(tmp_path)
    with monkeypatch.context() as full:
        failing_writes(full, range(1, 1000))  # the header finds room
        with pytest.raises(DataFolderError, match="was not kept: No space left") as told:
            edits.edit(tmp_path, run_id, {"name": "x"})
    assert "memory" not in told.value.message and told.value.remedy == "free some disk space"
    assert len(list((tmp_path / "runs" / run_id).iterdir())) == 2


def test_an_edit_that_found_room_at_last_counts(tmp_path, monkeypatch):
    run_id = a_run(tmp_path)
    with monkeypatch.context() as full:
        failing_writes(full, {1})
        edits.edit(tmp_path, run_id, {"name": "late"})
    with open_store(tmp_path) as store:
        assert store.run(run_id).name == "late"


def test_an_edit_that_the_disk_did_not_confirm_is_taken_back_and_says_so(tmp_path, monkeypatch):
    run_id = a_run(tmp_path)

    def broken(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as disk:
        disk.setattr("kernel_magics.journal.writer._sync_data", broken)
        with pytest.raises(DataFolderError, match="was not kept: Input/output error") as told:
            edits.edit(tmp_path, run_id, {"name": "x"})
    assert told.value.remedy != "free some disk space"
    with open_store(tmp_path) as store:
        assert store.run(run_id).name == "first name"
