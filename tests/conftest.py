"""What every test shares: no test touches the user's own Trackside folders; how its cells wait for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.waiting import Gate, Turnstile


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder, configuration, cache and runtime folder of the test's own."""
    root = tmp_path_factory.mktemp("trackside")
    monkeypatch.setenv("TRACKSIDE_DIR", str(root / "data"))
    monkeypatch.setenv("TRACKSIDE_CONFIG", str(root / "trackside.toml"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    yield root


@pytest.fixture
def gate_at() -> Iterator[Callable[[Path], Gate]]:
    """Makes gates, closed; see :class:`Gate`. Those that are still closed at the end are opened."""
    made: list[Gate] = []

    def make(path: Path) -> Gate:
        made.append(Gate(path))
        return made[-1]

    yield make
    for gate in made:
        gate.open()


@pytest.fixture
def gate(gate_at: Callable[[Path], Gate], tmp_path_factory: pytest.TempPathFactory) -> Gate:
    """A gate of the test's own, that kernels of this user can reach."""
    return gate_at(tmp_path_factory.mktemp("gate") / "gate")


@pytest.fixture
def turnstile_at() -> Iterator[Callable[[Path], Turnstile]]:
    """Makes turnstiles, at which nobody has a step yet; see :class:`Turnstile`."""
    made: list[Turnstile] = []

    def make(path: Path) -> Turnstile:
        made.append(Turnstile(path))
        return made[-1]

    yield make
    for turnstile in made:
        turnstile.close()


@pytest.fixture
def turnstile(
    turnstile_at: Callable[[Path], Turnstile], tmp_path_factory: pytest.TempPathFactory
) -> Turnstile:
    """A turnstile of the test's own, that kernels of this user can reach."""
    return turnstile_at(tmp_path_factory.mktemp("turnstile") / "turnstile")
