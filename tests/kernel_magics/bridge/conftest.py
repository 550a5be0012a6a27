"""A notebook whose kernel speaks for a remote one: real processes, in folders of the test's own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.kernel_magics.bridge.notebook_driver import Notebook, no_orphans, release_all

OTHER_IPYKERNEL = os.environ.get("TRACKSIDE_TEST_IPYKERNEL", "")
"""A folder with another version of ipykernel (``pip install --target``) to run these tests with."""


def _ipykernel_version() -> tuple[int, ...]:
    """Of the notebooks these tests open."""
    found = list(Path(OTHER_IPYKERNEL).glob("ipykernel-*.dist-info")) if OTHER_IPYKERNEL else []
    text = found[0].name.split("-")[1] if found else version("ipykernel")
    return tuple(int(part) for part in text.removesuffix(".dist").split(".")[:2])


IPYKERNEL = _ipykernel_version()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a user of the test's own; nothing they started may stay."""
    environ = own_environment(tmp_path)
    with no_orphans(str(tmp_path)):
        yield environ
        release_all(environ)


def own_environment(root: Path) -> dict[str, str]:
    """Environment variables that put every folder we write to under ``root``."""
    kept = {
        name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV") if name in os.environ
    }
    for name in ("home", "work", "config"):
        (root / name).mkdir()
    if OTHER_IPYKERNEL:
        kept["PYTHONPATH"] = OTHER_IPYKERNEL
    return {
        **kept,
        "HOME": str(root / "home"),
        "XDG_CACHE_HOME": str(root / "cache"),
        "IPYTHONDIR": str(root / "ipython"),
        "JUPYTER_CONFIG_DIR": str(root / "config"),
        "JUPYTER_RUNTIME_DIR": str(root / "runtime"),
        "TRACKSIDE_DIR": str(root / "data"),
        "TRACKSIDE_CONFIG": str(root / "trackside.toml"),
        "MPLCONFIGDIR": str(root / "matplotlib"),
        "GIT_CONFIG_GLOBAL": str(root / "gitconfig"),
    }


OpenNotebook = Callable[..., Notebook]


@pytest.fixture
def open_notebook(home: dict[str, str], tmp_path: Path) -> Iterator[OpenNotebook]:
    """Opens notebooks; all are closed at the end."""
    opened: list[Notebook] = []

    def open_one(name: str = "digits.ipynb", **environ: str) -> Notebook:
        path = tmp_path / "work" / name
        notebook = Notebook({**home, "JPY_SESSION_NAME": str(path), **environ}, tmp_path / "work")
        opened.append(notebook)
        notebook.must("%load_ext kernel_magics")
        return notebook

    yield open_one
    for notebook in opened:
        notebook.close()


@pytest.fixture
def notebook(open_notebook: OpenNotebook) -> Notebook:
    """A notebook with the magics, its cells still running here."""
    return open_notebook()


@pytest.fixture
def bridged(notebook: Notebook) -> Notebook:
    """A notebook whose cells run on another kernel of this machine."""
    notebook.must("%gpu_provision cpu", timeout=120)
    return notebook


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    """A file that is not there yet: a cell makes it to say how far it is."""
    folder = tmp_path / "flags"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder / "go"
