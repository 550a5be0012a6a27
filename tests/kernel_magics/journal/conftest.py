"""A disk that is really full, and waiting for conditions."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


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
