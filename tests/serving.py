"""A real Jupyter Server, and its kernels as a front-end without websockets sees them."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from jupyter_client import BlockingKernelClient

from tests.waiting import wait_for


class Server:
    """A Jupyter Server, and its kernels as a front-end without websockets sees them."""

    def __init__(self, env: dict[str, str], root: Path) -> None:
        self._token = secrets.token_hex(8)
        self._runtime = Path(env["JUPYTER_RUNTIME_DIR"])
        self._log = root / "server.log"
        options = [f"--IdentityProvider.token={self._token}", "--ServerApp.ip=127.0.0.1", "--port=0"]
        command = [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", *options]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=root / "work", env=env, stdout=log, stderr=log)
        self._url = ""
        wait_for(self._answers, "the server is up", 60)

    def _answers(self) -> bool:
        """Whether it answers at the address in its log; it is written there before it listens."""
        assert self.process.poll() is None, self._log.read_text()
        found = re.search(r"(http://127\.0\.0\.1:\d+/)", self._log.read_text())
        self._url = found.group(1) if found else ""
        try:
            return bool(found and self.ask("GET", "status"))
        except urllib.error.URLError:
            return False

    def ask(self, method: str, path: str, content: dict[str, Any] | None = None) -> Any:
        data = json.dumps(content).encode() if content is not None else (b"" if method == "POST" else None)
        headers = {"Authorization": f"token {self._token}"}
        request = urllib.request.Request(f"{self._url}api/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            said = answer.read()
        return json.loads(said) if said else None

    def run(self, kernel_id: str, code: str) -> tuple[str, str]:
        """Run a cell: status, and what a person reads."""
        client = BlockingKernelClient(connection_file=str(self._runtime / f"kernel-{kernel_id}.json"))
        client.load_connection_file()
        client.start_channels(hb=False)
        try:
            client.wait_for_ready(timeout=60)
            shown: list[str] = []

            def read(message: dict[str, Any]) -> None:
                content = message["content"]
                shown.append(content.get("text", "") + content.get("data", {}).get("text/plain", ""))
                shown.extend(content.get("traceback", []))

            reply = client.execute_interactive(code, timeout=120, output_hook=read, allow_stdin=False)
            return str(reply["content"]["status"]), "\n".join(shown)
        finally:
            client.stop_channels()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)

    def begin(self, notebook: str, kernel: str) -> str:
        """A notebook's session, as JupyterLab begins one; the kernel's id."""
        content = {"path": notebook, "name": notebook, "type": "notebook", "kernel": {"name": kernel}}
        return str(self.ask("POST", "sessions", content)["kernel"]["id"])
