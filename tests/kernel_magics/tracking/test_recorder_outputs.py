"""What a cell showed, as the recorder keeps it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import kernel_magics as km
from kernel_magics import paths
from kernel_magics.journal import format as fmt
from kernel_magics.journal.format import Kind
from kernel_magics.tracking.notices import TracksideWarning

Records = Callable[[str], list[Any]]


def test_output_is_stored_as_it_came_with_its_buffers_as_blobs(records: Records) -> None:
    content = '{"data": {"text/plain": "größe"}, "metadata": {}}'.encode()
    with km.init() as run:
        run.record_output("c1", "display_data", content, [b"\x00\x01", memoryview(b"xyz")])
        run.record_output("c1", "stream", b'{"name":"stdout","text":"hi"}')
        run.record_output("c2", "stream", b"{}")
        record = records(run.id)[0]
    outputs = record.all(Kind.OUTPUT)
    assert [(output["cell"], output["n"], output["type"]) for output in outputs] == [
        ("c1", 0, "display_data"),
        ("c1", 1, "stream"),
        ("c2", 0, "stream"),
    ]
    assert outputs[0]["content"] == json.loads(content)
    blobs = paths.blobs_dir(paths.data_dir())
    assert [(blobs / digest).read_bytes() for digest in outputs[0]["buffers"]] == [b"\x00\x01", b"xyz"]
    assert "buffers" not in outputs[1]
    raw = next(frame.payload for frame in record.frames if frame.kind == Kind.OUTPUT)
    assert content in raw, "the content was encoded anew"


def test_an_output_too_large_for_a_frame_becomes_an_event(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    with km.init() as run:
        monkeypatch.setattr(fmt, "MAX_PAYLOAD", 2000)
        run.record_output("c", "stream", b'{"text":"' + b"x" * 3000 + b'"}')
        run.record_output("c", "stream", b"{}")
        record = records(run.id)[0]
    assert [output["n"] for output in record.all(Kind.OUTPUT)] == [1]
    assert "record-too-large" in [event["name"] for event in record.all(Kind.EVENT)]


def test_an_output_nested_deeper_than_readers_take_is_left_out_and_said_once(records: Records) -> None:
    deep = b'{"data":{"application/json":' + b"[" * 300 + b"]" * 300 + b"}}"
    text = b'{"name":"stdout","text":"' + b"[" * 300 + b'"}'
    with pytest.warns(TracksideWarning, match="nested deeper than 200 levels") as told, km.init() as run:
        for _ in range(2):
            run.record_output("c", "display_data", deep)
        run.record_output("c", "stream", text)
        record = records(run.id)[0]
    assert len(told) == 1
    assert [output["content"] for output in record.all(Kind.OUTPUT)] == [json.loads(text)]
    assert [event["name"] for event in record.all(Kind.EVENT)] == ["record-too-deep"]
