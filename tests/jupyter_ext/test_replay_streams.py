"""Cells of another machine's kernel, read out of its stream: each once, all at once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpu_provisioner.home import home_folder, read_records
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from jupyter_ext import replay_streams
from jupyter_ext.replay_cell import Page, Part
from jupyter_ext.replay_streams import HomeStreams, StreamSource
from tests.jupyter_ext.home_stream import Stream

KEYS = [f"k{number}" for number in range(50)]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Where each reading of a stream began."""
    begun: list[int] = []

    def counting(data_dir: Path, lease_id: str, start: int = 0) -> Iterator[Any]:
        begun.append(start)
        return read_records(data_dir, lease_id, start)

    monkeypatch.setattr(replay_streams, "read_records", counting)
    return begun


@pytest.fixture
def source(data_dir: Path, stream: Stream) -> StreamSource:
    """A page's source; every cell makes a display that the cell behind it updates."""
    for number, key in enumerate(KEYS):
        stream.cell(key, f"c{number}")
        for line in range(20):
            stream.write(key, f"{key} {line}\n")
        display = {"data": {"text/plain": key}, "metadata": {}}
        stream.say(key, "display_data", {**display, "transient": {"display_id": key}})
        before = {"data": {"text/plain": f"updated by {key}"}, "transient": {"display_id": f"k{number - 1}"}}
        stream.say(key, "update_display_data", before)
        stream.end(key)
    found = StreamSource(HomeStreams(data_dir), Page("kernel-1", None, 0.0))
    assert [cell.key for cell in found.cells()] == KEYS
    return found


def test_two_leases_that_come_within_one_tick_of_the_clock_are_both_seen(data_dir: Path) -> None:
    streams, book, folder = HomeStreams(data_dir), LeaseBook(data_dir), data_dir / "leases"
    for name in ("a-1", "b-1"):
        book.save(Lease(name, name, "local", "local", "cpu", LeaseState.READY, 0.0))
        os.utime(folder, (1000.0, 1000.0))  # a clock that has not ticked between the two
        home_folder(data_dir, name).mkdir(parents=True)
        (home_folder(data_dir, name) / "stream").touch()
        assert f"{name}" in {lease for lease, _ in streams.sizes()}
    book.finish("a-1", LeaseState.RELEASED, "")
    os.utime(folder, (1000.0, 1000.0))
    assert {lease for lease, _ in streams.sizes()} == {"b-1"}


def said(parts: Iterator[Part]) -> dict[str, str]:
    return {part.key: json.dumps(part.messages) for part in parts}


def test_fifty_cells_that_are_wanted_at_once_are_one_reading_of_the_stream(
    source: StreamSource, reads: list[int]
) -> None:
    together = said(source.follow(dict.fromkeys(KEYS)))
    assert len(reads) == 1
    assert list(together) == KEYS
    assert "k7 0\\nk7 1\\n" in together["k7"] and "updated by k8" in together["k7"]
    assert together == {key: said(source.follow({key: None}))[key] for key in KEYS}


def test_what_comes_later_is_read_once_for_all_cells_whenever_they_were_wanted(
    source: StreamSource, stream: Stream, reads: list[int]
) -> None:
    for key in KEYS[:10]:
        list(source.follow({key: None}))
    for key in (*KEYS[:10], KEYS[20]):
        stream.write(key, "late")
    stream.say("k3", "update_display_data", {"data": {"text/plain": "1"}, "transient": {"display_id": "k9"}})
    reads.clear()
    news = said(source.news())
    assert len(reads) == 1
    assert list(news) == KEYS[:10], "nobody has asked for the other one"
    assert all("late" in text for text in news.values()) and "update_display_data" in news["k9"]
    assert said(source.news()) == {} and len(reads) == 1


def test_a_cell_that_is_wanted_again_comes_once_from_where_the_page_has_it(
    source: StreamSource, stream: Stream
) -> None:
    (first,) = source.follow({"k1": None})
    assert said(source.follow({"k1": first.position, "k2": None}))["k1"] == "[]"
    stream.write("k1", "once")
    assert json.loads(said(source.news())["k1"]) == [["stream", {"name": "stdout", "text": "once"}]]
