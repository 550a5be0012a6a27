"""The bytes between Link and agent survive being cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_provisioner import wire
from gpu_provisioner.outflow import Outflow
from gpu_provisioner.wire import LONG

RECORDS = st.lists(st.tuples(st.integers(0, 255), st.lists(st.binary(max_size=300), max_size=8)), max_size=12)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in zip(at, at[1:], strict=False)]


@given(records=RECORDS, cuts=st.lists(st.integers(0, 10_000), max_size=20), offset=st.integers(0, 2**60))
def test_records_are_the_same_however_they_arrive(
    records: list[tuple[int, list[bytes]]], cuts: list[int], offset: int
) -> None:
    data = b"".join(wire.encode_record(channel, parts) for channel, parts in records)
    reader = wire.RecordReader(offset)
    read = [record for piece in pieces(data, cuts) for record in reader.feed(piece)]
    assert [(channel, parts) for _, channel, parts in read] == records
    assert reader.position == offset + len(data)
    ends = [end for end, _, _ in read]
    assert ends == sorted(ends) and (not ends or ends[-1] == offset + len(data))


@given(
    frames=st.lists(st.tuples(st.sampled_from([b"D", b"W", b"U"]), st.binary(max_size=500)), max_size=12),
    cuts=st.lists(st.integers(0, 10_000), max_size=20),
)
def test_frames_are_the_same_however_they_arrive(frames: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    data = b"".join(wire.encode_frame(tag, body) for tag, body in frames)
    reader = wire.FrameReader()
    assert [frame for piece in pieces(data, cuts) for frame in reader.feed(piece)] == frames
    flowing = wire.FrameReader(flowing=b"D")
    came = [frame for piece in pieces(data, cuts) for frame in flowing.feed(piece)]
    assert [frame for frame in came if frame[0] != b"D"] == [frame for frame in frames if frame[0] != b"D"]
    for tag in {tag for tag, _ in frames}:
        stream = b"".join(body for each, body in frames if each == tag)
        assert b"".join(body for each, body in came if each == tag) == stream


def test_what_flows_is_handed_on_before_its_frame_is_whole() -> None:
    reader = wire.FrameReader(flowing=b"D")
    begun = b"".join((wire.encode_frame(b"W", b"w"), wire.frame_head(b"D", 100), b"x" * 30))
    assert reader.feed(begun) == [(b"W", b"w"), (b"D", b"x" * 30)]
    assert reader.feed(b"y" * 70 + wire.frame_head(b"U", 1)) == [(b"D", b"y" * 70)]
    assert reader.feed(b"u") == [(b"U", b"u")]


@given(lengths=st.lists(st.sampled_from([0, 1, 7, LONG - 1, LONG, LONG + 1]), min_size=1, max_size=8))
def test_a_record_in_pieces_is_the_same_record_and_its_long_parts_are_not_copied(lengths: list[int]) -> None:
    parts = [bytes([number]) * length for number, length in enumerate(lengths)]
    record = wire.record_pieces(wire.SHELL, parts)
    assert b"".join(record) == wire.encode_record(wire.SHELL, parts)
    kept = {id(piece) for piece in record}
    assert all(id(part) in kept for part in parts if len(part) >= LONG)
    [body] = [body for _, body in wire.FrameReader().feed(b"".join(wire.message_pieces(1, 2, record)))]
    sequence, epoch, channel, read = wire.decode_message(body)
    assert (sequence, epoch, channel, [bytes(part) for part in read]) == (1, 2, wire.SHELL, parts)
    assert all(isinstance(part, bytes) for part in read[:4])
    assert all(isinstance(part, memoryview) for part in read[4:] if len(part) >= LONG)


@given(
    lengths=st.lists(st.integers(0, 50), max_size=20),
    steps=st.lists(st.integers(1, 60), min_size=30, max_size=30),
)
def test_bytes_on_their_way_out_leave_in_order_however_few_are_taken(
    lengths: list[int], steps: list[int]
) -> None:
    said = [bytes([number]) * length for number, length in enumerate(lengths)]
    out = Outflow()
    out.put(*said)
    taken = b""
    for step in steps:
        pieces = out.next(step)
        assert sum(map(len, pieces)) == min(step, len(b"".join(said)) - len(taken))
        some = b"".join(pieces)[: (step + 1) // 2]
        taken += some
        out.drop(len(some))
    assert taken + b"".join(out.take()) == b"".join(said) and not out


def test_a_message_carries_its_number_its_epoch_and_one_record() -> None:
    record = wire.record_pieces(wire.SHELL, [b"a", b"", b"c"])
    [(tag, body)] = wire.FrameReader().feed(b"".join(wire.message_pieces(2**40, 3, record)))
    assert tag == wire.MESSAGE
    assert wire.decode_message(body) == (2**40, 3, wire.SHELL, [b"a", b"", b"c"])


@pytest.mark.parametrize("body", [b"", b"short", bytes(12), bytes(12) + b"\x01\x00\x01\x00\x00\x00\x09x"])
def test_a_message_that_is_not_one_is_an_error(body: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode_message(body)


@pytest.mark.parametrize(
    ("path", "fine"),
    [
        ("runs/20261122-141503-k3f9qz/w1.journal", True),
        (f"blobs/{'0' * 64}", True),
        ("runs/../x.journal", False),
        ("runs/a/../b.journal", False),
        ("runs/a/b/c.journal", False),
        ("/runs/a/b.journal", False),
        ("runs/a/b.lock", False),
        ("runs/a/.journal", False),
        ("blobs/../leases/x.json", False),
        (f"blobs/{'0' * 63}", False),
        ("leases/x.json", False),
        ("runs/a/b.journal\n", False),
    ],
)
def test_only_journals_and_blobs_may_travel(path: str, fine: bool) -> None:
    assert (wire.FILE_PATH.fullmatch(path) is not None) is fine
