"""Real kernels behind real agents, each test in folders of its own, and no process left over."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gpu_provisioner.cable import Cable
from tests.gpu_provisioner.far import Account, Far, SshLab
from tests.gpu_provisioner.front import MARK, MATRIX, Lab, Place
from tests.waiting import wait_for

FAR_IPYKERNEL = "ipykernel==7.3.0"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Folders of the test's own (short: sockets lie there), and the promise that no process outlives it."""
    root = Path(tempfile.mkdtemp(prefix="ts-", dir="/tmp"))
    mark = uuid.uuid4().hex
    for name in ("home", "cache", "run", "work"):
        (root / name).mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(root / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(root / "run"))
    monkeypatch.setenv("TRACKSIDE_DIR", str(root / "data"))
    monkeypatch.setenv("IPYTHONDIR", str(root / "ipython"))
    monkeypatch.setenv(MARK, mark)
    monkeypatch.chdir(root / "work")
    here = Place(root, mark)
    yield here
    try:
        wait_for(lambda: not here.processes(), "all processes of the test have ended", 8.0)
    except AssertionError:
        left = [f"{process.pid} {process.cmdline()}" for process in here.processes()]
        for process in here.processes():
            process.kill()
        pytest.fail("orphans: " + "; ".join(left))
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def lab(place: Place) -> Iterator[Lab]:
    made = Lab(place)
    yield made
    made.close()


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a ``libnvidia-ml.so.1`` whose GPUs are written in a text file (see ``nvml_stub.c``)."""
    folder = tmp_path_factory.mktemp("nvml")
    source = Path(__file__).parent / "nvml_stub.c"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-Wall", "-o", str(folder / "libnvidia-ml.so.1"), str(source)], check=True
    )
    return folder


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    """Another user of this machine with a Python of his own that knows nothing of this checkout.

    Without root it is the same user and the same Python; then only the folders are others.
    """
    system = Path("/usr/bin/python3")
    if os.getuid() != 0 or not system.exists():
        warnings.warn("NOT TESTED: without root the far side is the same user", stacklevel=1)
        yield Account(getpass.getuser(), sys.executable)
        return
    kept = os.environ.get("TRACKSIDE_TEST_VENVS")
    folder = Path(kept) / "far" if kept else Path(tempfile.mkdtemp(prefix="tv-", dir="/tmp"))
    if not (folder / "bin" / "python").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([str(system), "-m", "venv", "--without-pip", str(folder)], check=True)
        command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "-qq", "install"]
        subprocess.run([*command, FAR_IPYKERNEL], check=True)
    folder.chmod(0o755)
    name = f"tsfar{os.getpid()}"
    # "*": no password, but not locked, which sshd would refuse (UsePAM no).
    subprocess.run(["useradd", "-M", "-d", "/nonexistent", "-s", "/bin/bash", "-p", "*", name], check=True)
    yield Account(name, str(folder / "bin" / "python"))
    subprocess.run(["userdel", name], check=True, capture_output=True)
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def far(place: Place, account: Account) -> Iterator[Far]:
    made = Far(place, account)
    made.start()
    yield made
    made.close()


@pytest.fixture
def ssh_lab(place: Place, far: Far) -> Iterator[SshLab]:
    made = SshLab(place, far)
    yield made
    made.close()


@pytest.fixture
def own_far(place: Place) -> Iterator[Far]:
    """A far side with the same user as here, who may read all that he may read here."""
    made = Far(place, Account(getpass.getuser(), sys.executable))
    made.start()
    yield made
    made.close()


@pytest.fixture
def cable() -> Iterator[Cable]:
    """A network to a namespace, whose weather the test makes."""
    if os.getuid() != 0 or not all(map(shutil.which, ("ip", "nsenter", "iptables"))):
        pytest.skip("NOT TESTED: network faults need root, ip, nsenter and iptables")
    if not Path("/dev/net/tun").exists():
        pytest.skip("NOT TESTED: delay and loss need /dev/net/tun")
    made = Cable()
    made.build()
    yield made
    made.remove()


@pytest.fixture(scope="session")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Python version → an interpreter with its ipykernel of the matrix, in a venv.

    The venvs are made once for the session; under ``$TRACKSIDE_TEST_VENVS`` they are kept for the next one.
    """
    kept = os.environ.get("TRACKSIDE_TEST_VENVS")
    base = Path(kept) if kept else tmp_path_factory.mktemp("venvs")
    # Test places have a HOME of their own; the interpreters lie in the real one.
    versions = Path(f"~{getpass.getuser()}").expanduser() / ".pyenv" / "versions"

    def get(version: str) -> str:
        python = base / f"{version}-{MATRIX[version]}" / "bin" / "python"
        if not python.exists():
            found = next((str(path) for path in versions.glob(f"{version}.*/bin/python")), None)
            found = found or shutil.which(f"python{version}")
            if found is None:
                pytest.skip(
                    f"NOT TESTED: there is no Python {version} on this machine (pyenv install {version})"
                )
            subprocess.run([found, "-m", "venv", str(python.parent.parent)], check=True)
        wanted = f"ipykernel=={MATRIX[version]}"
        done = subprocess.run(
            [str(python), "-m", "pip", "install", "-q", wanted], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"NOT TESTED: {wanted} cannot be installed: {done.stderr.strip()[-200:]}")
        return str(python)

    return get
