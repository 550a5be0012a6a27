"""A writer appends whole frames or none, and accounts for what a failing disk takes."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kernel_magics.errors import DataFolderError
from kernel_magics.journal import format as fmt
from kernel_magics.journal import lock, writer
from kernel_magics.journal.appending import append_after_close
from kernel_magics.journal.reader import read_journal
from kernel_magics.journal.writer import JournalWriter


class Disk:
    """``os.write`` that fails or stops short when told to. Everything else is the real file system."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None  # bytes until the disk is full
        self.error = 28  # ENOSPC
        self._write = os.write
        monkeypatch.setattr(writer.os, "write", self.write)

    def write(self, descriptor: int, data: bytes) -> int:
        if self.room is None:
            return self._write(descriptor, data)
        if self.room == 0:
            raise OSError(self.error, os.strerror(self.error))
        written = self._write(descriptor, data[: self.room])
        self.room -= written
        return written


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    monkeypatch.setattr(writer, "RETRY_S", 0.0)
    return Disk(monkeypatch)


@pytest.fixture
def reports() -> list[str]:
    return []


@pytest.fixture
def open_writer(tmp_path: Path, reports: list[str]) -> Callable[..., JournalWriter]:
    def opened(folder: Path = tmp_path / "runs" / "r", **more: Any) -> JournalWriter:
        return JournalWriter(folder, "w", report=reports.append, **more)

    return opened


def frame(number: int, size: int = 30) -> bytes:
    return fmt.pack_frame(10, str(number).encode().ljust(size))


def numbers(path: Path) -> list[int]:
    frames, skipped, tail = read_journal(path)
    assert (skipped, tail) == ([], 0)
    return [int(found.payload) for found in frames if found.payload[:1] != b"{"]


def events(path: Path) -> list[dict[str, Any]]:
    return [fmt.unpack_json(found.payload) for found in read_journal(path)[0] if found.payload[:1] == b"{"]


def test_every_append_is_in_the_file_when_it_returns(open_writer: Callable[..., JournalWriter]) -> None:
    journal = open_writer()
    for number in range(3):
        assert journal.append(frame(number))
        assert numbers(journal.path) == list(range(number + 1))
    journal.close()


def test_files_are_private_and_the_folders_made_for_them_too(
    open_writer: Callable[..., JournalWriter],
) -> None:
    journal = open_writer()
    for path in (journal.path, lock.lock_path(journal.path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for folder in (journal.path.parent, journal.path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    journal.close()


def test_a_writer_never_appends_to_a_journal_it_did_not_create(
    open_writer: Callable[..., JournalWriter],
) -> None:
    first = open_writer()
    first.append(frame(1))
    first.close()
    with pytest.raises(DataFolderError):
        open_writer()
    assert numbers(first.path) == [1]


def test_a_folder_that_cannot_be_made_is_an_error_that_says_what_to_type(
    tmp_path: Path, open_writer: Callable[..., JournalWriter]
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataFolderError, match=r"Nothing was recorded[\s\S]*TRACKSIDE_DIR="):
        open_writer(tmp_path / "file" / "run")


def test_a_short_write_is_taken_back_and_the_frame_kept_for_later(
    disk: Disk, open_writer: Callable[..., JournalWriter], reports: list[str]
) -> None:
    journal = open_writer()
    journal.append(frame(0))
    size = journal.path.stat().st_size
    disk.room = 10
    assert journal.append(frame(1), points=1)
    assert journal.path.stat().st_size == size, "the piece that fitted was left in the journal"
    assert len(reports) == 1
    assert "No space left" in reports[0]
    disk.room = None
    journal.append(frame(2), points=1)
    assert numbers(journal.path) == [0, 1, 2]
    assert [event["name"] for event in events(journal.path)] == ["journal-delayed"]
    assert events(journal.path)[0]["lost_points"] == 0
    journal.close()


@pytest.mark.parametrize("number", [28, 5, 122, 13], ids=["ENOSPC", "EIO", "EDQUOT", "EACCES"])
def test_a_failing_disk_is_said_once_and_never_raised(
    disk: Disk, open_writer: Callable[..., JournalWriter], reports: list[str], number: int
) -> None:
    journal = open_writer()
    disk.room, disk.error = 0, number
    for index in range(100):
        assert journal.append(frame(index), points=1)
    assert len(reports) == 1
    assert os.strerror(number) in reports[0]
    assert "goes on" in reports[0]
    assert numbers(journal.path) == []
    disk.room = None
    journal.flush()
    assert numbers(journal.path) == list(range(100))
    assert "can be written again" in reports[1]
    journal.close()


def test_what_does_not_fit_into_memory_is_counted_as_lost(
    disk: Disk,
    open_writer: Callable[..., JournalWriter],
    reports: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "HELD_LIMIT", 10 * len(frame(0)))
    journal = open_writer()
    disk.room = 0
    kept = [journal.append(frame(index), points=3) for index in range(15)]
    assert kept == [True] * 10 + [False] * 5
    assert journal.append(frame(99)), "a frame without points still fits: it may define what points mean"
    disk.room = None
    journal.append(frame(100), points=3)
    assert numbers(journal.path) == [*range(10), 99, 100]
    (event,) = events(journal.path)
    assert (event["name"], event["lost_points"], event["lost_records"]) == ("points-lost", 15, 0)
    assert "15 points" in reports[-1]
    journal.close()


def test_room_for_some_frames_is_used_for_whole_ones(
    disk: Disk, open_writer: Callable[..., JournalWriter]
) -> None:
    journal = open_writer()
    disk.room = 0
    for index in range(6):
        journal.append(frame(index), points=1)
    disk.room = 3 * len(frame(0)) + 5
    journal.flush()
    assert numbers(journal.path) == [0, 1, 2]
    disk.room = None
    journal.flush()
    assert numbers(journal.path) == [0, 1, 2, 3, 4, 5]
    journal.close()


@pytest.mark.parametrize("room", [0, 7])
def test_of_a_journal_that_cannot_be_begun_nothing_stays(
    room: int, disk: Disk, open_writer: Callable[..., JournalWriter], tmp_path: Path
) -> None:
    """A header alone would be listed as a run whose process was killed."""
    disk.room = room
    with pytest.raises(DataFolderError, match="No space left"):
        open_writer()
    assert list((tmp_path / "runs").iterdir()) == []
    disk.room = None
    open_writer().close()
    disk.room = room
    with pytest.raises(DataFolderError, match="File exists"):
        open_writer()
    assert sorted(path.name for path in (tmp_path / "runs" / "r").iterdir()) == ["w.journal", "w.lock"]


def test_closing_on_a_full_disk_says_what_is_lost(
    disk: Disk, open_writer: Callable[..., JournalWriter], reports: list[str]
) -> None:
    journal = open_writer()
    disk.room = 0
    for index in range(4):
        journal.append(frame(index), points=5)
    journal.close()
    assert "20 points" in reports[-1]
    assert "lost" in reports[-1]
    assert journal.closed


def test_on_a_network_file_system_points_wait_for_company_and_all_else_does_not(
    disk: Disk, open_writer: Callable[..., JournalWriter]
) -> None:
    journal = open_writer(batched=True)
    journal.append(frame(0), points=1)
    journal.append(frame(1), points=1)
    assert numbers(journal.path) == []
    assert journal.waiting_points == 2
    journal.append(frame(2))
    assert numbers(journal.path) == [0, 1, 2]
    journal.append(frame(3), points=1)
    journal.close()
    assert numbers(journal.path) == [0, 1, 2, 3]
    assert events(journal.path) == []


def test_a_batch_that_meets_a_full_disk_is_kept(
    disk: Disk, open_writer: Callable[..., JournalWriter], reports: list[str]
) -> None:
    journal = open_writer(batched=True)
    journal.append(frame(0), points=1)
    disk.room = 17
    journal.append(frame(1))
    assert numbers(journal.path) == []
    assert len(reports) == 1
    disk.room = None
    journal.flush()
    assert numbers(journal.path) == [0, 1]
    journal.close()


def test_a_disk_that_is_really_full_costs_nothing_while_memory_lasts(
    tiny_disk: Path, monkeypatch: pytest.MonkeyPatch, reports: list[str]
) -> None:
    monkeypatch.setattr(writer, "RETRY_S", 0.0)
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(40_000))
    journal = JournalWriter(tiny_disk / "runs" / "r", "w", report=reports.append)
    for index in range(2000):  # 82 kB
        journal.append(frame(index), points=1)
    assert len(reports) == 1
    fitted = numbers(journal.path)
    assert fitted == list(range(len(fitted)))
    assert 0 < len(fitted) < 2000
    ballast.unlink()
    journal.flush()
    late = numbers(journal.path)
    assert len(fitted) < len(late) < 2000, "there is room for some more, not for all"
    assert late == list(range(len(late)))
    journal.close()
    assert f"{2000 - len(late):,} points" in reports[-1]


def test_late_frames_go_into_a_closed_journal(open_writer: Callable[..., JournalWriter]) -> None:
    journal = open_writer()
    journal.append(frame(0))
    journal.close()
    append_after_close(journal.path, frame(1))
    assert numbers(journal.path) == [0, 1]
