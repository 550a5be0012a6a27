"""The feed on a real server: what a tracked process writes reaches every browser that listens."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import kernel_magics as km
from jupyter_ext.handlers import SETTING

Ask = Callable[..., Awaitable[Any]]


def changed(run_id: str, **values: Any) -> Callable[[dict[str, Any]], bool]:
    """Whether a message says that the run has these values now."""

    def wanted(message: dict[str, Any]) -> bool:
        runs = message.get("changed", []) if message["type"] == "runs" else []
        return any(run["id"] == run_id and all(run[key] == values[key] for key in values) for run in runs)

    return wanted


def of_type(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda message: message["type"] == name


async def test_a_run_is_pushed_when_it_begins_and_when_it_ends(listen: Ask) -> None:
    browser = await listen()
    run = km.init(name="live")
    await browser.until(changed(run.id, status="running"))
    run.finish()
    await browser.until(changed(run.id, status="finished"))


async def test_a_new_metric_is_announced_and_its_last_value_pushed(listen: Ask) -> None:
    browser = await listen()
    with km.init(name="live") as run:
        run.log({"loss": 0.5})
        message = await browser.until(of_type("metrics"))
        assert message["runs"] == [run.id]
    await browser.until(lambda m: changed(run.id)(m) and m["changed"][0]["summary"].get("loss") == 0.5)


async def test_watched_series_are_pushed_again_when_points_come(listen: Ask) -> None:
    browser = await listen()
    with km.init(name="live") as run:
        run.log({"loss": 0.5, "acc": 1.0})
        await browser.until(of_type("metrics"))
        await browser.say(
            {
                "type": "watch",
                "id": 7,
                "series": [{"metric": "loss", "runs": [run.id], "x": "step", "width": 100}],
            }
        )
        points = 1
        seen = 1
        while seen < 10:
            if seen >= points - 1:
                run.log({"loss": 1 / points, "acc": 2.0})
                points += 1
            message = await browser.until(of_type("series"))
            assert (message["watch"], message["index"], message["metric"]) == (7, 0, "loss")
            [window] = message["windows"]
            assert window["run"] == run.id
            assert window["points"] >= seen
            seen = window["points"]


async def test_the_newest_watch_is_the_only_one(listen: Ask) -> None:
    browser = await listen()
    with km.init(name="live") as run:
        for step in range(3):
            run.log({"loss": 0.5, "acc": 1.0}, step=step)
        await browser.until(of_type("metrics"))
        await browser.say({"type": "watch", "id": 1, "series": [{"metric": "loss", "runs": [run.id]}]})
        await browser.say({"type": "watch", "id": 2, "series": [{"metric": "acc", "runs": [run.id]}]})
        await browser.say({"type": "watch"})  # answered in order: both watches have been heard after it
        await browser.until(of_type("error"))
        run.log({"loss": 0.4, "acc": 2.0}, step=3)
        message = await browser.until(of_type("series"))
        assert (message["watch"], message["metric"]) == (2, "acc")


@pytest.mark.parametrize(
    "nonsense", ["", "{", "[]", '"watch"', '{"type": "jump"}', '{"type": "watch"}', b"\xff\x00", "[" * 50_000]
)
async def test_nonsense_is_answered_and_the_feed_goes_on(listen: Ask, nonsense: str | bytes) -> None:
    browser = await listen()
    if isinstance(nonsense, bytes):
        await browser.socket.write_message(nonsense, binary=True)
    else:
        await browser.socket.write_message(nonsense)
    error = await browser.until(of_type("error"))
    assert error["message"].endswith(".")
    with km.init(name="after") as run:
        await browser.until(changed(run.id))


async def test_several_browsers_hear_the_same_and_one_that_leaves_disturbs_nobody(
    listen: Ask, jp_serverapp: Any, wait_for: Ask
) -> None:
    first, second, third = await listen(), await listen(), await listen()
    feed = jp_serverapp.web_app.settings["trackside_services"].feed
    assert len(feed) == 3
    with km.init(name="shared") as run:
        for browser in (first, second, third):
            await browser.until(changed(run.id))
        second.socket.close()
        run.log({"loss": 1.0})

        async def two_left() -> bool:
            return len(feed) == 2

        await wait_for(two_left)
        run.log({"loss": 0.5})
    for browser in (first, third):
        await browser.until(changed(run.id, status="finished"))


async def test_a_run_whose_folder_is_deleted_is_removed(listen: Ask, data_dir: Any) -> None:
    browser = await listen()
    with km.init(name="short") as run:
        pass
    await browser.until(changed(run.id, status="finished"))
    shutil.rmtree(data_dir / "runs" / run.id)
    message = await browser.until(lambda m: m["type"] == "runs" and m["removed"])
    assert message["removed"] == [run.id]


async def test_a_killed_indexing_process_is_replaced_and_no_state_is_lost(
    listen: Ask, ask: Ask, jp_serverapp: Any, wait_for: Ask
) -> None:
    services = jp_serverapp.web_app.settings["trackside_services"]
    browser = await listen()
    run = km.init(name="live")
    await browser.until(changed(run.id, status="running"))
    os.kill(services.ingest.pid, signal.SIGKILL)

    async def noticed() -> bool:
        return (await ask("info"))["index"]["state"] == "stopped"

    await wait_for(noticed)
    assert "status -9" in (await ask("info"))["index"]["detail"]
    run.finish()
    await browser.until(changed(run.id, status="finished"))
    assert (await ask("info"))["index"]["state"] == "current"


def sending() -> list[str]:
    """What of ours goes on in the server beside its requests, for browsers."""
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith(("FeedSocket.", "ReplaySocket.", "Connection."))]


async def test_a_server_that_stops_while_browsers_listen_leaves_no_task_behind(
    listen: Ask, jp_ws_fetch: Ask, jp_serverapp: Any
) -> None:
    """Nobody closes their sockets then, so nothing else would end what is sent to them."""
    await listen()
    page = await jp_ws_fetch("trackside", "api", "replay")
    follow = {"type": "follow", "kernel": None, "path": "a.ipynb", "saved": 0, "number": 1}
    await page.write_message(json.dumps(follow))
    assert json.loads(await page.read_message())["type"] == "following"
    assert len(sending()) == 2
    await jp_serverapp.web_app.settings[SETTING].stop()
    assert sending() == []


async def test_browsers_that_go_at_once_are_forgotten(
    jp_ws_fetch: Ask, jp_serverapp: Any, wait_for: Ask
) -> None:
    services = jp_serverapp.web_app.settings[SETTING]
    for _ in range(20):
        (await jp_ws_fetch("trackside", "api", "feed")).close()

    async def are_forgotten() -> bool:
        return not services.pushing and not len(services.feed) and not sending()

    await wait_for(are_forgotten)
