"""How long after waking a laptop a cell behind ssh answers again, when sshd has given the laptop up."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.gpu_provisioner.far import Account, Far, SshLab
from tests.gpu_provisioner.front import MARK, Place, wait_for

LAPTOP = """
import sys
from pathlib import Path
from gpu_provisioner.leases import LeaseBook
from tests.gpu_provisioner.front import Front
data = Path(sys.argv[1])
front = Front(LeaseBook(data).load(sys.argv[2]), data)
front.holder.start(60)
front.execute('pass')
print('awake', flush=True)
for number, _ in enumerate(sys.stdin):
    front.execute('pass', number + 2)
    print('answered', flush=True)
front.holder.detach()
"""


def can_wake() -> bool:
    """Whether there is an sshd to be given up by."""
    return Path("/usr/sbin/sshd").exists() and shutil.which("ssh") is not None


def waking(place: Place, asleep_s: float) -> tuple[float, float]:
    """Seconds from waking to a cell's answer, and, beside it, of one new ssh login.

    Everything of this side is stopped for ``asleep_s``, and until sshd, whose patience is two seconds, has
    ended every session.
    """
    far = Far(place, Account(getpass.getuser(), sys.executable), alive_s=1)
    far.start()
    lab = SshLab(place, far)
    try:
        lease = lab.provision()
        env = {**os.environ, MARK: place.mark, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-c", LAPTOP, str(place.data), lease.id]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True
        ) as laptop:
            assert laptop.stdin is not None and laptop.stdout is not None
            assert laptop.stdout.readline() == "awake\n"
            woken = _sleep(far, laptop, asleep_s)
            print("go", file=laptop.stdin, flush=True)
            assert laptop.stdout.readline() == "answered\n"
            took = time.monotonic() - woken
            laptop.stdin.close()
        lab.front(lease)  # so that the lab gives it back
        return took, _login(far)
    finally:
        lab.close()
        far.close()


def _sleep(far: Far, laptop: subprocess.Popen[str], asleep_s: float) -> float:
    """Stop this side until sshd has given up, and at least so long; when it was woken."""
    process = psutil.Process(laptop.pid)
    stopped = [process, *process.children(recursive=True), *far.shared_connections()]
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
