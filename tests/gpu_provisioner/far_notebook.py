"""A notebook of this side and the far side in its configuration."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.provisioner import release
from tests.gpu_provisioner.far import Far
from tests.gpu_provisioner.front import Place
from tests.kernel_magics.bridge.notebook_driver import Notebook


def configure(
    far: Far,
    monkeypatch: pytest.MonkeyPatch,
    *more: str,
    python: bool = True,
    ssh_args: Sequence[str] = (),
) -> None:
    """Make the far side the target ``gpu1`` of the user's configuration file.

    Args:
        more: other lines of that target.
        python: whether it names the Python over there.
        ssh_args: further arguments of ssh.
    """
    lines = ["[targets.gpu1]", 'provider = "ssh"', 'host = "far"']
    lines += [f'python = "{far.account.python}"'] if python else []
    lines += [f"ssh_args = {json.dumps([*ssh_args, '-F', str(far.keys / 'config')])}", *more, ""]
    config = far.place.root / "trackside.toml"
    config.write_text("\n".join(lines))
    monkeypatch.setenv("TRACKSIDE_CONFIG", str(config))


@contextmanager
def opened(place: Place, path: Path) -> Iterator[Notebook]:
    """A notebook with the magics, closed afterwards, and everything that it rented given back."""
    notebook = Notebook({**os.environ, "JPY_SESSION_NAME": str(path)}, place.root / "work")
    notebook.must("%load_ext kernel_magics")
    yield notebook
    notebook.close()
    for lease in LeaseBook(place.data).live():
        release(lease, place.data, "the test")
