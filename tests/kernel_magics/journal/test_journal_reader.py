"""A reader finds every frame that is whole, says what it skipped, and goes on where it stopped."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel_magics.errors import JournalError
from kernel_magics.journal import format as fmt
from kernel_magics.journal import reader as reader_module
from kernel_magics.journal.reader import JournalReader, Skipped, read_journal, scan

PAYLOADS = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.just(fmt.MARKER * 9),  # looks like frames that begin
        st.just(fmt.pack_frame(7, b"inner")),  # a whole frame inside a payload
    ),
    min_size=1,
    max_size=8,
)


def journal(payloads: list[bytes]) -> bytes:
    return fmt.pack_header() + b"".join(fmt.pack_frame(10, payload) for payload in payloads)


def read_bytes(tmp_path: Path, data: bytes) -> tuple[list[bytes], list[Skipped], int]:
    path = tmp_path / "x.journal"
    path.write_bytes(data)
    frames, skipped, tail = read_journal(path)
    return [frame.payload for frame in frames], skipped, tail


@given(payloads=PAYLOADS, flip=st.integers(0, 7), data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_flipped_bit_costs_the_frame_it_is_in_and_no_other(
    tmp_path: Path, payloads: list[bytes], flip: int, data: st.DataObject
) -> None:
    whole = bytearray(journal(payloads))
    where = data.draw(st.integers(fmt.HEADER_SIZE, len(whole) - 1))
    whole[where] ^= 1 << flip
    ends = list(
        itertools.accumulate((len(p) + fmt.FRAME_OVERHEAD for p in payloads), initial=fmt.HEADER_SIZE)
    )
    hit = next(index for index, end in enumerate(ends[1:]) if where < end)

    found, skipped, tail = read_bytes(tmp_path, bytes(whole))

    inner = [b"inner"] if payloads[hit] == fmt.pack_frame(7, b"inner") and b"inner" in found else []
    assert [payload for payload in found if payload not in inner or payload in payloads] == (
        payloads[:hit] + payloads[hit + 1 :]
    )
    assert sum(end - start for start, end in skipped) + tail + len(b"".join(inner)) + 11 * len(inner) == (
        len(payloads[hit]) + fmt.FRAME_OVERHEAD
    )


@given(payloads=PAYLOADS, data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_journal_cut_anywhere_gives_the_frames_before_the_cut(
    tmp_path: Path, payloads: list[bytes], data: st.DataObject
) -> None:
    payloads = [payload for payload in payloads if payload != fmt.pack_frame(7, b"inner")] or [b"x"]
    whole = journal(payloads)
    cut = data.draw(st.integers(fmt.HEADER_SIZE, len(whole)))
    found, skipped, tail = read_bytes(tmp_path, whole[:cut])
    assert found == payloads[: len(found)]
    assert skipped == []
    complete = fmt.HEADER_SIZE + sum(len(payload) + fmt.FRAME_OVERHEAD for payload in found)
    assert complete + tail == cut
    assert len(found) == len(payloads) or tail < len(payloads[len(found)]) + fmt.FRAME_OVERHEAD


@given(payloads=PAYLOADS, sizes=st.lists(st.integers(1, 60), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_journal_that_grows_by_any_steps_is_read_once_and_whole(
    tmp_path: Path, payloads: list[bytes], sizes: list[int]
) -> None:
    whole = journal([p for p in payloads if p != fmt.pack_frame(7, b"inner")])
    path = tmp_path / "growing.journal"
    path.write_bytes(b"")
    reader = JournalReader(path)
    found, written = [], 0
    for size in itertools.cycle(sizes):
        with path.open("ab") as file:
            file.write(whole[written : written + size])
        written += size
        reader = JournalReader(path, reader.offset)  # each time a new process, so to speak
        batch = reader.read(limit=16)
        found += batch.frames
        assert batch.skipped == []
        if written >= len(whole):
            break
    found += [frame for batch in reader.batches(limit=16) for frame in batch.frames]
    assert [frame.payload for frame in found] == [p for p in payloads if p != fmt.pack_frame(7, b"inner")]
    assert reader.offset == len(whole)


def test_offsets_are_where_the_frames_lie(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    path.write_bytes(journal([b"one", b"two"]))
    data = path.read_bytes()
    frames, _, _ = read_journal(path)
    assert [data[frame.offset : frame.end] for frame in frames] == [
        fmt.pack_frame(10, b"one"),
        fmt.pack_frame(10, b"two"),
    ]


def test_a_damaged_length_that_points_far_ahead_costs_one_frame(tmp_path: Path) -> None:
    data = bytearray(journal([b"one", b"two", b"three"]))
    data[fmt.HEADER_SIZE + 2 + 3] = 0x02  # the first frame claims 32 MiB
    found, skipped, tail = read_bytes(tmp_path, bytes(data))
    assert found == [b"two", b"three"]
    assert skipped == [Skipped(16, 16 + 3 + fmt.FRAME_OVERHEAD)]
    assert tail == 0


def test_a_hole_of_zeros_is_skipped_and_reported(tmp_path: Path) -> None:
    data = journal([b"one"]) + bytes(100_000) + fmt.pack_frame(10, b"two")
    found, skipped, tail = read_bytes(tmp_path, data)
    assert found == [b"one", b"two"]
    assert [end - start for start, end in skipped] == [100_000]
    assert tail == 0


def test_a_frame_larger_than_the_reading_limit_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    path.write_bytes(journal([b"a", b"b" * 100_000, b"c"]))
    batches = list(JournalReader(path).batches(limit=64))
    assert [frame.payload[:1] for batch in batches for frame in batch.frames] == [b"a", b"b", b"c"]


def test_damage_longer_than_two_frames_can_be_is_let_go_without_reading_it_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fmt, "MAX_PAYLOAD", 1000)
    monkeypatch.setattr(reader_module, "_GIVE_UP", 2000)
    path = tmp_path / "x.journal"
    path.write_bytes(journal([b"one"]) + bytes(50_000) + fmt.pack_frame(10, b"two"))
    batches = list(JournalReader(path).batches(limit=64))
    assert [frame.payload for batch in batches for frame in batch.frames] == [b"one", b"two"]
    skipped = [stretch for batch in batches for stretch in batch.skipped]
    assert sum(end - start for start, end in skipped) == 50_000
    assert all(before.end <= after.offset for before, after in itertools.pairwise(skipped))


def test_an_empty_file_and_a_header_cut_short_are_journals_that_have_not_begun(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    for data in (b"", fmt.pack_header()[:7]):
        path.write_bytes(data)
        batch = JournalReader(path).read()
        assert (batch.frames, batch.offset, batch.tail) == ([], 0, len(data))


def test_a_file_that_is_no_journal_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    path.write_bytes(b"a text of somebody else's")
    with pytest.raises(JournalError, match=r"x\.journal is not a Trackside journal"):
        read_journal(path)


def test_an_incomplete_frame_in_the_middle_of_a_stretch_is_no_damage() -> None:
    frame = fmt.pack_frame(10, b"abc")
    batch = scan(frame + frame[:8], at_end=False)
    assert (len(batch.frames), batch.skipped, batch.tail) == (1, [], 8)
