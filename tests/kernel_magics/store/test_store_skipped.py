"""What of a run's folder cannot be read is named and costs nothing else."""

from __future__ import annotations

import os
import struct
import zlib

import pytest

from kernel_magics.errors import JournalError
from kernel_magics.model import RunStatus
from kernel_magics.store.frames import read_end

RUN = "20261122-141503-aaaaaa"


def test_a_flipped_byte_costs_one_frame_and_is_reported(journal, reopen):
    places = [journal.log({"loss": float(step)}, step) for step in range(300)]
    data = bytearray(journal.path.read_bytes())
    data[places[123] + 20] ^= 0x10
    journal.path.write_bytes(data)
    store = reopen()
    assert store.series(RUN, "loss").step.tolist() == [step for step in range(300) if step != 123]
    (event,) = store.events(RUN)
    assert event["name"] == "journal-damaged" and "39 damaged bytes" in event["detail"]


def test_points_whose_layout_was_damaged_are_reported_as_skipped(journal, reopen):
    journal.layout(["loss"])
    size = journal.path.stat().st_size
    data = bytearray(journal.path.read_bytes())
    data[size - 6] ^= 0xFF  # in the layout frame
    journal.path.write_bytes(data)
    for step in range(3):
        journal.append(journal.points(0, step, 0.0, [1.0]))
    details = [event["detail"] for event in reopen().events(RUN)]
    assert any("3 points whose layout is not known" in detail for detail in details)


@pytest.mark.parametrize("cut", [1, 5, 8, 20, 38])
def test_a_torn_tail_waits_until_the_rest_of_its_frame_comes(cut, journal, reopen):
    journal.log({"loss": 1.0}, 0)
    frame = journal.points(0, 1, 0.0, [2.0])
    store = reopen()
    journal.append(frame[:cut])
    store.refresh()
    assert store.series(RUN, "loss").value.tolist() == [1.0]
    assert not store.refresh(), "an unchanged torn tail is no news"
    journal.append(frame[cut:])
    store.refresh()
    assert store.series(RUN, "loss").value.tolist() == [1.0, 2.0]
    assert store.events(RUN) == []


def test_a_journal_of_a_newer_version_is_left_alone_and_named(new_journal, reopen):
    new_journal("20261122-000000-aaaaaa").log({"loss": 1.0}, 0)
    newer = new_journal("20261122-000001-bbbbbb")

    header = b"\x89TSJ\r\n\x1a\n" + struct.pack("<HH", 9, 0)
    newer.path.write_bytes(header + struct.pack("<I", zlib.crc32(header)))
    store = reopen()
    assert len(store.runs()) == 2
    (event,) = store.events("20261122-000001-bbbbbb")
    assert "9" in event["detail"] and "1" in event["detail"]
    assert not store.refresh()


def test_files_that_are_no_journals_do_no_harm(journal, reopen, data_dir):
    (data_dir / "runs" / "not a run id").mkdir()
    (data_dir / "runs" / RUN / "empty.journal").touch()
    (data_dir / "runs" / RUN / "text.journal").write_text("hello, this is a text")
    (data_dir / "runs" / "a-file-there").touch()
    journal.log({"loss": 1.0}, 0)
    store = reopen()
    assert [run.id for run in store.runs()] == [RUN]
    assert store.series(RUN, "loss").value.tolist() == [1.0]
    assert any("not a Trackside journal" in event["detail"] for event in store.events(RUN))


def test_unknown_kinds_and_keys_are_skipped(journal, reopen):
    journal.append(journal.frame(99, b"from the future"))
    journal.json(12, time=5.0, status="finished", colour="green")
    journal.append(journal.frame(3, b"not json"))
    journal.log({"loss": 1.0}, 0)
    store = reopen()
    assert store.run(RUN).status == RunStatus.FINISHED
    assert store.series(RUN, "loss").value.tolist() == [1.0]
    assert "config frame" in store.events(RUN)[0]["detail"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["a pipe", "a folder"])
def test_what_is_no_file_but_is_named_like_a_journal_is_named_and_nobody_waits_for_it(
    make, journal, reopen, data_dir
):
    journal.log({"loss": 1.0}, 0)
    make(data_dir / "runs" / RUN / "odd.journal")
    os.mkfifo(data_dir / "runs" / RUN / "odd.lock")
    os.mkfifo(data_dir / "runs" / RUN / "w1.lock")
    store = reopen()
    assert store.series(RUN, "loss").value.tolist() == [1.0]
    assert store.run(RUN).status == RunStatus.UNKNOWN
    (event,) = store.events(RUN)
    assert event["detail"].startswith("odd.journal is not a file")
    assert not store.refresh() and store.behind_bytes() == 0
    with pytest.raises(JournalError):
        read_end(data_dir / "runs" / RUN / "odd.journal", 100)
