"""docs/configuration.md names every key that the file may have, and nothing else."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest
import tomllib

from gpu_provisioner import config as machines
from gpu_provisioner.providers import provider_class
from kernel_magics.config import SECTIONS, capture_settings
from kernel_magics.model import CaptureSettings

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The file that the page shows."""
    found = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    path = tmp_path / "trackside.toml"
    path.write_text(found[1], encoding="utf-8")
    return path


def test_the_file_on_the_page_is_in_order_and_its_capture_is_the_default(example: Path) -> None:
    assert capture_settings(example) == CaptureSettings()
    assert {target.name for target in machines.load_configuration(example).targets} == {"local", "gpu1"}


def test_the_page_has_every_key(example: Path) -> None:
    shown = tomllib.loads(example.read_text(encoding="utf-8"))
    assert shown.keys() == set(SECTIONS)
    assert shown["capture"].keys() == asdict(CaptureSettings()).keys()
    assert shown["limits"].keys() == machines._LIMITS.keys()
    ssh, local = (provider_class(name).OPTIONS.keys() for name in ("ssh", "local"))
    assert shown["targets"]["gpu1"].keys() - {"provider"} == ssh
    assert shown["targets"]["local"].keys() <= local <= ssh
