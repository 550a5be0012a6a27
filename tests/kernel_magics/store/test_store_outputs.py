"""Recorded messages become what a notebook would show in the end."""

from __future__ import annotations

import nbformat
import pytest

from kernel_magics.errors import UnknownRun

RUN = "20261122-141503-aaaaaa"


@pytest.fixture
def cell(journal):
    journal.json(
        8, key="c1", cell_id="f00d", execution_count=3, source="1/0", started=5.0, notebook="n", name="x"
    )
    return journal


def outputs(store, key: str = "c1") -> list:
    (found,) = [cell for cell in store.outputs(RUN) if cell.key == key]
    nbformat.validate(
        nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell("x", outputs=nbformat.from_dict(found.outputs))]
        )
    )
    return found.outputs


def display(text: str, display_id: str | None = None) -> dict:
    transient = {"display_id": display_id} if display_id else {}
    return {"data": {"text/plain": text}, "metadata": {}, "transient": transient}


def test_a_cell_knows_its_source_and_its_times(cell, reopen):
    cell.json(8, key="c1", finished=6.5, status="error")
    (record,) = reopen().outputs(RUN)
    assert (record.key, record.source, record.execution_count, record.cell_id) == ("c1", "1/0", 3, "f00d")
    assert (record.started, record.finished, record.status, record.outputs) == (5.0, 6.5, "error", [])


def test_adjacent_text_of_one_stream_is_joined_and_carriage_returns_are_kept(cell, reopen):
    for name, text in [("stdout", "a\r"), ("stdout", "b\n"), ("stderr", "e"), ("stdout", "c")]:
        cell.output("c1", "stream", name=name, text=text)
    assert [(one["name"], one["text"]) for one in outputs(reopen())] == [
        ("stdout", "a\rb\n"),
        ("stderr", "e"),
        ("stdout", "c"),
    ]


def test_a_display_update_changes_every_display_of_its_id_in_any_cell(cell, reopen):
    cell.output("c1", "display_data", **display("first", "d"))
    cell.output("c1", "display_data", **display("again", "d"))
    cell.json(8, key="c2", cell_id="b", execution_count=4, source="", started=6.0)
    cell.output("c2", "update_display_data", **display("new", "d"))
    cell.output("c2", "update_display_data", data={"text/plain": "without an id"}, metadata={})
    store = reopen()
    assert [one["data"]["text/plain"] for one in outputs(store)] == ["new", "new"]
    assert outputs(store, "c2") == []


def test_an_update_of_a_display_that_is_not_of_this_run_is_shown_by_the_cell_that_made_it(cell, reopen):
    cell.output("c1", "stream", name="stdout", text="before\n")
    for text in ("10 %", "20 %"):
        cell.output("c1", "update_display_data", **display(text, "of an earlier run"))
    cell.output("c1", "stream", name="stdout", text="after\n")
    cell.output("c1", "update_display_data", **display("30 %", "of an earlier run"))
    before, shown, after = outputs(reopen())
    assert (before["text"], after["text"]) == ("before\n", "after\n")
    assert shown == {"output_type": "display_data", "data": {"text/plain": "30 %"}, "metadata": {}}


def test_clear_output_with_wait_clears_when_the_next_output_comes(cell, reopen):
    cell.output("c1", "stream", name="stdout", text="old")
    cell.output("c1", "clear_output", wait=True)
    store = reopen()
    assert [one["text"] for one in outputs(store)] == ["old"]
    cell.output("c1", "stream", name="stdout", text="new")
    store.refresh()
    assert [one["text"] for one in outputs(store)] == ["new"]
    cell.output("c1", "clear_output", wait=False)
    store.refresh()
    assert outputs(store) == []


def test_results_and_errors_are_nbformat_outputs(cell, reopen):
    cell.output(
        "c1",
        "execute_result",
        execution_count=3,
        data={"text/plain": "1", "text/html": "<b>1</b>"},
        metadata={},
    )
    cell.output("c1", "error", ename="ValueError", evalue="no", traceback=["line 1", "line 2"])
    result, error = outputs(reopen())
    assert result == {
        "output_type": "execute_result",
        "execution_count": 3,
        "data": {"text/plain": "1", "text/html": "<b>1</b>"},
        "metadata": {},
    }
    assert error == {
        "output_type": "error",
        "ename": "ValueError",
        "evalue": "no",
        "traceback": ["line 1", "line 2"],
    }


def test_what_a_cut_left_out_is_said_where_it_stood(cell, reopen):
    cell.output("c1", "stream", name="stdout", text="head\n")
    cell.output("c1", "cut", messages=1200, bytes=40_000_000, limit=32_000_000)
    cell.output("c1", "stream", name="stdout", text="tail\n")
    head, cut, tail = outputs(reopen())
    assert (head["text"], tail["text"]) == ("head\n", "tail\n")
    assert "1,200 messages of 40,000,000 bytes" in cut["text"]


def test_what_shows_nothing_in_the_cell_is_left_out(cell, reopen):
    for kind in ("comm_open", "comm_msg", "input_request", "input_done", "widget_state", "in:abc:stream"):
        cell.output("c1", kind, name="stdout", text="x")
    assert outputs(reopen()) == []


def test_output_without_its_cell_s_start_is_not_lost(journal, reopen):
    journal.output("lost", "stream", name="stdout", text="still here")
    assert outputs(reopen(), "lost")[0]["text"] == "still here"


def test_ten_thousand_displays_stay_in_order(cell, reopen):
    for number in range(10_000):
        cell.output("c1", "display_data", **display(str(number)))
    assert [one["data"]["text/plain"] for one in outputs(reopen())] == [str(n) for n in range(10_000)]


def test_outputs_of_an_unknown_run_are_refused(reopen):
    with pytest.raises(UnknownRun):
        reopen().outputs("20261122-000000-zzzzzz")


def test_events_come_by_time_and_artifacts_in_order(journal, reopen):
    journal.json(10, time=20.0, name="later", level="info", detail="")
    journal.json(10, time=10.0, name="earlier", level="warning", detail="d", gpu=0)
    journal.json(11, name="model", type="model", digest="ab", size=3, path="model.pt")
    store = reopen()
    assert [event["name"] for event in store.events(RUN)] == ["earlier", "later"]
    assert store.events(RUN)[0]["gpu"] == 0
    assert store.artifacts(RUN) == [
        {"name": "model", "type": "model", "digest": "ab", "size": 3, "path": "model.pt"}
    ]
