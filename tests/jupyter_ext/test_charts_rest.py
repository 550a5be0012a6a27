"""What charts ask for beyond a run's own steps: other metrics on the x axis, means of groups."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import kernel_magics as km

Ask = Callable[..., Awaitable[Any]]


def a_run(name: str, values: list[float]) -> str:
    """A finished run that logged these losses, each at half an epoch more; its id."""
    with km.init(project="digits", name=name) as run:
        for step, value in enumerate(values):
            run.log({"loss": value, "epoch": step / 2}, step=10 * step)
    return run.id


async def indexed(ask: Ask, wait_for: Ask, *run_ids: str) -> None:
    async def all_there() -> bool:
        runs = (await ask("runs"))["runs"]
        return set(run_ids) <= {run["id"] for run in runs if run["status"] != "running"}

    await wait_for(all_there)


async def windows(ask: Ask, status: int = 200, **query: Any) -> Any:
    answer = await ask("windows", method="POST", body=json.dumps({"metric": "loss", **query}), status=status)
    return answer.get("windows", answer)


def floats(array: dict[str, str]) -> list[float]:
    data = base64.b64decode(array["base64"])
    return list(struct.unpack(f"<{len(data) // 8}d", data))


async def test_any_metric_can_be_the_x_axis(ask: Ask, wait_for: Ask) -> None:
    run = a_run("one", [3.0, 2.0, 1.0])
    await indexed(ask, wait_for, run)
    [window] = await windows(ask, runs=[run], x="epoch")
    assert (window["x_kind"], floats(window["x"])) == ("epoch", [0.0, 0.5, 1.0])
    [window] = await windows(ask, runs=[run], x="epoch", start=0.4, stop=0.6)
    assert floats(window["last"]) == [2.0]
    error = await windows(ask, 400, runs=[run], x="temperature")
    assert "none of these runs has 'temperature'" in error["message"]


async def test_a_metric_tells_over_what_it_is_meant_to_be_drawn_unless_its_runs_disagree(
    ask: Ask, wait_for: Ask
) -> None:
    meant = [{"loss": "epoch", "acc": "epoch"}, {"acc": "batch"}, {}]
    runs = []
    for number, definitions in enumerate(meant):
        with km.init(project="digits", name=f"run {number}") as run:
            for name, x in definitions.items():
                run.define_metric(name, x=x)
            run.log({"loss": 1.0, "acc": 1.0, "epoch": 0.0, "batch": 0.0})
        runs.append(run.id)
    await indexed(ask, wait_for, *runs)
    metrics = (await ask("metrics", params={"runs": ",".join(runs)}))["metrics"]
    over = {metric["name"]: metric["x"] for metric in metrics if metric["source"] == "logged"}
    assert over == {"loss": "epoch", "acc": None, "epoch": None, "batch": None}


async def test_groups_are_answered_with_their_means(ask: Ask, wait_for: Ask) -> None:
    first, second, third = (
        a_run(f"run {n}", values) for n, values in enumerate([[1.0, 2], [3.0, 6], [0.0, 9]])
    )
    await indexed(ask, wait_for, first, second, third)
    found = await windows(ask, runs=[first, second, third], groups=[[first, second], [third]])
    assert [(one["run"], one["group"]["runs"]) for one in found] == [
        (first, [first, second]),
        (third, [third]),
    ]
    assert floats(found[0]["last"]) == [2.0, 4.0]
    assert floats(found[0]["min"]) == [1.0, 2.0] and floats(found[0]["max"]) == [3.0, 6.0]
    assert floats(found[0]["group"]["std"]) == pytest.approx([2**0.5, 8**0.5])


async def test_a_run_that_was_deleted_is_left_out_of_its_group(ask: Ask, wait_for: Ask) -> None:
    run, gone = a_run("one", [1.0]), "20261122-141503-zzzzzz"
    await indexed(ask, wait_for, run)
    [window] = await windows(ask, runs=[gone, run], groups=[[gone, run]])
    assert window["group"]["runs"] == [run]
    assert await windows(ask, runs=[gone], groups=[[gone]]) == []


async def test_a_groups_mean_is_pushed_when_one_of_its_runs_goes_on(listen: Ask) -> None:
    browser = await listen()
    with km.init(name="a") as a, km.init(name="b", nested=True) as b:
        for run, value in ((a, 1.0), (b, 3.0)):
            run.log({"loss": value}, step=0)
        seen: set[str] = set()
        while seen != {a.id, b.id}:
            seen |= set((await browser.until(lambda message: message["type"] == "metrics"))["runs"])
        series = [{"metric": "loss", "runs": [a.id, b.id], "groups": [[a.id, b.id]]}]
        await browser.say({"type": "watch", "id": 4, "series": series})
        await browser.say({"type": "watch"})
        await browser.until(lambda message: message["type"] == "error")
        b.log({"loss": 5.0}, step=0)
        message = await browser.until(
            lambda message: message["type"] == "series" and message["windows"][0]["points"] == 3
        )
        [window] = message["windows"]
        assert floats(window["last"]) == [3.0], "the mean of 1 and the last of 3 and 5"


async def test_a_chart_is_pushed_anew_when_the_metric_of_its_x_axis_goes_on(listen: Ask) -> None:
    """Also over a metric that nobody has: nothing to push, and nothing that stops the feed."""
    browser = await listen()
    with km.init(name="live") as run:
        run.log({"loss": 1.0})
        await browser.until(lambda message: message["type"] == "metrics")
        series = [{"metric": "loss", "runs": [run.id], "x": x} for x in ("nobody", "epoch")]
        await browser.say({"type": "watch", "id": 5, "series": series})
        await browser.say({"type": "watch"})
        await browser.until(lambda message: message["type"] == "error")
        run.log({"epoch": 2.0})
        run.log({"loss": 0.5})
        message = await browser.until(
            lambda message: message["type"] == "series" and message["windows"][0]["points"] == 1
        )
        assert message["index"] == 1 and floats(message["windows"][0]["x"]) == [2.0]
