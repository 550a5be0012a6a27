"""A real Jupyter Server with the extension, for tests that run with ``-p pytest_jupyter.jupyter_server``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from tornado.httpclient import HTTPResponse
from tornado.websocket import WebSocketClientConnection
from traitlets.config import Config

from kernel_magics import paths
from tests.jupyter_ext.home_stream import Stream

SPECIFICATION = yaml.safe_load((Path(__file__).parents[2] / "jupyter_ext" / "openapi.yaml").read_text())
FEED = {
    schema["properties"]["type"]["const"]: f"#/components/schemas/{name}"
    for name, schema in SPECIFICATION["components"]["schemas"].items()
    if name.startswith("Feed")
}

Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
def jp_server_config() -> Config:
    """Our extension, and kernels whose death is noticed at once."""
    return Config(
        {
            "ServerApp": {"jpserver_extensions": {"jupyter_ext": True}},
            "KernelRestarter": {"time_to_dead": 0.3},
        }
    )


@pytest.fixture
def data_dir() -> Path:
    """The test's own data folder (root conftest), in which the server looks too."""
    return paths.data_dir()


@pytest.fixture
def stream(data_dir: Path) -> Iterator[Stream]:
    """What a kernel on another machine says."""
    made = Stream(data_dir)
    yield made
    made.close()


def check(value: object, where: str) -> None:
    """Asserts that ``value`` is what the specification says at the JSON pointer ``where``."""
    validator = Draft202012Validator({**SPECIFICATION, "$ref": where})
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)] == []


def check_answer(response: HTTPResponse, path: str, method: str = "get") -> Any:
    """The answer's body, after asserting that it is what the specification says for ``path``."""
    assert response.headers["Content-Type"].startswith("application/json")
    body = json.loads(response.body, parse_constant=_no_constant)
    responses = SPECIFICATION["paths"][path][method]["responses"]
    name = str(response.code) if str(response.code) in responses else "default"
    if name == "default":
        check(body, "#/components/schemas/Error")
    else:
        escaped = path.replace("/", "~1")
        check(body, f"#/paths/{escaped}/{method}/responses/{name}/content/application~1json/schema")
    return body


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON; a browser would refuse the whole answer")


@pytest.fixture
def ask(jp_fetch: Callable[..., Awaitable[HTTPResponse]]) -> Ask:
    """``await ask("runs", spec="/runs", …)``: the checked body of an answer, whatever its status."""

    async def fetch(*parts: str, spec: str | None = None, status: int = 200, **options: Any) -> Any:
        response = await jp_fetch("trackside", "api", *parts, raise_error=False, **options)
        assert response.code == status, response.body
        if status == 204:
            return None
        method = options.get("method", "GET").lower()
        return check_answer(response, spec or "/" + "/".join(parts), method)

    return fetch


@pytest.fixture
def wait_for() -> Ask:
    """``await wait_for(question)``: asks again until the answer is true; the answer."""

    async def until(question: Callable[[], Awaitable[Any]], seconds: float = 30) -> Any:
        async with asyncio.timeout(seconds):
            while not (answer := await question()):
                await asyncio.sleep(0.05)
        return answer

    return until


class Listener:
    """A browser on the feed: messages are checked against the specification as they come."""

    def __init__(self, socket: WebSocketClientConnection) -> None:
        self.socket = socket

    async def next(self, seconds: float = 30) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            text = await self.socket.read_message()
        assert text is not None, "the server has closed the feed"
        message: dict[str, Any] = json.loads(text, parse_constant=_no_constant)
        check(message, FEED[message["type"]])
        return message

    async def until(self, wanted: Callable[[dict[str, Any]], object], seconds: float = 30) -> dict[str, Any]:
        """The next message that is wanted; others are passed over."""
        async with asyncio.timeout(seconds):
            while not wanted(message := await self.next(seconds)):
                pass
        return message

    async def say(self, message: object) -> None:
        await self.socket.write_message(message if isinstance(message, (str, bytes)) else json.dumps(message))


@pytest.fixture
def listen(jp_ws_fetch: Callable[..., Awaitable[WebSocketClientConnection]]) -> Iterator[Ask]:
    """``await listen()``: a :class:`Listener` that has been greeted."""
    sockets = []

    async def connect() -> Listener:
        socket = await jp_ws_fetch("trackside", "api", "feed", max_message_size=1 << 30)
        sockets.append(socket)
        listener = Listener(socket)
        assert (await listener.next())["type"] == "hello"
        return listener

    yield connect
    for socket in sockets:
        socket.close()
