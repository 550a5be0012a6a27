"""Real kernels behind real agents, each test in folders of its own, and no process left over."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gpu_provisioner.front import MARK, Lab, Place, wait_for


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Folders of the test's own (short: sockets lie there), and the promise that no process outlives it."""
    root = Path(tempfile.mkdtemp(prefix="ts-", dir="/tmp"))
    mark = uuid.uuid4().hex
    for name in ("home", "cache", "run", "work"):
        (root / name).mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(root / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(root / "run"))
    monkeypatch.setenv("TRACKSIDE_DIR", str(root / "data"))
    monkeypatch.setenv("IPYTHONDIR", str(root / "ipython"))
    monkeypatch.setenv(MARK, mark)
    monkeypatch.chdir(root / "work")
    here = Place(root, mark)
    yield here
    try:
        wait_for(lambda: not here.processes(), "all processes of the test have ended", 8.0)
    except AssertionError:
        left = [f"{process.pid} {process.cmdline()}" for process in here.processes()]
        for process in here.processes():
            process.kill()
        pytest.fail("orphans: " + "; ".join(left))
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def lab(place: Place) -> Iterator[Lab]:
    made = Lab(place)
    yield made
    for front in made.fronts:
        front.holder.release("the test")


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a ``libnvidia-ml.so.1`` whose GPUs are written in a text file (see ``nvml_stub.c``)."""
    folder = tmp_path_factory.mktemp("nvml")
    source = Path(__file__).parent / "nvml_stub.c"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-Wall", "-o", str(folder / "libnvidia-ml.so.1"), str(source)], check=True
    )
    return folder
