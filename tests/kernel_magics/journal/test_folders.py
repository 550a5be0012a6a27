"""Which folders are meant, whatever the variables say and wherever the process goes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import kernel_magics as km
from gpu_provisioner.agent import places
from kernel_magics import paths

ROOT = Path(km.__file__).parent.parent

WANDERER = """
import os, subprocess, sys
import kernel_magics as km
run = km.init()
run.log({"a": 1.0})
run.finish()
os.chdir(sys.argv[1])
with km.open_store() as store:
    store.refresh()
    print(*[one.id == run.id for one in store.runs()], store.data_dir)
child = "from kernel_magics import paths; print(paths.data_dir())"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True).stdout)
"""


def test_a_relative_data_folder_stays_the_same_after_chdir_and_in_children(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", WANDERER, str(tmp_path / "there")],
        cwd=tmp_path / "here",
        env={**os.environ, "TRACKSIDE_DIR": "rel", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    data = tmp_path / "here" / "rel"
    assert done.stdout.splitlines()[:2] == [f"True {data}", str(data)]
    assert list((tmp_path / "there").iterdir()) == []


@pytest.mark.parametrize(
    ("variable", "asked"), [("TRACKSIDE_CONFIG", paths.config_path), ("TRACKSIDE_DIR", paths.data_dir)]
)
def test_a_relative_path_counts_from_where_it_was_first_asked_for(
    variable: str, asked: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(asked)
    monkeypatch.setenv(variable, "rel")
    monkeypatch.chdir(tmp_path)
    assert asked() == tmp_path / "rel"
    monkeypatch.chdir("/")
    assert asked() == tmp_path / "rel"
    monkeypatch.setenv(variable, "another")
    assert asked() == Path("/another")


def test_a_relative_folder_of_jupyters_stays_the_same_after_chdir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRACKSIDE_DIR")
    monkeypatch.setenv("JUPYTER_DATA_DIR", tmp_path.name)
    monkeypatch.chdir(tmp_path)
    first = paths.data_dir()
    monkeypatch.chdir("/")
    assert paths.data_dir() == first == tmp_path / tmp_path.name / "trackside"
    assert os.environ["JUPYTER_DATA_DIR"] == tmp_path.name, "a variable of Jupyter's is not ours to change"


@pytest.mark.parametrize("said", ["rel", "./rel", ""])
def test_a_relative_cache_is_ignored_as_the_specification_says(
    said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    environ = {"XDG_CACHE_HOME": said, "HOME": str(tmp_path)}
    assert paths.cache_dir(environ) == places.cache_root(environ) == tmp_path / ".cache" / "trackside"
    environ["XDG_CACHE_HOME"] = str(tmp_path / "c")
    assert paths.cache_dir(environ) == places.cache_root(environ) == tmp_path / "c" / "trackside"
