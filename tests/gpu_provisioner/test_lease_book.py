"""Leases are written down before anything else, whole, private, and never overwritten by a later thought."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import gc
import json
import multiprocessing
import os
import threading
import time
import weakref
from pathlib import Path

import pytest

from gpu_provisioner.errors import LeaseError
from gpu_provisioner.home import home_folder
from gpu_provisioner.lease_lock import lock_lease
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Gpu, Lease, LeaseState
from gpu_provisioner.provisioner import refresh, release


def lease(**changes: object) -> Lease:
    gpu = Gpu(0, "NVIDIA L4", "GPU-a", 22.5, "l4")
    made = Lease("l4-1", "l4", "local", "local", "l4", LeaseState.PLANNED, time.time(), "l4", (gpu,))
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def test_a_lease_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    book = LeaseBook(tmp_path)
    saved = book.save(lease(handle={"folder": "/x", "env": {"A": "1"}}, notebook="café.ipynb"))
    assert book.load("l4-1") == saved
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "leases").glob("*.json")] == [0o600]


def test_keys_of_newer_versions_and_damaged_files_do_no_harm(tmp_path: Path) -> None:
    book = LeaseBook(tmp_path)
    book.save(lease())
    path = tmp_path / "leases" / "l4-1.json"
    path.write_text(path.read_text().replace("{", '{"colour": "blue", ', 1))
    (tmp_path / "leases" / "broken.json").write_text("{")
    (tmp_path / "leases" / "odd.json").write_text('{"id": 3}')
    (tmp_path / "leases" / "deep.json").write_text('{"id": ' + "[" * 100_000)
    assert [each.id for each in book.all()] == ["l4-1"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("created", value) for value in ("now", [1], None, True, 1e300)),
        *(("name", value) for value in (3, None, [])),
        *(("released", value) for value in ("", {}, 10**30)),
        *(("usd_per_hour", value) for value in ("1", [])),
        *(("gpus", value) for value in (3, "a100", [3], [{"index": 0}])),
        *(("handle", value) for value in (3, [], None)),
        *(("notebook", 3), ("detail", None), ("state", "asleep")),
    ],
)
def test_a_file_that_says_what_cannot_be_hides_no_other_lease(
    tmp_path: Path, key: str, value: object
) -> None:
    book = LeaseBook(tmp_path)
    book.save(lease())
    said = {**lease().to_json(), "id": "l4-2", key: value}
    (tmp_path / "leases" / "l4-2.json").write_text(json.dumps(said))
    assert [each.id for each in book.all()] == [each.id for each in book.live()] == ["l4-1"]


def test_what_is_over_stays_over_and_a_better_reason_is_kept(tmp_path: Path) -> None:
    book = LeaseBook(tmp_path)
    book.save(lease())
    book.finish("l4-1", LeaseState.LOST, "vanished")
    book.finish("l4-1", LeaseState.LOST, "killed by signal 9")
    book.finish("l4-1", LeaseState.RELEASED, "released by me")
    assert (book.load("l4-1").state, book.load("l4-1").detail) == (LeaseState.LOST, "killed by signal 9")
    assert book.live() == []


def test_a_lease_that_is_being_brought_up_is_left_alone_and_a_forgotten_one_is_not(tmp_path: Path) -> None:
    book = LeaseBook(tmp_path)
    handle = {"folder": str(tmp_path / "nowhere"), "runtime": str(tmp_path / "nowhere")}
    book.save(lease(state=LeaseState.STARTING, handle=handle))
    with contextlib.closing(lock_lease(home_folder(tmp_path, "l4-1"), book.load("l4-1"))):
        assert [each.state for each in refresh(book)] == [LeaseState.STARTING]
    assert [each.state for each in refresh(book)] == [LeaseState.LOST]
    book.save(lease())
    assert [(each.state, each.detail[:20]) for each in refresh(book)] == [
        (LeaseState.RELEASED, "the process that ask")
    ]


@pytest.mark.parametrize("state", [LeaseState.PLANNED, LeaseState.STARTING])
def test_releasing_what_never_started_asks_nobody_and_is_called_released(
    tmp_path: Path, state: LeaseState
) -> None:
    """Without an interpreter to start anything with: whoever tried would be lost."""
    book = LeaseBook(tmp_path)
    handle = {"folder": str(tmp_path / "none"), "runtime": str(tmp_path / "none"), "python": "/nowhere"}
    book.save(lease(state=state, handle={} if state == LeaseState.PLANNED else handle))
    released = release(book.load("l4-1"), tmp_path, "me")
    assert (released.state, released.detail) == (
        LeaseState.RELEASED,
        "released by me, before its kernel ran",
    )


@pytest.mark.parametrize("name", ["l4-2.json", "broken.json"])
def test_a_pipe_among_the_leases_makes_nobody_wait(tmp_path: Path, name: str) -> None:
    book = LeaseBook(tmp_path)
    book.save(lease())
    os.mkfifo(tmp_path / "leases" / name)
    found: list[list[str]] = []
    looking = threading.Thread(target=lambda: found.append([each.id for each in book.all()]), daemon=True)
    looking.start()
    looking.join(20)
    assert found == [["l4-1"]]


def test_a_lease_that_another_machine_brings_up_is_left_alone(tmp_path: Path) -> None:
    book = LeaseBook(tmp_path)
    book.save(lease())
    note = home_folder(tmp_path, "l4-1") / "holder.json"
    note.parent.mkdir(parents=True)
    note.write_text('{"pid": 1, "host": "another machine"}')
    assert [each.state for each in refresh(book)] == [LeaseState.PLANNED]
    book.update("l4-1", created=time.time() - 3600)
    assert [each.state for each in refresh(book)] == [LeaseState.RELEASED]


def _name(folder: Path, number: int) -> None:
    book = LeaseBook(folder)
    for turn in range(20):
        book.update("l4-1", detail=f"{number}")
        with book.exclusive():
            current = book.load("l4-1")
            book.save(dataclasses.replace(current, handle={**current.handle, f"{number}-{turn}": True}))


def test_processes_that_change_one_lease_at_once_lose_nothing(tmp_path: Path) -> None:
    book = LeaseBook(tmp_path)
    book.save(lease())
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_name, args=(tmp_path, number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len([key for key in book.load("l4-1").handle if "-" in key]) == 60


@pytest.mark.parametrize("state", [LeaseState.PLANNED, LeaseState.STARTING, LeaseState.READY])
def test_a_full_disk_is_named_and_nothing_is_said_of_what_is_rented_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: LeaseState
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("gpu_provisioner.leases.write_private", full)
    with pytest.raises(LeaseError, match="No space left on device") as told:
        LeaseBook(tmp_path).save(lease(state=state))
    assert ("nothing was rented" in told.value.message) == (state == LeaseState.PLANNED)
    assert "free some disk space" in str(told.value.remedy)


def test_an_unknown_lease_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LeaseError, match="No lease 'nope'"):
        LeaseBook(tmp_path).load("nope")


def test_a_lock_that_was_given_back_is_forgotten_and_a_fork_keeps_no_open_one(tmp_path: Path) -> None:
    lease = Lease("cpu-1", "cpu", "local", "local", "cpu", LeaseState.READY, 0.0)
    first = lock_lease(tmp_path / "kernels" / "cpu-1", lease)
    known = weakref.ref(first)
    first.close()
    del first
    gc.collect()
    assert known() is None
    second = lock_lease(tmp_path / "kernels" / "cpu-1", lease)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(writing)
        os.read(reading, 1)  # until the parent lets go
        os._exit(0)
    second.close()
    try:
        lock_lease(tmp_path / "kernels" / "cpu-1", lease).close()  # while the child lives
    finally:
        os.close(writing)
        os.close(reading)
        os.waitpid(child, 0)


def test_a_holder_of_this_process_that_is_ending_is_waited_for(tmp_path: Path) -> None:
    lease = Lease("cpu-one", "one", "local", "local", "cpu", LeaseState.READY, time.time())
    ending = lock_lease(tmp_path, lease)
    asked = threading.Timer(0.2, ending.close)
    asked.start()
    lock_lease(tmp_path, lease).close()
    asked.join()


def test_what_this_process_works_with_is_said_to_be_held(tmp_path: Path) -> None:
    lease = Lease("cpu-one", "one", "local", "local", "cpu", LeaseState.READY, time.time())
    held = lock_lease(tmp_path, lease)
    with pytest.raises(LeaseError, match="is held by process"):
        lock_lease(tmp_path, lease)
    held.close()
