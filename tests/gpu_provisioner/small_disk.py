"""A disk that is soon full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk_at(folder: Path) -> Iterator[Path]:
    """``folder`` is a file system of 1 MiB. Needs root and the right to mount."""
    folder.mkdir(mode=0o700, parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "trackside-test", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("NOT TESTED: a full disk needs a tmpfs of its own, and mounting one needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def make_room(folder: Path) -> None:
    """The disk grows to 50 MiB."""
    subprocess.run(["mount", "-o", "remount,size=50m", str(folder)], check=True)
