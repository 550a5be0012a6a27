"""The replay's WebSocket: which cells a page is told of, and what it gets of those it wants."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError

import kernel_magics as km
from gpu_provisioner import wire
from jupyter_ext.replay_cell import CellFilters, folded, joined
from jupyter_ext.replay_wishes import Follow, Want, wish
from tests.jupyter_ext.conftest import check
from tests.jupyter_ext.home_stream import Stream

GOLDEN = Path(__file__).parents[1] / "contracts" / "golden" / "replay.json"

SCHEMAS = {
    "following": "ReplayFollowing",
    "cell": "ReplayCell",
    "output": "ReplayOutput",
    "error": "FeedError",
}
Connect = Callable[..., Awaitable[Any]]

FOLLOW = {"kernel": "kernel-1", "path": "a.ipynb", "saved": 0, "number": 0}


class Viewer:
    """A page: what it was told, checked against the specification."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.cells: dict[str, dict[str, Any]] = {}
        self.shown: dict[str, list[list[Any]]] = {}
        self.positions: dict[str, int] = {}
        self.errors: list[str] = []
        self.following: list[int] = []

    async def say(self, **message: Any) -> None:
        await self.socket.write_message(json.dumps(message))

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                text = await self.socket.read_message()
                assert text is not None, "the server has closed the connection"
                self._take(json.loads(text))

    def _take(self, message: dict[str, Any]) -> None:
        check(message, f"#/components/schemas/{SCHEMAS[message['type']]}")
        if message["type"] == "cell":
            self.cells[message["key"]] = message
        elif message["type"] == "output":
            self.shown.setdefault(message["key"], []).extend(message["messages"])
            if message["position"] is not None:
                self.positions[message["key"]] = message["position"]
        elif message["type"] == "following":
            self.following.append(message["number"])
            self.cells.clear()
        else:
            self.errors.append(message["message"])

    def text(self, key: str) -> str:
        return "".join(content["text"] for kind, content in self.shown.get(key, []) if kind == "stream")


@pytest.fixture
def view(jp_ws_fetch: Connect) -> Connect:
    async def open_one(follows: bool = True, **follow: Any) -> Viewer:
        viewer = Viewer(await jp_ws_fetch("trackside", "api", "replay"))
        if follows:
            await viewer.say(type="follow", **{**FOLLOW, **follow})
        return viewer

    return open_one


async def test_a_running_cell_is_told_and_what_it_shows_comes_once_and_in_order(
    view: Connect, stream: Stream
) -> None:
    stream.cell("k1")
    for number in range(500):
        stream.write("k1", f"{number}\n")
    page = await view(saved=time.time())
    await page.until(lambda: "k1" in page.cells)
    assert page.cells["k1"]["running"] is True and page.cells["k1"]["open"] is False
    await page.say(type="want", key="k1", position=None)
    await page.until(lambda: page.text("k1").endswith("499\n"))
    assert len(page.shown["k1"]) == 1, "what came before is folded"
    for number in range(500, 1000):
        stream.write("k1", f"{number}\n")
    stream.end("k1")
    await page.until(lambda: not page.cells["k1"]["running"])
    assert page.text("k1") == "".join(f"{number}\n" for number in range(1000))
    assert page.cells["k1"]["execution_count"] == 7


async def test_a_page_that_connects_again_gets_what_it_has_not(view: Connect, stream: Stream) -> None:
    stream.cell("k1")
    stream.write("k1", "one\n")
    page = await view()
    await page.until(lambda: "k1" in page.cells)
    await page.say(type="want", key="k1", position=None)
    await page.until(lambda: page.positions)
    stream.write("k1", "two\n")
    again = await view()
    await again.until(lambda: "k1" in again.cells)
    await again.say(type="want", key="k1", position=page.positions["k1"])
    await again.until(lambda: again.positions)
    stream.write("k1", "three\n")
    await again.until(lambda: "three" in again.text("k1"))
    assert again.text("k1") == "two\nthree\n"


async def test_only_cells_that_the_saved_notebook_cannot_have_are_told(view: Connect, stream: Stream) -> None:
    stream.cell("old", "c1")
    stream.end("old")
    stream.cell("other", "c2", kernel="kernel-2")
    stream.cell("first", "c3")
    stream.end("first")
    stream.cell("second", "c3")
    saved = time.time() + 60
    page = await view(saved=saved)
    await page.until(lambda: "second" in page.cells)
    assert set(page.cells) == {"second"}, "ended before it was saved; another notebook's; run again since"
    page = await view(saved=0)
    await page.until(lambda: {"old", "second"} <= set(page.cells))
    assert set(page.cells) == {"old", "second"}


async def test_a_kernel_that_dies_ends_its_cells(view: Connect, stream: Stream) -> None:
    stream.cell("k1")
    page = await view()
    await page.until(lambda: "k1" in page.cells)
    stream.add(wire.encode_event("kernel-died", epoch=1, reason="killed", returncode=-9, signal=9))
    await page.until(lambda: not page.cells["k1"]["running"])


async def test_a_tracked_cell_of_the_notebooks_own_kernel_comes_from_its_run(view: Connect) -> None:
    run = km.init(project="p", facts={"kernel_id": "kernel-1"})
    run.record_cell(
        {"key": "k1", "cell_id": "c1", "execution_count": 3, "session": "s", "started": time.time()}
    )
    run.record_output("k1", "stream", b'{"name": "stdout", "text": "one\\n"}')
    page = await view(saved=time.time())
    await page.until(lambda: "k1" in page.cells)
    await page.say(type="want", key="k1", position=None)
    await page.until(lambda: "one" in page.text("k1"))
    run.record_output("k1", "stream", b'{"name": "stdout", "text": "two\\n"}')
    await page.until(lambda: "two" in page.text("k1"))
    run.record_cell({"key": "k1", "finished": time.time(), "status": "finished"})
    run.finish()
    await page.until(lambda: not page.cells["k1"]["running"])
    assert page.text("k1") == "one\ntwo\n"
    assert page.cells["k1"]["execution_count"] == 3


@pytest.mark.parametrize(
    "message",
    [
        "nonsense",
        "[]",
        '{"type": "want"}',
        '{"type": "want", "key": "k", "position": -1}',
        '{"type": "want", "key": "k", "position": true}',
        '{"type": "follow", "kernel": 3, "path": null, "saved": 0}',
        '{"type": "follow", "kernel": null, "path": "a\\u0000b", "saved": 0}',
        '{"type": "follow", "kernel": null, "path": null, "saved": "now"}',
        '{"type": "follow", "kernel": null, "path": null, "saved": NaN}',
        '{"type": "follow", "kernel": null, "path": null, "saved": 0, "number": -1}',
    ],
)
async def test_what_cannot_be_understood_is_answered_by_a_sentence(view: Connect, message: str) -> None:
    page = await view(follows=False)
    await page.socket.write_message(message)
    await page.until(lambda: page.errors)
    assert page.errors[0].endswith(".")


async def test_a_page_that_says_anew_what_it_shows_knows_from_where_on_it_is_told_anew(
    view: Connect, stream: Stream
) -> None:
    stream.cell("k1")
    page = await view(number=1)
    await page.until(lambda: "k1" in page.cells)
    await page.say(type="follow", **{**FOLLOW, "number": 2})
    await page.until(lambda: page.following == [1, 2] and "k1" in page.cells)
    await page.say(type="want", key="k1", position=None)
    stream.write("k1", "begun")
    await page.until(lambda: page.text("k1") == "begun")


async def test_a_path_out_of_the_servers_folder_finds_nothing(view: Connect, stream: Stream) -> None:
    stream.cell("k1")
    page = await view(kernel=None, path="../../../etc/passwd")
    await page.say(type="want", key="k1", position=None)
    await page.socket.write_message("[]")
    await page.until(lambda: page.errors)
    assert page.cells == {} and page.shown == {}


async def test_without_a_token_nothing_is_told(jp_ws_fetch: Connect) -> None:
    with pytest.raises(HTTPClientError) as refused:
        await jp_ws_fetch("trackside", "api", "replay", headers={"Authorization": "token wrong"})
    assert refused.value.code == 403


def test_the_golden_messages_are_what_is_specified_and_understood() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for name, message in golden.items():
        check(message, f"#/components/schemas/Replay{name.title()}")
    follow = golden["follow"]
    assert wish(follow) == Follow(follow["kernel"], follow["path"], follow["saved"], follow["number"])
    assert wish(golden["want"]) == Want(golden["want"]["key"], None)


def test_folding_shows_what_all_messages_show() -> None:
    display = {"data": {"text/plain": "1"}, "metadata": {}, "transient": {"display_id": "d"}}
    update = {"data": {"text/plain": "2"}, "metadata": {}, "transient": {"display_id": "d"}}
    text = {"name": "stdout", "text": "x"}
    messages: list[tuple[str, dict[str, Any]]] = [
        ("stream", text),
        ("clear_output", {"wait": False}),
        ("display_data", display),
        ("update_display_data", update),
        ("stream", text),
        ("stream", text),
        ("clear_output", {"wait": True}),
        ("input_request", {"prompt": "?"}),
    ]
    kinds = [kind for kind, _ in folded(messages)]
    assert kinds == ["display_data", "stream", "clear_output", "input_request"]
    assert folded(messages)[0][1] == {**update}
    assert folded(messages)[1][1]["text"] == "xx"
    assert [kind for kind, _ in joined(messages)] == [kind for kind, _ in [*messages[:4], *messages[5:]]]


def test_a_cell_gets_updates_of_its_displays_from_other_cells_and_nothing_of_a_widgets() -> None:
    cell = CellFilters({"a": 10})

    def shows(key: str, kind: str, content: bytes, at: int = 20) -> bool:
        return [one for one, _shown in cell.shown(at, key, kind, content)] == ["a"]

    display = b'{"data": {}, "transient": {"display_id": "d"}}'
    assert not shows("b", "update_display_data", display), "not its display yet"
    assert not shows("a", "display_data", display, at=10), "of an earlier request with that id"
    assert not shows("b", "update_display_data", display)
    assert shows("a", "display_data", display)
    assert shows("b", "update_display_data", display)
    into = b'{"comm_id": "w", "data": {"method": "update", "state": {"msg_id": "a"}}}'
    out = into.replace(b'"msg_id": "a"', b'"msg_id": ""')
    assert not shows("a", "comm_msg", into)
    assert not shows("a", "stream", b'{"name": "stdout", "text": "inside"}')
    assert not shows("a", "comm_msg", out)
    assert shows("a", "stream", b'{"name": "stdout", "text": "outside"}')
    cell.drop(["a"])
    assert not shows("a", "stream", b'{"name": "stdout", "text": "of another page"}')
    assert not shows("b", "update_display_data", display)
