"""What was recorded, straight from the journals and without the store; a disk that is really full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kernel_magics import paths
from kernel_magics.journal.format import Kind, unpack_json, unpack_points
from kernel_magics.journal.reader import Frame, Skipped, read_journal


@dataclass
class Record:
    """One journal, read whole."""

    path: Path
    frames: list[Frame]
    skipped: list[Skipped]
    tail: int

    @property
    def head(self) -> dict[str, Any]:
        return unpack_json(self.frames[0].payload)

    def all(self, kind: Kind) -> list[dict[str, Any]]:
        return [unpack_json(frame.payload) for frame in self.frames if frame.kind == kind]

    def merged(self, kind: Kind) -> dict[str, Any]:
        """Config, summary or facts, as the frames add up."""
        found: dict[str, Any] = {}
        for content in self.all(kind):
            deleted = content.pop("$deleted", [])
            found.update(content)
            for key in deleted:
                found.pop(key, None)
        return found

    def points(self, name: str, source: str = "logged") -> list[tuple[int, float]]:
        """(step, value) of one metric, in the order written."""
        metrics: dict[int, tuple[str, str]] = {}
        layouts: dict[int, list[int]] = {}
        found = []
        for frame in self.frames:
            if frame.kind == Kind.METRIC:
                content = unpack_json(frame.payload)
                metrics[content["id"]] = (content["source"], content["name"])
            elif frame.kind == Kind.LAYOUT:
                content = unpack_json(frame.payload)
                layouts[content["id"]] = content["metrics"]
            elif frame.kind == Kind.POINTS:
                points = unpack_points(frame.payload)
                for number, value in zip(layouts[points.layout], points.values, strict=True):
                    if metrics[number] == (source, name):
                        found.append((points.step, value))
        return found


@pytest.fixture
def read() -> Callable[[Path], Record]:
    """Read one journal."""
    return lambda path: Record(path, *read_journal(path))


@pytest.fixture
def records(read: Callable[[Path], Record]) -> Callable[[str], list[Record]]:
    """All journals of a run in this test's data folder, the main writer's first."""

    def of_run(run_id: str) -> list[Record]:
        found = [read(path) for path in (paths.runs_dir(paths.data_dir()) / run_id).glob("*.journal")]
        return sorted(found, key=lambda record: record.head["writer"]["role"])

    return of_run


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A mounted file system of 64 KiB. Needs root and the right to mount."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "trackside-test", str(place)]
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("NOT TESTED: a full disk needs a tmpfs of its own, and mounting one needs root")
    made = subprocess.run(mount, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"NOT TESTED: a full disk needs a tmpfs of its own: {made.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
