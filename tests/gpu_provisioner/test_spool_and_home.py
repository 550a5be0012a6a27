"""The spool keeps, the home journal continues, and files come home without harming what is here."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from gpu_provisioner import home, wire
from gpu_provisioner.agent.files import FileTail
from gpu_provisioner.agent.keeper import Keeper
from gpu_provisioner.agent.places import UnsafeFolder, private_folder, runtime_folder, write_private
from gpu_provisioner.agent.spool import NoRoom, Spool
from gpu_provisioner.arrivals import Arrivals
from gpu_provisioner.home import HomeJournal, read_records
from gpu_provisioner.wire import WireError, encode_event, encode_file, encode_record


def record(n: int) -> bytes:
    return encode_record(wire.IOPUB, [b"x" * n])


def contents(spool: Spool, start: int) -> bytes:
    found = b""
    while start < spool.end:
        handle, position, available = spool.locate(start)
        piece = os.pread(handle, available, position)
        found += piece
        start += len(piece)
    return found


def test_what_was_spooled_is_read_back_across_segments(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", segment_bytes=1000)
    written = b""
    for n in (10, 990, 5, 3000, 1, 700):
        spool.append(record(n))
        written += record(n)
    assert contents(spool, 0) == written
    assert contents(spool, 1234) == written[1234:]
    assert len(list((tmp_path / "spool").iterdir())) > 2


def test_acknowledged_segments_are_deleted_and_offsets_stay(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", segment_bytes=1000)
    for _ in range(20):
        spool.append(record(400))
    end, last = spool.end, contents(spool, spool.end - 100)
    spool.free(end - 100)
    assert spool.start > 0 and contents(spool, end - 100) == last
    spool.free(end)
    spool.append(record(7))
    assert spool.end == end + len(record(7))
    with pytest.raises(LookupError):
        spool.locate(0)


def test_a_spool_is_continued_behind_the_last_whole_record(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append(record(100))
    end = spool.end
    spool.append(record(50))
    spool.close()
    [segment] = (tmp_path / "spool").iterdir()
    os.truncate(segment, end + 20)
    again = Spool(tmp_path / "spool")
    assert again.end == end
    again.append(record(3))
    assert contents(again, 0) == record(100) + record(3)


def fill_disk(full: pytest.MonkeyPatch, room: int) -> None:
    """The disk takes ``room`` bytes more, and not one beyond."""
    real, left = os.writev, [room]

    def writev(handle: int, pieces: list[memoryview]) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(handle, [b"".join(pieces)[: left[0]]])
        left[0] -= written
        return written

    full.setattr(os, "writev", writev)


def test_a_full_disk_stops_the_kernels_output_and_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []
    keeper = Keeper(tmp_path, 1 << 30, told.append)
    keeper.keep(record(10))
    with monkeypatch.context() as full:
        fill_disk(full, 40)
        keeper.keep(record(1000))
        keeper.keep(record(20))
    assert told == [True] and keeper.full and not keeper.is_all_home
    assert "No space left on device" in keeper.trouble
    kept = record(10) + record(1000) + record(20)
    assert contents(keeper.spool, 0) == kept[: len(record(10)) + 40]
    keeper.keep_house()
    assert told == [True, False]
    assert contents(keeper.spool, 0).startswith(kept)
    assert b"There is room again" in contents(keeper.spool, len(kept))
    assert keeper.trouble == ""


def test_a_record_that_found_no_room_goes_on_where_it_stopped_and_begins_no_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was sent its beginning gets its end, and a segment begins with a whole record."""
    spool = Spool(tmp_path / "spool", segment_bytes=1000)
    with monkeypatch.context() as full:
        fill_disk(full, 2000)
        with pytest.raises(NoRoom) as caught:
            spool.append(*wire.record_pieces(wire.IOPUB, [b"a", b"x" * 3000]))
    assert caught.value.errno == errno.ENOSPC and spool.end == 2000
    spool.append(*caught.value.left)
    assert contents(spool, 0) == encode_record(wire.IOPUB, [b"a", b"x" * 3000])
    assert len(list((tmp_path / "spool").iterdir())) == 1
    spool.append(record(5))
    assert len(list((tmp_path / "spool").iterdir())) == 2


def test_of_a_record_that_found_no_room_before_the_agent_died_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append(record(10))
    with monkeypatch.context() as full:
        fill_disk(full, 40)
        with pytest.raises(NoRoom):
            spool.append(record(1000))
    again = Spool(tmp_path / "spool")
    assert contents(again, 0) == record(10)


def test_what_is_written_of_a_long_record_can_be_sent_before_the_rest_is(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    sent = b""

    def send() -> None:
        nonlocal sent
        sent += contents(spool, len(sent))

    spool.meanwhile = send
    long = os.urandom(3 << 20)
    spool.append(*wire.record_pieces(wire.IOPUB, [b"a", long]))
    whole = encode_record(wire.IOPUB, [b"a", long])
    assert len(whole) - (300 << 10) < len(sent) < len(whole)
    assert sent == whole[: len(sent)]


def test_beyond_the_quota_the_kernel_waits_until_somebody_fetches(tmp_path: Path) -> None:
    told: list[bool] = []
    keeper = Keeper(tmp_path, 20 << 20, told.append)
    for _ in range(3):
        keeper.keep(record(10 << 20))
    assert told == [True]
    assert b"nobody fetches them" in contents(keeper.spool, 20 << 20)
    keeper.acknowledge(keeper.spool.end)
    keeper.keep_house()
    assert told == [True, False]


def test_growing_journals_are_followed_byte_by_byte(tmp_path: Path) -> None:
    far, home = tmp_path / "far", tmp_path / "home"
    tail, arrivals = FileTail(far), Arrivals(home, tmp_path / "waiting")
    (far / "runs" / "r1").mkdir(parents=True)
    journal = far / "runs" / "r1" / "w1.journal"
    (far / "runs" / "r1" / "w1.lock").write_bytes(b"")

    def bring() -> int:
        records = [parts for data in tail.journal_records() for _, _, parts in wire.RecordReader().feed(data)]
        for parts in records:
            arrivals.apply(parts)
        return len(records)

    journal.write_bytes(os.urandom(2_500_000))
    assert bring() == 3
    assert bring() == 0
    with journal.open("ab") as file:
        file.write(b"more")
    (far / "runs" / "r2").mkdir()
    (far / "runs" / "r2" / "late.journal").write_bytes(b"second run")
    assert bring() == 2
    assert (home / "runs" / "r1" / "w1.journal").read_bytes() == journal.read_bytes()
    assert sorted(path.name for path in home.rglob("*") if path.is_file()) == ["late.journal", "w1.journal"]
    arrivals.sync()


def apply(arrivals: Arrivals, path: str, offset: int, data: bytes, **more: object) -> None:
    [(_, _, parts)] = wire.RecordReader().feed(encode_file(path, offset, data, **more))
    arrivals.apply(parts)


def test_a_run_that_was_deleted_stays_deleted_when_what_came_is_applied_again(tmp_path: Path) -> None:
    """After a kernel was killed its last records are applied once more; the run may be in the trash now."""
    arrivals = Arrivals(tmp_path, tmp_path / "waiting")
    apply(arrivals, "runs/r/w.journal", 0, b"abc")
    (tmp_path / "trash").mkdir()
    (tmp_path / "runs" / "r").rename(tmp_path / "trash" / "r")
    apply(arrivals, "runs/r/w.journal", 0, b"abc")
    apply(arrivals, "runs/r/w.journal", 3, b"late")
    assert not (tmp_path / "runs" / "r").exists()
    assert (tmp_path / "trash" / "r" / "w.journal").read_bytes() == b"abclate"
    with pytest.raises(wire.WireError, match="not here"):
        apply(arrivals, "runs/gone/w.journal", 3, b"late")
    assert not (tmp_path / "runs" / "gone").exists()
    arrivals.sync()


def test_applying_the_same_bytes_again_changes_nothing(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path, tmp_path / "waiting")
    for _ in range(2):
        apply(arrivals, "runs/r/w.journal", 0, b"abc")
        apply(arrivals, "runs/r/w.journal", 3, b"def")
        apply(arrivals, "runs/r/w.journal", 1, b"bcde")
    assert (tmp_path / "runs" / "r" / "w.journal").read_bytes() == b"abcdef"


def test_bytes_that_are_here_are_never_changed(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path, tmp_path / "waiting")
    apply(arrivals, "runs/r/w.journal", 0, b"original")
    apply(arrivals, "runs/r/w.journal", 0, b"FORGED!!and more")
    assert (tmp_path / "runs" / "r" / "w.journal").read_bytes() == b"originaland more"


@pytest.mark.parametrize(
    ("path", "offset"),
    [
        ("runs/../w.journal", 0),
        ("leases/x.json", 0),
        ("../x", 0),
        ("runs/r/w.journal", -1),
        ("runs/r/w.journal", 99),
    ],
)
def test_paths_and_offsets_no_agent_sends_are_refused(tmp_path: Path, path: str, offset: int) -> None:
    with pytest.raises(WireError):
        apply(Arrivals(tmp_path / "data", tmp_path / "waiting"), path, offset, b"x")
    assert not [each for each in tmp_path.rglob("*") if each.is_file() and each.stat().st_size]


def test_a_link_does_not_lead_out_of_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "runs" / "r2").mkdir(parents=True)
    (tmp_path / "runs" / "r").symlink_to(tmp_path / "outside")
    (tmp_path / "runs" / "r2" / "w.journal").symlink_to(tmp_path / "outside" / "file")
    arrivals = Arrivals(tmp_path, tmp_path / "waiting")
    for run in ("r", "r2"):
        with pytest.raises(OSError):
            apply(arrivals, f"runs/{run}/w.journal", 0, b"x")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_blob_must_be_what_its_name_says(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path, tmp_path / "waiting")
    good = hashlib.sha256(b"good bytes").hexdigest()
    apply(arrivals, f"blobs/{good}", 0, b"good ", size=10)
    assert not (tmp_path / "blobs").exists()
    apply(arrivals, f"blobs/{good}", 5, b"bytes", size=10)
    assert (tmp_path / "blobs" / good).read_bytes() == b"good bytes"
    with pytest.raises(WireError, match="not its own"):
        apply(arrivals, f"blobs/{'0' * 64}", 0, b"forged", size=6)
    assert [path.name for path in (tmp_path / "blobs").iterdir()] == [good]


def test_a_blob_whose_size_is_no_number_is_refused(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path, tmp_path / "waiting")
    for size in ("ten", None, -1, float("inf")):
        with pytest.raises(WireError, match="size"):
            apply(arrivals, f"blobs/{'0' * 64}", 0, b"some", size=size)
    assert not (tmp_path / "waiting").exists()


def test_the_home_journal_knows_its_end_and_its_unfinished_record(tmp_path: Path) -> None:
    folder = tmp_path / "kernels" / "l1"
    journal = HomeJournal(folder)
    whole, part = encode_event("notice", text="a") + record(10), record(500)
    journal.append(whole + part[:100])
    journal.close()
    again = HomeJournal(folder)
    assert again.end == len(whole) + 100
    assert again.unfinished() == (len(whole), part[:100])
    again.append(part[100:])
    again.close()
    assert [parts for batch in read_records(tmp_path, "l1") for _, _, parts in batch][1:] == [
        [b"x" * 10],
        [b"x" * 500],
    ]


def test_a_home_journal_that_begins_later_keeps_the_older_part(tmp_path: Path) -> None:
    folder = tmp_path / "kernels" / "l1"
    journal = HomeJournal(folder)
    journal.append(record(10))
    journal.begin_at(5000)
    journal.append(record(20))
    journal.close()
    again = HomeJournal(folder)
    assert (again.base, again.end) == (5000, 5000 + len(record(20)))
    again.close()
    assert [end for batch in read_records(tmp_path, "l1") for end, _, _ in batch] == [5000 + len(record(20))]
    assert (folder / "stream.0").read_bytes() == record(10)


def test_a_home_journal_killed_while_it_began_anew_keeps_the_older_part(tmp_path: Path) -> None:
    folder = tmp_path / "kernels" / "l1"
    journal = HomeJournal(folder)
    journal.append(record(10))
    journal.close()
    (folder / "stream").rename(folder / "stream.0")  # killed before the new beginning was put down
    again = HomeJournal(folder)
    again.begin_at(5000)
    again.close()
    assert (folder / "stream.0").read_bytes() == record(10)
    last = HomeJournal(folder)
    assert (last.base, last.end) == (5000, 5000)
    last.close()


@pytest.mark.parametrize("puts_down", [0, 1])
def test_a_home_journal_for_whose_new_beginning_there_was_no_room_begins_where_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, puts_down: int
) -> None:
    folder = tmp_path / "kernels" / "l1"
    journal = HomeJournal(folder)
    journal.append(record(10))
    written: list[Path] = []

    def full_after_a_while(path: Path, content: bytes) -> None:
        if len(written) == puts_down:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(path)
        write_private(path, content)

    with monkeypatch.context() as full:
        full.setattr(home, "write_private", full_after_a_while)
        with pytest.raises(OSError, match="No space"):
            journal.begin_at(5000)
    base = 5000 if puts_down else 0
    assert journal.base == base
    journal.append(record(20))
    end = journal.end
    journal.close()  # and the process ends
    assert (home.stream_base(folder), home.stream_end(folder)) == (base, end)
    again = HomeJournal(folder)
    assert (again.base, again.end) == (base, end)
    assert [parts for batch in again.records(base) for _, _, parts in batch][-1] == [b"x" * 20]
    again.begin_at(9000)
    again.close()
    last = HomeJournal(folder)
    assert (last.base, last.end) == (9000, 9000)
    last.close()


def test_when_something_came_is_known_also_after_a_part_was_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def append_at(now: float, data: bytes) -> None:
        monkeypatch.setattr("gpu_provisioner.home.time.time", lambda: now)
        journal.append(data)

    journal = HomeJournal(tmp_path / "l1")
    for now in (1000.0, 2000.0, 3000.0):
        append_at(now, b"x" * 100)
    journal.cut(150)
    for now in (4000.0, 5000.0):
        append_at(now, b"y" * 30)
    journal.close()
    came = [home.arrival(tmp_path / "l1", offset) - 1.0 for offset in (50, 150, 180, 210)]
    assert came == [1000.0, 2000.0, 4000.0, 5000.0]


def test_a_folder_that_others_may_enter_is_closed_or_refused(tmp_path: Path) -> None:
    mine = tmp_path / "trackside" / "x"
    mine.mkdir(parents=True)
    mine.chmod(0o777)
    assert private_folder(mine).stat().st_mode & 0o777 == 0o700
    (tmp_path / "trackside" / "link").symlink_to(tmp_path)
    with pytest.raises(UnsafeFolder):
        private_folder(tmp_path / "trackside" / "link")


def test_socket_paths_stay_short_whatever_the_environment_says() -> None:
    for base in ("/run/user/1000", "/" + "long/" * 30, ""):
        folder = runtime_folder("a100-80gb-20261122-141503-k3f9", {"XDG_RUNTIME_DIR": base})
        assert len(os.fsencode(folder)) < 60
