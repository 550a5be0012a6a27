"""A provider from elsewhere, installed for a test as pip would leave it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest


def install_provider(
    folder: Path, monkeypatch: pytest.MonkeyPatch, module: str, source: str, providers: Mapping[str, str]
) -> None:
    """Put a distribution on the path.

    Args:
        module: its name, and with ``-`` for ``_`` that of the distribution.
        source: of the module.
        providers: name of a provider → ``module:Class``.
    """
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    name = module.replace("_", "-")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{provider} = {where}" for provider, where in providers.items()]
    (info / "entry_points.txt").write_text("\n".join(["[trackside.providers]", *lines, ""]))
    monkeypatch.syspath_prepend(str(folder))
