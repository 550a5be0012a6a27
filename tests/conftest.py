"""What every test shares: no test may touch the user's own Trackside folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder, configuration, cache and runtime folder of the test's own."""
    root = tmp_path_factory.mktemp("trackside")
    monkeypatch.setenv("TRACKSIDE_DIR", str(root / "data"))
    monkeypatch.setenv("TRACKSIDE_CONFIG", str(root / "trackside.toml"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    yield root
