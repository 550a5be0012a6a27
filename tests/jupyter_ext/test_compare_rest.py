"""What a comparison shows beside its charts: events, results, media."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

import kernel_magics as km

Ask = Callable[..., Awaitable[Any]]


async def indexed(ask: Ask, wait_for: Ask, *run_ids: str) -> None:
    async def all_there() -> bool:
        runs = (await ask("runs"))["runs"]
        return set(run_ids) <= {run["id"] for run in runs if run["status"] != "running"}

    await wait_for(all_there)


async def test_events_stand_at_the_step_that_the_run_had_reached(ask: Ask, wait_for: Ask) -> None:
    with km.init() as run:
        run.record_event("early", detail="before anything")
        run.log({"loss": 1.0}, step=10)
        run.log({"loss": 0.5}, step=20)
        run.record_event("gpu-fault", "error", "Xid 79", gpu=0)
        run.log({"loss": 0.4}, step=30)
    await indexed(ask, wait_for, run.id)
    events = (await ask("events", params={"runs": run.id}))["events"]
    ours = [event for event in events if event["name"] in ("early", "gpu-fault")]
    assert [(one["name"], one["step"], one["level"]) for one in ours] == [
        ("early", None, "info"),
        ("gpu-fault", 20, "error"),
    ]
    assert (ours[1]["detail"], ours[1]["more"]["gpu"]) == ("Xid 79", 0)


async def test_a_runs_bad_end_is_an_event(ask: Ask, wait_for: Ask) -> None:
    run = km.init()
    run.log({"loss": 1.0}, step=4)
    run.finish("failed", {"ename": "ValueError", "evalue": "no", "traceback": []})
    await indexed(ask, wait_for, run.id)
    *_, end = (await ask("events", params={"runs": run.id}))["events"]
    assert (end["run"], end["name"], end["level"], end["step"]) == (run.id, "run-failed", "error", 4)
    assert "ValueError" in end["detail"]


async def test_damage_of_a_journal_is_an_event_without_a_time(
    ask: Ask, wait_for: Ask, data_dir: Path
) -> None:
    with km.init() as run:
        run.log({"loss": 1.0})
    (journal,) = (data_dir / "runs" / run.id).glob("*.journal")
    data = bytearray(journal.read_bytes())
    place = data.index(b"loss")
    data[place] ^= 0xFF
    journal.write_bytes(data)
    await indexed(ask, wait_for, run.id)
    events = (await ask("events", params={"runs": run.id}))["events"]
    assert [(one["time"], one["step"]) for one in events if one["name"] == "journal-damaged"] != []


async def test_summaries_tell_last_least_greatest_and_best_with_their_steps(ask: Ask, wait_for: Ask) -> None:
    with km.init() as run:
        run.define_metric("loss", better="lower")
        for step, value in enumerate([3.0, 0.5, float("inf"), float("nan")]):
            run.log({"loss": value}, step=step)
    await indexed(ask, wait_for, run.id)
    gone = "20261122-141503-zzzzzz"
    found = (await ask("summaries", params={"runs": f"{run.id},{gone}"}))["summaries"]
    (loss,) = [one for one in found if one["name"] == "loss"]
    assert (loss["run"], loss["last"], loss["last_step"], loss["count"]) == (run.id, "NaN", 3, 4)
    assert (loss["min"], loss["min_step"], loss["max"], loss["max_step"]) == (0.5, 1, 3.0, 0)
    assert (loss["best"], loss["best_step"], loss["better"]) == (0.5, 1, "lower")


async def test_media_are_listed_without_content_and_read_one_by_one(ask: Ask, wait_for: Ask) -> None:
    with km.init() as run:
        for step in range(2):
            image = km.Image(np.full((2, 2, 3), step * 100, np.uint8), f"caption {step}")
            run.log({"sample": image, "table": km.Table(["a"], [[step]])}, step=step)
    await indexed(ask, wait_for, run.id)
    listed = (await ask("runs", run.id, "media", spec="/runs/{run}/media"))["media"]
    images = [one for one in listed if one["type"] == "image"]
    assert [(one["metric"], one["step"], one["more"]["caption"]) for one in images] == [
        ("sample", 0, "caption 0"),
        ("sample", 1, "caption 1"),
    ]
    assert all("content" not in one["more"] and "blob" not in one["more"] for one in listed)

    async def content(number: object, status: int = 200) -> Any:
        path = ("runs", run.id, "media", str(number))
        return await ask(*path, spec="/runs/{run}/media/{number}", status=status)

    picture = await content(images[1]["number"])
    assert base64.b64decode(picture["base64"]).startswith(b"\x89PNG") and picture["content"] is None
    (table, _) = [one for one in listed if one["type"] == "table"]
    assert (await content(table["number"]))["content"]["data"] == [[0]]
    assert "no media number 99" in (await content(99, 404))["message"]
    await content("..%2f..", 400)


async def test_a_comparison_becomes_a_page_and_a_notebook(ask: Ask, wait_for: Ask) -> None:
    runs = []
    for seed in range(2):
        with km.init(name=f"<b>{seed}", config={"lr": 0.1, "seed": seed}) as run:
            run.log({"loss": 1.0, "epoch": 0.5})
        runs.append(run.id)
    await indexed(ask, wait_for, *runs)
    query = {"runs": runs, "group_by": "config.lr", "x": "epoch", "smoothing": 0.5, "notes": "why <i>"}

    async def report(**more: object) -> Any:
        return await ask("report", method="POST", body=json.dumps({**query, **more}))

    page = await report()
    assert page["name"] == "comparison.html"
    assert "lr = 0.1" in page["content"] and "why &lt;i&gt;" in page["content"]
    notebook = nbformat.reads((await report(format="notebook"))["content"], as_version=4)
    nbformat.validate(notebook)
    assert (
        notebook.cells[-1].source
        == f"%compare {' '.join(runs)} --x epoch --group-by config.lr --smoothing 0.5"
    )
    styles = dict(zip(runs, (11, 4), strict=True))
    notebook = nbformat.reads((await report(format="notebook", styles=styles))["content"], as_version=4)
    assert " --styles 11,4 " in notebook.cells[-1].source
    page = await report(group_by=None, styles=styles)
    assert 'class="chip dashed" style="--light:#d6559e' in page["content"], "as number 11 looks in the panel"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"runs": []}, "runs"),
        ({"format": "pdf"}, "format"),
        ({"log": "yes"}, "log"),
        ({"group_by": ""}, "group_by"),
        ({"group_by": "weather"}, "grouped by"),
        ({"group_by": "config.weather"}, "None of these runs"),
        ({"x": "weather"}, "weather"),
        ({"notes": "x" * 100_001}, "notes"),
        ({"colour": "red"}, "colour"),
        ({"styles": [3]}, "styles"),
        ({"styles": {"20261122-000000-aaaaaa": 24}}, "styles"),
        ({"styles": {"../x": 2}}, "no run id"),
    ],
)
async def test_a_report_that_makes_no_sense_is_refused(
    change: dict[str, object], word: str, ask: Ask, wait_for: Ask
) -> None:
    with km.init() as run:
        run.log({"loss": 1.0})
    await indexed(ask, wait_for, run.id)
    error = await ask("report", method="POST", body=json.dumps({"runs": [run.id], **change}), status=400)
    assert word in error["message"]
