"""A browser that does not take its messages costs nothing and misses no final state."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import kernel_magics as km
from jupyter_ext import feed as feed_module
from jupyter_ext.feed import Feed, Sources
from jupyter_ext.ingest import Report
from jupyter_ext.queries import Watch
from jupyter_ext.readers import StoreReaders
from kernel_magics import paths
from kernel_magics.store import Store, open_store

LOG = logging.getLogger("test")


@pytest.fixture
def readers() -> Iterator[StoreReaders]:
    pool = StoreReaders(paths.data_dir())
    yield pool
    pool.close()


def ingest() -> None:
    with open_store() as store:
        store.refresh()


class SlowBrowser:
    """Takes a message only when it is allowed to."""

    def __init__(self) -> None:
        self.allowed = asyncio.Semaphore(0)
        self.taken: list[dict[str, Any]] = []
        self.offered = 0

    async def send(self, message: str) -> None:
        self.offered += 1
        await self.allowed.acquire()
        self.taken.append(json.loads(message))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_a_slow_browser_has_not_taken_is_replaced_by_the_newest(readers: StoreReaders) -> None:
    run = km.init(name="live")
    ingest()
    browser = SlowBrowser()
    feed = Feed(Sources(readers, lambda: "{}", lambda since: ("{}", since)), LOG)
    connection = feed.connect(browser.send)
    connection.watch(
        Watch.from_json({"type": "watch", "id": 1, "series": [{"metric": "loss", "runs": [run.id]}]})
    )
    pushing = asyncio.create_task(connection.push())
    feed.on_report(Report(runs=frozenset({run.id})))
    await until(lambda: browser.offered == 1)
    for step in range(500):
        run.log({"loss": float(step)})
        feed.on_report(Report(frozenset({run.id}), frozenset({(run.id, "loss")}), frozenset({run.id})))
    run.finish()
    ingest()
    feed.on_report(Report(frozenset({run.id})))
    for _ in range(4):
        browser.allowed.release()
    await until(lambda: len(browser.taken) == 4)
    assert [message["type"] for message in browser.taken] == ["runs", "runs", "metrics", "series"]
    assert browser.taken[1]["changed"][0]["status"] == "finished"
    assert browser.taken[3]["windows"][0]["points"] == 500
    assert browser.offered == 4
    await stopped(pushing)


async def test_a_question_that_fails_is_asked_again_and_nothing_is_lost(
    readers: StoreReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "RETRY_S", 0.01)
    with km.init(name="live") as run:
        pass
    ingest()
    browser = SlowBrowser()
    browser.allowed = asyncio.Semaphore(100)
    real_read, failures = readers.read, [OSError("stale file handle"), OSError("stale file handle")]

    async def failing(ask: Callable[[Store], Any]) -> Any:
        if failures:
            raise failures.pop()
        return await real_read(ask)

    monkeypatch.setattr(readers, "read", failing)
    feed = Feed(Sources(readers, lambda: "{}", lambda since: ("{}", since)), LOG)
    pushing = asyncio.create_task(feed.connect(browser.send).push())
    feed.on_report(Report(runs=frozenset({run.id})))
    await until(lambda: browser.taken)
    assert browser.taken[0]["changed"][0]["id"] == run.id
    await stopped(pushing)


async def test_after_a_gap_every_run_and_every_watched_series_is_told(readers: StoreReaders) -> None:
    ids = []
    for name in ("one", "two"):
        with km.init(name=name) as run:
            run.log({"loss": 1.0})
        ids.append(run.id)
    ingest()
    browser = SlowBrowser()
    browser.allowed = asyncio.Semaphore(100)
    feed = Feed(Sources(readers, lambda: "{}", lambda since: ("{}", since)), LOG)
    connection = feed.connect(browser.send)
    connection.watch(Watch.from_json({"type": "watch", "id": 4, "series": [{"metric": "loss", "runs": ids}]}))
    pushing = asyncio.create_task(connection.push())
    feed.on_report(Report(everything=True))
    await until(lambda: len(browser.taken) >= 2)
    assert {run["id"] for run in browser.taken[0]["changed"]} == set(ids)
    assert {window["run"] for window in browser.taken[1]["windows"]} == set(ids)
    await stopped(pushing)


def watch(number: int, *series: dict[str, Any]) -> Watch:
    return Watch.from_json({"type": "watch", "id": number, "series": list(series)})


async def test_a_push_says_which_of_the_watched_series_it_is(readers: StoreReaders) -> None:
    """Two parts of one series, and a logged and an inferred metric of one name, are told apart."""
    with km.init(name="both") as run:
        for step in range(10):
            run.log({"loss": float(step)}, step=step)
        run.log_inferred({"loss": 0.5}, step=1)
    ingest()
    browser = SlowBrowser()
    browser.allowed = asyncio.Semaphore(100)
    feed = Feed(Sources(readers, lambda: "{}", lambda since: ("{}", since)), LOG)
    connection = feed.connect(browser.send)
    one = {"metric": "loss", "runs": [run.id]}
    connection.watch(
        watch(
            4,
            {**one, "source": "logged"},
            {**one, "source": "logged", "start": 3, "stop": 5},
            {"metric": "absent", "runs": [run.id]},
            {**one, "source": "inferred"},
        )
    )
    pushing = asyncio.create_task(connection.push())
    feed.on_report(Report(everything=True))
    await until(lambda: len(browser.taken) >= 4)
    told = {message["index"]: message for message in browser.taken if message["type"] == "series"}
    assert sorted(told) == [0, 1, 3]
    assert [told[index]["source"] for index in (0, 1, 3)] == ["logged", "logged", "inferred"]
    assert [told[index]["windows"][0]["points"] for index in (0, 3)] == [10, 1]
    assert told[1]["windows"][0] != told[0]["windows"][0]
    await stopped(pushing)


async def test_a_watch_that_is_replaced_while_it_is_told_loses_no_change(readers: StoreReaders) -> None:
    with km.init(name="live") as run:
        run.log({"loss": 1.0, "acc": 0.5})
    ingest()
    browser = SlowBrowser()
    feed = Feed(Sources(readers, lambda: "{}", lambda since: ("{}", since)), LOG)
    connection = feed.connect(browser.send)
    loss, acc = ({"metric": name, "runs": [run.id]} for name in ("loss", "acc"))
    connection.watch(watch(1, loss, acc))
    pushing = asyncio.create_task(connection.push())
    feed.on_report(Report(metrics=frozenset({(run.id, "loss"), (run.id, "acc")})))
    await until(lambda: browser.offered == 1)
    connection.watch(watch(2, acc))
    for _ in range(10):
        browser.allowed.release()
    await until(lambda: len(browser.taken) == 2)
    told = [(message["watch"], message["metric"]) for message in browser.taken]
    assert told == [(1, "loss"), (2, "acc")]
    await stopped(pushing)


async def test_the_event_loop_goes_on_while_the_store_thinks(readers: StoreReaders) -> None:
    loop = asyncio.get_running_loop()
    may_go_on = asyncio.Event()

    def slow(_store: Store) -> str:
        asyncio.run_coroutine_threadsafe(may_go_on.wait(), loop).result(20)
        return "thought"

    answer = asyncio.create_task(readers.read(slow))
    assert await readers.read(lambda _store: "quick") == "quick"
    assert not answer.done()
    may_go_on.set()
    assert await answer == "thought"
