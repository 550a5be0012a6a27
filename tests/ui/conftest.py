"""A real JupyterLab with the panel, and a real Chromium to look at it with.

Run these tests in a pytest process without pytest-jupyter's server plugin: Playwright's synchronous interface
and its event loop do not go together.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.ui.desk import Desk
from tests.ui.gpus import CONFIGURATION, STUB, Gpus
from tests.ui.jupyterlab import FLAGS, Lab, LabPage, running_lab
from tests.waiting import Gate


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = (
        os.environ.get("TRACKSIDE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    )
    if chromium is None:
        pytest.skip("No Chromium on PATH: apt-get install chromium, or set TRACKSIDE_CHROMIUM")
    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        yield instance
        instance.close()


@pytest.fixture
def lab_page(browser: Browser) -> Iterator[LabPage]:
    """A fresh page; the test fails when the page complained of anything that the test did not expect."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    driver = LabPage(context.new_page())
    try:
        yield driver
    finally:
        context.close()
    assert driver.unexpected() == []


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for the tests of a file, in folders of its own."""
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def desk(lab: Lab, lab_page: LabPage, gate: Gate, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A notebook of the test's own; its kernel is shut down afterwards."""
    made = Desk(lab, lab_page, gate, f"{request.node.name[:40].replace('[', '-').replace(']', '')}.ipynb")
    yield made
    # A kernel that is just coming up again cannot be ended: it is asked again.
    lab_page.expected.append("/api/sessions/")
    lab_page.eventually(
        """async () => { const { sessions } = jupyterapp.serviceManager;
             await sessions.shutdownAll().catch(() => null);
             await sessions.refreshRunning();
             return [...sessions.running()].length === 0 }"""
    )


@pytest.fixture
def fresh_lab(tmp_path: Path) -> Iterator[Lab]:
    """A JupyterLab for one test, with nothing recorded yet."""
    with running_lab(tmp_path / "lab") as running:
        yield running


@pytest.fixture
def lab_without_server(tmp_path: Path) -> Iterator[Lab]:
    """JupyterLab with the panel but without the server extension."""
    with running_lab(tmp_path / "lab", server_extension=False) as running:
        yield running


@pytest.fixture
def lab_of(tmp_path: Path) -> Callable[[Path], contextlib.AbstractContextManager[Lab]]:
    """Starts the JupyterLab of another virtual environment."""
    return lambda environment: running_lab(tmp_path / "lab", installed_in=environment)


@pytest.fixture
def gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gpus]:
    library = tmp_path / "nvml"
    library.mkdir()
    command = ["gcc", "-shared", "-fPIC", "-o", str(library / "libnvidia-ml.so.1"), str(STUB)]
    subprocess.run(command, check=True)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setenv("NVML_STUB_GPUS", str(tmp_path / "gpus"))
    made = Gpus(tmp_path / "gpus")
    yield made
    made.hush()


@pytest.fixture
def gpu_lab(tmp_path: Path, gpus: Gpus) -> Iterator[Lab]:
    """JupyterLab on a machine with GPUs that have a price."""
    with running_lab(tmp_path / "lab") as lab:
        port = gpus.silent.getsockname()[1]
        (lab.folder / "trackside.toml").write_text(CONFIGURATION.format(port=port))
        yield lab
