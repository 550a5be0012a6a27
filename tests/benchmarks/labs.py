"""Kernels to measure, in folders of their own."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.gpu_provisioner.cable import Cable
from tests.gpu_provisioner.far import Account, Far, SshLab
from tests.gpu_provisioner.front import MARK, Lab, Place


@contextlib.contextmanager
def own_place() -> Iterator[Place]:
    """Folders of the benchmark's own, also in this process' environment."""
    root = Path(tempfile.mkdtemp(prefix="tsb-", dir="/tmp"))
    for name in ("run", "home", "work", "config"):
        (root / name).mkdir(mode=0o700)
    place = Place(root, uuid.uuid4().hex)
    own = {
        "HOME": root / "home",
        "XDG_CACHE_HOME": root / "cache",
        "XDG_RUNTIME_DIR": root / "run",
        "TRACKSIDE_DIR": root / "data",
        "TRACKSIDE_CONFIG": root / "trackside.toml",
        "IPYTHONDIR": root / "ipython",
        "JUPYTER_CONFIG_DIR": root / "config",
        "JUPYTER_RUNTIME_DIR": root / "jupyter",
        MARK: place.mark,
    }
    with _environment({name: str(value) for name, value in own.items()}):
        try:
            yield place
        finally:
            shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def own_lab() -> Iterator[Lab]:
    """A lab on this machine."""
    with own_place() as place, contextlib.closing(Lab(place)) as lab:
        yield lab


@contextlib.contextmanager
def far_lab(place: Place, round_trip_s: float = 0.0) -> Iterator[SshLab]:
    """A lab behind an sshd on loopback; with a round trip, in a network namespace behind a slow cable."""
    with contextlib.ExitStack() as ends:
        account = Account(getpass.getuser(), sys.executable)
        if round_trip_s:
            cable = Cable()
            ends.callback(cable.remove)
            cable.build()
            cable.weather(delay_s=round_trip_s / 2)
            far = Far(place, account, address=cable.address, namespace=cable.name, alive_s=30)
        else:
            far = Far(place, account, alive_s=30)
        ends.callback(shutil.rmtree, far.keys, ignore_errors=True)
        far.start()
        ends.callback(far.close)
        lab = SshLab(place, far)
        ends.callback(lab.close)
        yield lab


@contextlib.contextmanager
def _environment(own: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
