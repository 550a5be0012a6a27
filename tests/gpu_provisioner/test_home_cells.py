"""Whose output is whose in a stream, when it came, and who holds the line while nobody works with it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpu_provisioner import wire
from gpu_provisioner.absence import absent_since, end_absence, is_shown, note_absence, note_pages
from gpu_provisioner.agent.cell_note import cell_note
from gpu_provisioner.errors import LeaseError
from gpu_provisioner.home import HomeJournal, arrival, home_folder, read_records
from gpu_provisioner.home_cells import HomeCells
from gpu_provisioner.lease_lock import STAND_IN, is_held, is_wanted, is_worked_with, lock_lease
from gpu_provisioner.model import Lease, LeaseState
from tests.gpu_provisioner.front import Lab
from tests.waiting import wait_for

LEASE = Lease("cpu-1", "cpu", "local", "local", "cpu", LeaseState.READY, 0.0)


def parts_of(
    kind: str, content: dict[str, Any], parent: str = "", metadata: dict[str, Any] | None = None
) -> list[bytes]:
    header = {"msg_id": "k1", "msg_type": kind, "session": "page"}
    return [json.dumps(part).encode() for part in (header, {"msg_id": parent}, metadata or {}, content)]


def message(kind: str, content: dict[str, Any], parent: str) -> bytes:
    return wire.encode_record(wire.IOPUB, parts_of(kind, content, parent))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[HomeJournal]:
    made = HomeJournal(home_folder(tmp_path, LEASE.id))
    yield made
    made.close()


def test_a_request_of_a_cell_is_noted_with_its_notebook_and_others_are_not() -> None:
    metadata = {"cellId": "c1", "trackside": {"home": {"notebook": "/a.ipynb", "kernel_id": "k"}}}
    note = cell_note(parts_of("execute_request", {"code": ""}, metadata=metadata))
    assert note is not None
    [(_, channel, [event])] = wire.RecordReader().feed(note)
    assert channel == wire.EVENT
    assert json.loads(event) == {
        "type": "cell",
        "msg_id": "k1",
        "session": "page",
        "cell_id": "c1",
        "notebook": "/a.ipynb",
        "kernel_id": "k",
    }
    assert cell_note(parts_of("execute_request", {"code": ""})) is None, "no cell's"
    assert cell_note(parts_of("inspect_request", {}, metadata={"cellId": "c1"})) is None
    assert cell_note(parts_of("execute_request", {}, metadata={"cellId": ["c1"]})) is None
    assert cell_note([b'"execute_request"', b"{}", b'{"cellId"', b"{}"]) is None, "not JSON"
    assert cell_note([]) is None


def test_the_cells_of_a_growing_stream_are_known_after_each_look(
    journal: HomeJournal, tmp_path: Path
) -> None:
    cells = HomeCells(tmp_path, LEASE.id)
    assert cells.look() == []
    journal.append(wire.encode_event("cell", msg_id="k1", session="p", cell_id="c1"))
    [cell] = cells.look()
    assert (cell.cell_id, cell.session, cell.end, cell.start) == ("c1", "p", None, journal.end)
    record = message("execute_input", {"execution_count": 3}, "k1")
    journal.append(record[:10])
    assert cells.look()[0].execution_count is None, "half a record is none"
    journal.append(record[10:])
    assert cells.look()[0].execution_count == 3
    journal.append(message("status", {"execution_state": "busy"}, "k1"))
    journal.append(message("status", {"execution_state": "idle"}, "other"))
    assert cells.look()[0].end is None
    journal.append(message("status", {"execution_state": "idle"}, "k1"))
    assert cells.look()[0].end == journal.end
    journal.append(wire.encode_event("cell", msg_id="k2", cell_id="c2"))
    journal.append(wire.encode_event("kernel-died", epoch=1))
    assert [cell.end is not None for cell in cells.look()] == [True, True]


def test_what_no_honest_machine_sends_is_passed_over(journal: HomeJournal, tmp_path: Path) -> None:
    journal.append(wire.encode_record(wire.EVENT, [b"[]"]))
    journal.append(wire.encode_record(wire.EVENT, []))
    journal.append(wire.encode_record(wire.EVENT, [b"[" * 100_000]))
    journal.append(wire.encode_event("cell", msg_id=3, cell_id="c0"))
    journal.append(wire.encode_record(wire.IOPUB, [b'{"msg_type": "status"}', b"nonsense", b"{}", b"{}"]))
    journal.append(wire.encode_record(wire.IOPUB, [b"x"]))
    journal.append(wire.encode_event("cell", msg_id="k1", cell_id="c1", session={"a": 1}))
    [cell] = HomeCells(tmp_path, LEASE.id).look()
    assert (cell.key, cell.session) == ("k1", None)


def test_a_stream_begun_anew_is_looked_at_anew(journal: HomeJournal, tmp_path: Path) -> None:
    cells = HomeCells(tmp_path, LEASE.id)
    journal.append(wire.encode_event("cell", msg_id="k1", cell_id="c1"))
    assert [cell.key for cell in cells.look()] == ["k1"]
    journal.begin_at(5_000)
    journal.append(wire.encode_event("cell", msg_id="k2", cell_id="c1"))
    [cell] = cells.look()
    assert cell.key == "k2" and cell.start == journal.end > 5_000
    assert len(list(read_records(tmp_path, LEASE.id, cell.start))) == 0


def test_the_stream_tells_when_what_came(
    journal: HomeJournal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("gpu_provisioner.home.time.time", lambda: clock[0])
    ends = []
    for now in (1000.0, 1000.5, 1010.0, 1010.9, 1500.0):
        clock[0] = now
        journal.append(b"x" * 100)
        ends.append(journal.end)
    folder = home_folder(tmp_path, LEASE.id)
    came = [arrival(folder, end) for end in ends]
    assert came == [1001.0, 1001.0, 1011.0, 1011.0, 1501.0], "up to a second late, never early"
    (folder / "stream.times").unlink()
    assert arrival(folder, ends[0]) == 0.0


def test_a_stand_in_lets_go_for_whoever_wants_the_lease_and_others_do_not(tmp_path: Path) -> None:
    folder = home_folder(tmp_path, LEASE.id)
    stand_in = lock_lease(folder, LEASE, STAND_IN)
    assert is_held(folder) and not is_worked_with(folder)
    with pytest.raises(LeaseError, match="is held by"):
        lock_lease(folder, LEASE, STAND_IN)

    def let_go_when_wanted() -> None:
        wait_for(lambda: is_wanted(folder), "somebody wants it")
        stand_in.close()

    thread = threading.Thread(target=let_go_when_wanted)
    thread.start()
    mine = lock_lease(folder, LEASE)
    thread.join()
    assert is_worked_with(folder) and not is_wanted(folder)
    with pytest.raises(LeaseError, match=f"process {os.getpid()}"):
        lock_lease(folder, LEASE)
    mine.close()
    assert not is_held(folder)


def test_the_wish_of_a_process_that_has_died_is_none(tmp_path: Path) -> None:
    folder = home_folder(tmp_path, LEASE.id)
    folder.mkdir(parents=True)
    for note in (
        {"pid": 2**22 + 1, "host": os.uname().nodename},
        {"pid": os.getpid(), "host": "elsewhere"},
        {},
    ):
        (folder / "wanted.json").write_text(json.dumps(note))
        assert not is_wanted(folder)


def test_an_absence_begins_with_the_first_who_notes_it_and_ends_with_the_next_notebook(
    tmp_path: Path,
) -> None:
    assert absent_since(tmp_path) is None
    note_absence(tmp_path, 0)
    note_absence(tmp_path, 500)
    assert absent_since(tmp_path) == 0
    end_absence(tmp_path)
    end_absence(tmp_path)
    assert absent_since(tmp_path) is None


def test_pages_count_only_while_the_server_that_shows_them_lives(tmp_path: Path) -> None:
    note_pages(tmp_path, True)
    assert is_shown(tmp_path)
    facts = json.loads((tmp_path / "pages.json").read_text())
    (tmp_path / "pages.json").write_text(json.dumps({**facts, "birth": "another boot"}))
    assert not is_shown(tmp_path)
    note_pages(tmp_path, True)
    note_pages(tmp_path, False)
    assert not is_shown(tmp_path)


def test_a_real_kernels_stream_names_its_cells(lab: Lab) -> None:
    front = lab.kernel()
    cell = front.begin("print('x')", 4, cell_id="c7")
    front.finish(cell)
    [known] = HomeCells(front.holder.data_dir, front.holder.lease.id).look()
    assert (known.key, known.cell_id, known.execution_count, known.session) == (cell, "c7", 4, "test")
    assert known.end is not None
