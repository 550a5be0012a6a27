"""The configuration's [capture] section, its mistakes, and where things lie on disk."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from kernel_magics import paths
from kernel_magics.config import capture_settings
from kernel_magics.errors import ConfigurationError
from kernel_magics.model import CaptureSettings


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "trackside.toml"
    monkeypatch.setenv("TRACKSIDE_CONFIG", str(path))
    return path


def test_without_a_file_or_section_the_defaults_hold(file: Path) -> None:
    assert capture_settings() == CaptureSettings()
    file.write_text("[limits]\nidle_s = 3\n")
    assert capture_settings() == CaptureSettings()
    assert CaptureSettings() == CaptureSettings(True, True, True, True, False, True)


def test_what_the_file_says_holds(file: Path) -> None:
    file.write_text("[targets.gpu1]\nprovider = 'ssh'\n\n[capture]\ndiff = false\nenvironment = true\n")
    assert capture_settings() == CaptureSettings(diff=False, environment=True)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[capture]\ndif = false\n", 2, "`dif` is no key of [capture]; did you mean `diff`?"),
        (
            "[capture]\n\nzzz = 1\n",
            3,
            "known are: source, outputs, diff, packages, environment, inferred_metrics, frameworks",
        ),
        ("[limits]\n[capture]\noutputs = 'no'\n", 3, "`outputs` must be true or false, not 'no'"),
        ("[limits]\n\n[captur]\ndiff = true\n", 3, "`captur` is no section; did you mean `capture`?"),
        ("capture = true\n", 1, "[capture] must be a section of its own"),
        ("[capture]\ndiff = \n", 2, "this is not TOML"),
        ("[capture]\ndiff = true\n[capture]\n", 3, "this is not TOML"),
        ("[capture\n", 1, "this is not TOML"),
    ],
)
def test_a_mistake_is_named_with_file_and_line(file: Path, text: str, line: int, said: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        capture_settings()
    assert str(caught.value).startswith(f"{file}, line {line}: ")
    assert said in str(caught.value)
    assert caught.value.remedy


def test_a_file_that_is_no_text_is_named(file: Path) -> None:
    file.write_bytes(b"[capture]\n# \xff\n")
    with pytest.raises(ConfigurationError, match=r"line 2: the file is not UTF-8"):
        capture_settings()


def test_init_with_a_broken_configuration_says_so_and_begins_nothing(file: Path) -> None:
    import kernel_magics as km

    file.write_text("[capture]\ndiff = 3\n")
    with pytest.raises(ConfigurationError, match="line 2"):
        km.init()
    assert km.active_run() is None
    assert not paths.runs_dir(paths.data_dir()).exists()


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"JUPYTER_DATA_DIR": "/d", "JUPYTER_CONFIG_DIR": "/c"},
        {"XDG_DATA_HOME": "/xdg"},
        {"JUPYTER_PLATFORM_DIRS": "1"},
        {"JUPYTER_PLATFORM_DIRS": "0"},
        {"JUPYTER_PLATFORM_DIRS": ""},
    ],
    ids=str,
)
def test_the_folders_are_jupyters(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_core import paths as jupyter

    for name in list(os.environ):
        if name.startswith(("JUPYTER_", "XDG_", "TRACKSIDE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert paths.data_dir() == Path(jupyter.jupyter_data_dir()) / "trackside"
    assert paths.config_path() == Path(jupyter.jupyter_config_dir()) / "trackside.toml"


def test_the_user_s_choice_of_folder_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TRACKSIDE_DIR", "~/t")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert paths.data_dir() == tmp_path / "t"
    assert paths.cache_dir() == Path("/cache/trackside")


def test_folders_made_on_the_way_are_private(tmp_path: Path) -> None:
    paths.make_private_folder(tmp_path / "a" / "b")
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
