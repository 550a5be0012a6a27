"""Any request that the specification allows, and many that it does not, never break the server."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

import kernel_magics as km
from tests.waiting import eventually

SPECIFICATION = Path(__file__).parents[2] / "jupyter_ext" / "openapi.yaml"
SCHEMA = schemathesis.openapi.from_path(SPECIFICATION).exclude(path=["/feed", "/replay"])
EXAMPLES = 25


class Server:
    """A real Jupyter Server on loopback, with a few runs in its data folder."""

    def __init__(self, root: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.token = secrets.token_hex(16)
        self.url = f"http://127.0.0.1:{port}/trackside/api"
        self.environ = {
            **os.environ,
            "HOME": str(root),
            "TRACKSIDE_DIR": str(root / "data"),
            "TRACKSIDE_CONFIG": str(root / "trackside.toml"),
            "XDG_CACHE_HOME": str(root / "cache"),
            "JUPYTER_CONFIG_DIR": str(root / "config"),
            "JUPYTER_DATA_DIR": str(root / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(root / "run"),
        }
        options = ["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}"]
        options += [f"--IdentityProvider.token={self.token}", f"--ServerApp.root_dir={root}"]
        options += ["--ServerApp.jpserver_extensions=jupyter_ext=True"]
        self.log = root / "server.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_server", *options], env=self.environ, stdout=log, stderr=log
            )

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"token {self.token}"}

    def runs(self) -> list[Any]:
        """Its finished runs, as far as they are indexed."""
        assert self.process.poll() is None, self.log.read_text()
        request = urllib.request.Request(f"{self.url}/runs", headers=self.headers)
        with (
            contextlib.suppress(OSError),  # not there yet, or just coming up
            urllib.request.urlopen(request, timeout=20) as answer,
        ):
            return [run for run in json.load(answer)["runs"] if run["status"] == "finished"]
        return []

    def wait_for_runs(self, count: int, seconds: float = 60) -> None:
        """Polls until so many runs are indexed."""
        enough = eventually(lambda: len(self.runs()) >= count, seconds)
        assert enough, self.log.read_text()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("fuzzed"))
    try:
        for number in range(3):
            with km.init(name=f"run {number}", data_dir=running.environ["TRACKSIDE_DIR"]) as run:
                for step in range(20):
                    run.log({"loss": float("nan") if step == 3 else 1 / (step + 1)})
        running.wait_for_runs(3)
        yield running
    finally:
        running.process.terminate()
        running.process.wait(30)


@SCHEMA.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
def test_no_request_breaks_the_server(case: Any, server: Server) -> None:
    answer = case.call(base_url=server.url, headers=server.headers, timeout=30)
    case.validate_response(
        answer, checks=[not_a_server_error, response_schema_conformance, content_type_conformance]
    )


def test_the_fuzzed_server_still_answers_and_wrote_no_traceback(server: Server) -> None:
    assert len(server.runs()) == 3
    assert "Traceback" not in server.log.read_text()
