"""A real JupyterLab with the panel in folders of its own, and its page, driven as a person would."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from playwright.sync_api import ConsoleMessage, Locator, Page

from tests.waiting import wait_for

RELEASE_ALL = """
import pathlib, sys
from gpu_provisioner import provisioner
from gpu_provisioner.leases import LeaseBook
folder = pathlib.Path(sys.argv[1])
for lease in LeaseBook(folder).live():
    if lease.handle:
        provisioner.release(lease, folder)
"""
BUILT = Path(__file__).parents[2] / "jupyter_ext" / "labextension"
SIDEBAR = "trackside-sidebar"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""Of Chromium."""


@dataclass
class Lab:
    """A running JupyterLab and the folders it works in."""

    url: str
    token: str
    folder: Path
    env: dict[str, str] = field(repr=False)
    command: list[str] = field(repr=False)
    server: Optional[subprocess.Popen[bytes]] = field(default=None, repr=False)

    def start(self) -> None:
        """Starts the server, and waits until it answers."""
        log = self.folder / "server.log"
        with log.open("ab") as out:
            self.server = subprocess.Popen(
                self.command, env=self.env, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        wait_for(lambda: self._answers(log), "JupyterLab", 60)

    def stop(self) -> None:
        """Stops the server as ``jupyter lab stop`` does; its kernels end with it."""
        assert self.server is not None
        self.server.terminate()
        try:
            self.server.wait(20)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()

    def _answers(self, log: Path) -> bool:
        assert self.server is not None and self.server.poll() is None, log.read_text()[-3000:]
        request = urllib.request.Request(
            f"{self.url}/api/status", headers={"Authorization": f"token {self.token}"}
        )
        with contextlib.suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(request, timeout=2).read()
            return True
        return False

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def notebooks(self) -> Path:
        return self.folder / "notebooks"

    def python(self, script: str) -> str:
        """Runs a script to its end in a process of its own, as a training script would; its output."""
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextlib.contextmanager
    def process(self, script: str) -> Iterator[subprocess.Popen[str]]:
        """A script that goes on, fed line by line; ended with the block."""
        child = subprocess.Popen(
            [sys.executable, "-c", script],
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield child
        finally:
            with contextlib.suppress(OSError):
                child.stdin and child.stdin.close()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _prepare(folder: Path, server_extension: bool) -> None:
    for name in ("notebooks", "extensions", "config", "settings/@jupyterlab/apputils-extension"):
        (folder / name).mkdir(parents=True)
    news = folder / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    news.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    (folder / "extensions" / "trackside").symlink_to(BUILT)
    extensions = {"ServerApp": {"jpserver_extensions": {"jupyter_ext": server_extension}}}
    (folder / "config" / "jupyter_server_config.json").write_text(json.dumps(extensions))


def _environment(folder: Path) -> dict[str, str]:
    folders = {
        "TRACKSIDE_DIR": "data",
        "TRACKSIDE_CONFIG": "trackside.toml",
        "XDG_CACHE_HOME": "cache",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "jupyter-data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "IPYTHONDIR": "ipython",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    }
    return {**os.environ, **{name: str(folder / path) for name, path in folders.items()}}


def _lab_command(installed_in: Optional[Path]) -> list[str]:
    if installed_in is None:
        return [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command = [str(installed_in / "bin" / "python"), "-m", "jupyterlab", "--no-browser", "--allow-root"]
    return [
        *command,
        f"--app-dir={sys.prefix}/share/jupyter/lab",
    ]  # JupyterLab's own files stay where they are


@contextlib.contextmanager
def running_lab(
    folder: Path, server_extension: bool = True, installed_in: Optional[Path] = None
) -> Iterator[Lab]:
    """JupyterLab on a free port, with the panel as it was built and folders of its own.

    Args:
        server_extension: whether ours is enabled.
        installed_in: a virtual environment whose installed Trackside is used instead of this checkout's.
    """
    if not (BUILT / "package.json").exists():
        raise RuntimeError("The panel is not built. Type: cd labextension && npm ci && npm run build:prod")
    _prepare(folder, server_extension)
    if installed_in is not None:
        (folder / "extensions" / "trackside").unlink()
        (folder / "config" / "jupyter_server_config.json").unlink()
    port, token, env = _free_port(), secrets.token_hex(16), _environment(folder)
    command = [
        *_lab_command(installed_in),
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={folder / 'notebooks'}",
        f"--LabApp.extra_labextensions_path={folder / 'extensions'}",
        "--LabApp.expose_app_in_browser=True",
    ]
    lab = Lab(f"http://127.0.0.1:{port}", token, folder, env, command)
    try:
        lab.start()
        yield lab
    finally:
        # A failed test may leave a machine behind; it must not outlive the test.
        subprocess.run([sys.executable, "-c", RELEASE_ALL, str(folder / "data")], env=env, check=False)
        lab.stop()


class LabPage:
    """JupyterLab in the browser, driven as a person would; also remembers every complaint of the page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.expected: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("console", self._on_console)

    def _on_console(self, message: ConsoleMessage) -> None:
        # Another test gives this machine a network interface or takes one away; Chromium breaks off what it
        # loads then and says so. What it had to load is loaded again, or the test misses it.
        if message.type == "error" and "net::ERR_NETWORK_CHANGED" not in message.text:
            self.complaints.append(f"console: {message.text} ({message.location.get('url', '')})")

    def unexpected(self) -> list[str]:
        return [text for text in self.complaints if not any(known in text for known in self.expected)]

    def open(self, lab: Lab, reset: bool = True) -> LabPage:
        query = f"?token={lab.token}" + ("&reset" if reset else "")
        self.page.goto(f"{lab.url}/lab{query}", wait_until="domcontentloaded")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
        self.page.wait_for_function("() => window.jupyterapp && window.jupyterapp.restored", timeout=60_000)
        self.page.evaluate("async () => { await window.jupyterapp.restored }")
        return self

    def command(self, name: str, args: Optional[dict[str, Any]] = None) -> None:
        self.page.evaluate(
            "async ([c, a]) => { await jupyterapp.commands.execute(c, a) }", [name, args or {}]
        )

    def eventually(self, script: str, argument: Any = None) -> Any:
        """The first truthy answer of an async function of the page.

        Playwright's ``wait_for_function`` takes the promise for the answer, which is true at once.
        """
        return wait_for(lambda: self.page.evaluate(script, argument), script)

    def sidebar(self) -> Locator:
        """The panel in the left sidebar, opened."""
        tab = self.page.locator(f'.jp-SideBar li.lm-TabBar-tab[data-id="{SIDEBAR}"]')
        tab.wait_for()
        if "lm-mod-current" not in (tab.get_attribute("class") or ""):
            tab.click()
        panel = self.page.locator(f"#{SIDEBAR}")
        panel.wait_for(state="visible")
        return panel

    def row(self, name: str) -> Locator:
        """The row of the run of this name."""
        exact = self.page.locator(".jp-trackside-runName").get_by_text(name, exact=True)
        return self.page.locator(f"#{SIDEBAR} [data-run-id]").filter(has=exact)

    def compare(self, *names: str) -> Locator:
        """Ticks the runs and opens the comparison."""
        for name in names:
            self.row(name).click()
        self.page.locator(f"#{SIDEBAR}").get_by_role("button", name="Compare", exact=True).click()
        view = self.page.locator(".jp-trackside-compare:visible")
        view.wait_for()
        return view

    def chart(self, metric: str, lines: int | None = None) -> Locator:
        """The chart of a metric, once it is drawn with this many lines, or with some.

        A run that is over within a second has no load, for that is measured between two samples.
        """
        drawn = ":not([data-lines='0'])" if lines is None else f"[data-lines='{lines}']"
        chart = self.page.locator(
            f'.jp-trackside-compare:visible [data-metric="{metric}"][data-lines]{drawn}'
        )
        chart.scroll_into_view_if_needed()
        chart.locator("canvas").first.wait_for()
        return chart

    def drawn(self, chart: Locator) -> dict[str, dict[str, list[float]]]:
        """What the chart draws, by run name, from the drawing library's own data (see ``ChartProbe``)."""
        lines = chart.evaluate("node => node.trackside.drawn()")
        return {line["name"]: line for line in lines}

    def theme(self, name: str) -> None:
        self.command("apputils:change-theme", {"theme": name})
        self.page.wait_for_function("name => document.body.dataset.jpThemeName === name", arg=name)
        # JupyterLab covers the page meanwhile; of two covers within 0.2 s it takes one away twice.
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")
