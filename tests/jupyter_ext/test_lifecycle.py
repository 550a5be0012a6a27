"""A real ``jupyter server`` process: it loads the extension by itself and leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.waiting import wait_for


class Server:
    """``jupyter server`` on a loopback port of its own."""

    def __init__(self, root: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.token = secrets.token_hex(16)
        self.url = f"http://127.0.0.1:{port}"
        environ = {**os.environ, "HOME": str(root), "JUPYTER_CONFIG_DIR": str(root / "config")}
        environ |= {"JUPYTER_DATA_DIR": str(root / "jupyter"), "JUPYTER_RUNTIME_DIR": str(root / "run")}
        options = ["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
        options += [f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={root}"]
        options += ["--ServerApp.jpserver_extensions=jupyter_ext=True"]
        self.log = root / "server.log"
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "jupyter_server", *options]
            self.process = subprocess.Popen(
                command, env=environ, stdout=log, stderr=log, start_new_session=True
            )

    def get(self, path: str) -> Any:
        request = urllib.request.Request(
            f"{self.url}{path}", headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def info(self) -> Any:
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(urllib.error.URLError):
            return self.get("/trackside/api/info")
        return None


def indexers(server: Server) -> list[psutil.Process]:
    """The indexing processes below the server; its other extensions may have children too."""
    found = []
    for child in psutil.Process(server.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "kernel_magics.store.follow" in child.cmdline():
                found.append(child)
    return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path)
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_server_however_it_ends(server: Server, number: int) -> None:
    wait_for(lambda: (server.info() or {}).get("index", {}).get("state") == "current", "indexed", 60)
    children = indexers(server)
    assert len(children) == 1
    os.kill(server.process.pid, number)
    server.process.wait(30)
    wait_for(lambda: not any(child.is_running() for child in children), "no process is left", 60)


def test_nothing_is_started_before_somebody_asks(server: Server) -> None:
    def up() -> bool:
        with contextlib.suppress(urllib.error.URLError):
            return bool(server.get("/api/status"))
        return False

    wait_for(up, "the server is up", 60)
    assert indexers(server) == []
    assert "jupyter_ext | extension was successfully loaded" in server.log.read_text()
