"""How long after waking a laptop a cell behind ssh answers again, when sshd has given the laptop up."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.gpu_provisioner.far import Account, Far
from tests.gpu_provisioner.front import Place
from tests.serving import Server
from tests.waiting import wait_for


def can_wake() -> bool:
    """Whether there is an sshd to be given up by."""
    return Path("/usr/sbin/sshd").exists() and shutil.which("ssh") is not None


def waking(place: Place, asleep_s: float) -> tuple[float, float]:
    """Seconds from waking to a cell's answer, and, beside it, of one new ssh login.

    The Jupyter Server, the notebook's kernel and what carries its line are stopped for ``asleep_s``, and
    until sshd, whose patience is two seconds, has ended every session.
    """
    far = Far(place, Account(getpass.getuser(), sys.executable), alive_s=1)
    far.start()
    config = [f'host = "far"\npython = {json.dumps(sys.executable)}\nworking_folder = false']
    config += [f"ssh_args = {json.dumps(['-F', str(far.keys / 'config')])}"]
    (place.root / "trackside.toml").write_text("\n".join(['[targets.far]\nprovider = "ssh"', *config, ""]))
    server = Server({**os.environ, "JUPYTER_DATA_DIR": str(place.root / "share")}, place.root)
    try:
        kernel = server.begin("night.ipynb", "python3")
        for cell in (
            "%load_ext kernel_magics",
            "%gpu_provision cpu --on far",
            "import os; kept = os.getpid()",
        ):
            _must(server, kernel, cell)
        woken = _sleep(far, server, asleep_s)
        _must(server, kernel, "assert kept == os.getpid()")
        took = time.monotonic() - woken
        _must(server, kernel, "%gpu_release")
        return took, _login(far)
    finally:
        server.stop()
        far.close()


def _must(server: Server, kernel: str, code: str) -> None:
    status, shown = server.run(kernel, code)
    assert status == "ok", shown


def _sleep(far: Far, server: Server, asleep_s: float) -> float:
    """Stop this side until sshd has given up, and at least so long; when it was woken."""
    process = server.process
    stopped = [process, *psutil.Process(process.pid).children(recursive=True), *far.shared_connections()]
    until = time.monotonic() + asleep_s
    for each in stopped:
        each.send_signal(signal.SIGSTOP)
    try:
        wait_for(lambda: not far.sessions() and time.monotonic() > until, "sshd gives up", asleep_s + 60)
    finally:
        woken = time.monotonic()
        for each in stopped:
            each.send_signal(signal.SIGCONT)
    return woken


def _login(far: Far) -> float:
    """Seconds of a login that shares no connection."""
    command = [
        "ssh",
        "-F",
        str(far.keys / "config"),
        "-o",
        "ControlPath=none",
        "-o",
        "BatchMode=yes",
        "far",
        "true",
    ]
    begun = time.monotonic()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return time.monotonic() - begun
