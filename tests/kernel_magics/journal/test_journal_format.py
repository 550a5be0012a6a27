"""The bytes of a journal are what docs/journal-format.md says, for good."""

from __future__ import annotations

import json
import math
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel_magics.errors import JournalError
from kernel_magics.journal import format as fmt
from kernel_magics.journal.reader import read_journal

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.mark.parametrize("name", ["v1", "v1_media"])
def test_the_committed_journals_of_version_1_still_read_as_they_did(name: str) -> None:
    expected = json.loads((FIXTURES / f"{name}.json").read_text())
    frames, skipped, tail = read_journal(FIXTURES / f"{name}.journal")
    found = []
    for frame in frames:
        if frame.kind == fmt.Kind.POINTS:
            points = fmt.unpack_points(frame.payload)
            values = [repr(value) for value in points.values]
            found.append([frame.kind, [points.layout, points.step, points.time, values]])
        elif frame.kind in set(fmt.Kind):
            found.append([frame.kind, fmt.unpack_json(frame.payload)])
        else:
            found.append([frame.kind, frame.payload.hex()])
    assert repr(found) == repr(expected["frames"])  # by repr: NaN is not equal to itself
    assert [list(stretch) for stretch in skipped] == expected["skipped"]
    assert tail == expected["tail"]


def test_a_frame_is_marker_length_kind_payload_and_checksum_in_little_endian() -> None:
    frame = fmt.pack_frame(10, b"{}")
    assert frame[:7] == b"\xd6\x9c" + struct.pack("<IB", 2, 10)
    assert frame[7:9] == b"{}"
    assert frame[9:] == struct.pack("<I", zlib.crc32(frame[:9]))
    assert len(frame) == 2 + fmt.FRAME_OVERHEAD


def test_the_header_is_16_bytes_with_a_checksum_of_its_own() -> None:
    header = fmt.pack_header()
    assert header == b"\x89TSJ\r\n\x1a\n" + struct.pack("<HHI", 1, 0, zlib.crc32(header[:12]))
    assert fmt.check_header(header, "x") == 1


def test_a_journal_from_a_newer_version_is_refused_with_both_versions_named() -> None:
    head = struct.pack("<8sHH", fmt.MAGIC, 2, 0)
    with pytest.raises(JournalError, match=r"format 2.*format 1"):
        fmt.check_header(head + struct.pack("<I", zlib.crc32(head)), "x.journal")


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"PNG" + bytes(13), "not a Trackside journal"), (fmt.pack_header()[:-1] + b"?", "header .* damaged")],
)
def test_what_is_no_journal_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(JournalError, match=message):
        fmt.check_header(data, "x.journal")


@given(
    st.integers(0, 2**32 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.lists(st.floats(), max_size=50),
)
def test_points_come_back_bit_by_bit(layout: int, step: int, time: float, values: list[float]) -> None:
    packed = fmt.points_packer(len(values)).pack(
        fmt.MARKER, fmt.POINTS_HEAD.size + 8 * len(values), 7, layout, step, time, *values
    )
    points = fmt.unpack_points(packed[fmt.FRAME_HEAD.size :])
    assert (points.layout, points.step, points.time) == (layout, step, time)
    assert struct.pack(f"{len(values)}d", *points.values) == struct.pack(f"{len(values)}d", *values)


@pytest.mark.parametrize("length", [0, 19, 21, 27])
def test_a_points_payload_of_an_impossible_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=str(length)):
        fmt.unpack_points(bytes(length))


def test_json_keeps_nan_and_infinities_and_survives_lone_surrogates() -> None:
    content = fmt.unpack_json(fmt.pack_json({"a": math.inf, "b": math.nan, "c": "é\ud800"}))
    assert content["a"] == math.inf
    assert math.isnan(content["b"])
    assert content["c"] == "é?"


def test_a_payload_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="67,108,865"):
        fmt.pack_frame(9, bytes(fmt.MAX_PAYLOAD + 1))
