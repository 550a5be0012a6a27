"""The server extension on a real Jupyter Server: listing, windows, the feed, and what the event loop feels.

Round trips are measured by a client on the same machine, each beside the yardstick of a request that
Jupyter Server itself answers with next to nothing (``/api/me``), in turns.

    python tests/benchmarks/bench_server.py [--quick] [--json FILE]
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from measurement import command_line, measurement
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

METRICS = ("loss", "acc", "lr", "grad_norm", "epoch")


def run(quick: bool) -> list[dict[str, Any]]:
    """All measurements, each ``{name, value, unit, budget, within, …}``."""
    with tempfile.TemporaryDirectory(prefix="trackside-bench-", ignore_cleanup_errors=True) as folder:
        return asyncio.run(_measure(Path(folder), runs=200 if quick else 1000, turns=20 if quick else 60))


async def _measure(root: Path, runs: int, turns: int) -> list[dict[str, Any]]:
    run_ids = _record(root / "data", runs)
    async with _server(root) as fetch:
        await _indexed(fetch, runs)
        return [
            await _listing(fetch, runs, turns),
            await _windows(fetch, run_ids[:100], turns),
            await _loop(fetch, turns),
            await _feed(fetch, root / "data", turns),
        ]


def _record(data_dir: Path, count: int) -> list[str]:
    """So many finished runs of five metrics, 200 points each."""
    import kernel_magics as km

    run_ids = []
    for number in range(count):
        config = {"lr": 10.0**-number, "seed": number, "model": {"layers": [64, 64, 10]}}
        with km.init("bench", f"run {number}", config, data_dir=data_dir) as run:
            for step in range(200):
                run.log({name: step / (place + 1) for place, name in enumerate(METRICS)})
        run_ids.append(run.id)
    return run_ids


class _Client:
    """Requests to one server; ``timed`` answers seconds and bytes."""

    def __init__(self, port: int, token: str) -> None:
        self.base = f"127.0.0.1:{port}"
        self.headers = {"Authorization": f"token {token}"}
        self._http = AsyncHTTPClient(force_instance=True, max_clients=100)

    async def timed(self, path: str, body: object = None) -> tuple[float, bytes]:
        request = HTTPRequest(
            f"http://{self.base}{path}",
            method="GET" if body is None else "POST",
            headers=self.headers,
            body=None if body is None else json.dumps(body),
            request_timeout=60,
        )
        started = time.perf_counter()
        answer = await self._http.fetch(request)
        return time.perf_counter() - started, answer.body


@contextlib.asynccontextmanager
async def _server(root: Path) -> AsyncIterator[_Client]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    environ = {**os.environ, "TRACKSIDE_DIR": str(root / "data"), "XDG_CACHE_HOME": str(root / "cache")}
    environ |= {
        "HOME": str(root),
        "JUPYTER_CONFIG_DIR": str(root / "config"),
        "JUPYTER_DATA_DIR": str(root / "j"),
    }
    options = ["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
    options += [f"--IdentityProvider.token={token}", "--ServerApp.jpserver_extensions=jupyter_ext=True"]
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *options], env=environ, stdout=log, stderr=log, cwd=root
        )
        try:
            yield _Client(port, token)
        finally:
            process.terminate()
            process.wait(30)


async def _indexed(client: _Client, count: int) -> None:
    async with asyncio.timeout(180):
        while True:
            with contextlib.suppress(OSError, Exception):
                _took, body = await client.timed("/trackside/api/runs")
                if len(json.loads(body)["runs"]) == count:
                    return
            await asyncio.sleep(0.1)


async def _turns(client: _Client, ask: Callable[[], Awaitable[float]], turns: int) -> tuple[float, float]:
    """Medians in milliseconds: of ours, and of the yardstick, in turns."""
    ours, yardstick = [], []
    for _ in range(turns):
        ours.append(await ask())
        yardstick.append((await client.timed("/api/me"))[0])
    return _percentile(ours, 50) * 1e3, _percentile(yardstick, 50) * 1e3


async def _listing(client: _Client, count: int, turns: int) -> dict[str, Any]:
    size = len((await client.timed("/trackside/api/runs"))[1])

    async def ask() -> float:
        return (await client.timed("/trackside/api/runs"))[0]

    ours, yardstick = await _turns(client, ask, turns)
    return measurement(f"list {count:,} runs, p50", ours, "ms", 50, yardstick=yardstick, bytes=size)


async def _windows(client: _Client, run_ids: list[str], turns: int) -> dict[str, Any]:
    query = {"runs": run_ids, "metric": "loss", "width": 1000}

    async def ask() -> float:
        return (await client.timed("/trackside/api/windows", query))[0]

    ours, yardstick = await _turns(client, ask, turns)
    return measurement(f"window of {len(run_ids)} runs, p50", ours, "ms", 100, yardstick=yardstick)


async def _loop(client: _Client, turns: int) -> dict[str, Any]:
    """How long a trivial request waits while three others list all runs over and over."""
    done = asyncio.Event()

    async def listing() -> None:
        while not done.is_set():
            await client.timed("/trackside/api/runs")

    alone = [(await client.timed("/api/me"))[0] for _ in range(turns)]
    busy = [asyncio.create_task(listing()) for _ in range(3)]
    waits = [(await client.timed("/api/me"))[0] for _ in range(turns)]
    done.set()
    await asyncio.gather(*busy)
    value = (_percentile(waits, 50) - _percentile(alone, 50)) * 1e3
    more = {"p95": round(_percentile(waits, 95) * 1e3, 3), "alone": round(_percentile(alone, 50) * 1e3, 3)}
    return measurement("a request's wait while three list all runs, p50", value, "ms", 20, **more)


async def _feed(client: _Client, data_dir: Path, turns: int) -> dict[str, Any]:
    """From ``log()`` to the pushed window that holds the point."""
    import kernel_magics as km

    socket_ = await websocket_connect(
        HTTPRequest(f"ws://{client.base}/trackside/api/feed", headers=client.headers)
    )
    waits = []
    with km.init("bench", "live", data_dir=data_dir) as run:
        run.log({"loss": 0.0})
        series = [{"metric": "loss", "runs": [run.id], "width": 1000}]
        await socket_.write_message(json.dumps({"type": "watch", "id": 1, "series": series}))
        await asyncio.sleep(0.5)
        for points in range(2, turns + 2):
            started = time.perf_counter()
            run.log({"loss": float(points)})
            while True:
                message = json.loads(await socket_.read_message() or "null")
                if message["type"] == "series" and message["windows"][0]["points"] >= points:
                    break
            waits.append(time.perf_counter() - started)
            await asyncio.sleep(0.05 + 0.01 * (points % 20))  # at any phase of the feed's pause
    socket_.close()
    value = _percentile(waits, 95) * 1e3
    return measurement(
        "log() to message of the feed, p95", value, "ms", 500, p50=_percentile(waits, 50) * 1e3
    )


def _percentile(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


if __name__ == "__main__":
    command_line(__doc__, run)
