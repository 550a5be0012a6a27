"""Whole frames that say strange things, and strange files: they cost themselves, never the run or another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kernel_magics.errors import UnknownRun
from kernel_magics.figures import View, comparison_page, runs_listing
from kernel_magics.journal.format import DEEPEST, unpack_json
from kernel_magics.store.happenings import happenings


def nested(levels: int) -> bytes:
    """A JSON object of so many levels."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize("levels", [DEEPEST + 1, 900, 100_000])
def test_what_is_nested_too_deeply_is_told_from_what_is_not(levels):
    unpack_json(nested(DEEPEST))
    with pytest.raises(ValueError, match=f"deeper than {DEEPEST} levels"):
        unpack_json(nested(levels))


def test_many_parts_are_not_taken_for_deep_ones():
    assert len(unpack_json(b'{"a":[' + b",".join([b"[[1]]"] * 5000) + b"]}")["a"]) == 5000


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (3, nested(100_000)),
        (5, nested(100_000)),
        (5, b'{"id": 1e999, "name": "x", "source": "logged"}'),
        (5, b'{"id": 99999999999999999999, "name": "x", "source": "logged"}'),
        (5, b'{"id": true, "name": "x", "source": "logged"}'),
        (6, b'{"id": 99999999999999999999, "metrics": [0]}'),
        (6, b'{"id": 1, "metrics": [1e999]}'),
        (6, b'{"id": 1, "metrics": [-1]}'),
    ],
    ids=[
        "deep",
        "deep metric",
        "infinite",
        "huge",
        "true",
        "huge layout",
        "infinite metric",
        "negative metric",
    ],
)
def test_a_frame_that_makes_no_sense_is_skipped_and_reported(journal, reopen, kind, payload):
    journal.append(journal.frame(kind, payload))
    journal.log({"loss": 0.5}, 0, time=1500.0)
    store = reopen()
    assert store.run(journal.run_id).summary == {"loss": 0.5}
    (told,) = store.events(journal.run_id)
    assert (told["name"], "makes no sense was skipped" in told["detail"]) == ("journal-damaged", True)


@pytest.mark.parametrize("status", [["finished"], {"a": 1}, None, True, "\ud800", "x" * 10_000])
def test_a_run_may_end_with_any_status(journal, reopen, status):
    journal.json(12, time=1060.0, status=status, detail=["\ud800"])
    run = reopen().run(journal.run_id)
    assert run.status == "unknown"
    assert run.status_detail.startswith("It ended with a status that is not known here: ")
    assert len(run.status_detail) < 200


def test_texts_with_half_a_character_are_shown_with_a_question_mark(new_journal, reopen):
    journal = new_journal(name="a\ud800b", project="\udfff", group="\ud800", tags=["\ud800"])
    journal.json(13, notes="half \ud800", time=2000.0)
    run = reopen().run(journal.run_id)
    assert (run.name, run.project, run.group, run.notes) == ("a?b", "?", "?", "half ?")


@pytest.mark.parametrize("colour", [-1, 24, 10**300, 1.0, True, "3", [1]])
def test_a_colour_that_there_is_not_is_none(journal, reopen, colour):
    journal.json(13, colour=colour, time=2000.0)
    store = reopen()
    assert store.run(journal.run_id).colour is None
    assert runs_listing(store, store.runs()).text.count(journal.run_id) == 1


def test_what_is_nested_too_deeply_costs_only_itself_among_outputs_and_events(journal, reopen):
    journal.json(8, key="k", cell_id="c", execution_count=1, source="s", started=1000.0)
    journal.append(journal.frame(9, b'{"cell":"k","n":0,"type":"stream","content":' + nested(1000) + b"}"))
    text = {"name": "stdout", "text": "still here\n"}
    journal.json(9, cell="k", n=1, time=1001.0, type="stream", content=text)
    journal.append(journal.frame(10, nested(5000)))
    journal.json(10, name="kept", time=1002.0, level="warning", detail="")
    store = reopen()
    (cell,) = store.outputs(journal.run_id)
    assert [output["text"] for output in cell.outputs] == ["still here\n"]
    assert [event["name"] for event in happenings(store, store.run(journal.run_id))] == ["kept"]


@pytest.mark.parametrize("value", ["x", [1], {"a": 1}, float("nan"), float("inf"), 10**400, None, True])
def test_media_whose_places_and_numbers_are_strange_are_shown_in_a_page(journal, reopen, value):
    histogram = {"edges": [0, value], "counts": [value], "nan": value, "below": value}
    journal.json(14, metric="h", step=value, time=value, type="histogram", size=value, content=histogram)
    journal.json(14, metric=value, step=3, time=1.0, type=value, mime=value, size=1, content="x")
    store = reopen()
    first, second = store.media(journal.run_id)
    known = {"time": 1.0, "metric": value, "type": value, "mime": value} if value == "x" else {"time": 1.0}
    assert (
        second == {"metric": None, "type": None, "mime": None, "step": 3, "size": 1, "content": "x"} | known
    )
    assert first["step"] is None
    assert "<h2>Media</h2>" in comparison_page(store, [journal.run_id], View())


@pytest.mark.parametrize(
    "name", [b"main-\xff\xfe.journal", b"main-a\nb.journal"], ids=["no text", "two lines"]
)
def test_a_file_whose_name_is_no_writers_is_left_alone(journal, reopen, name):
    journal.log({"loss": 0.5}, 0, time=1500.0)
    Path(os.fsdecode(os.fsencode(journal.path.parent) + b"/" + name)).write_bytes(journal.path.read_bytes())
    store = reopen()
    assert store.series(journal.run_id, "loss").value.tolist() == [0.5]
    store.rebuild()
    assert [run.id for run in store.runs()] == [journal.run_id]


def test_a_run_of_which_nothing_can_be_read_is_not_said_to_be_missing(journal, reopen):
    journal.path.write_bytes(b"no journal at all")
    store = reopen()
    assert [run.id for run in store.runs()] == [journal.run_id]
    with pytest.raises(UnknownRun, match=r"Nothing of run .* can be read; it was not changed"):
        store.edit(journal.run_id, notes="x")
