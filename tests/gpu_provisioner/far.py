"""A far side: a real sshd, another Unix user where possible, folders that only he can enter."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from gpu_provisioner.providers.base import Target
from tests.gpu_provisioner.front import MARK, Lab, Place
from tests.waiting import wait_for

CLIENT = """
Host {names}
  HostName {address}
  Port {port}
  User {user}
  IdentityFile {keys}/id
  IdentitiesOnly yes
  UserKnownHostsFile {keys}/known_hosts
  GlobalKnownHostsFile /dev/null
"""

SERVER = """
Port {port}
ListenAddress {address}
HostKey {keys}/hostkey
PidFile none
AuthorizedKeysFile {root}/authorized_keys
{logins}
StrictModes no
PermitRootLogin prohibit-password
MaxStartups 100
MaxSessions 100
ClientAliveInterval {alive_s}
ClientAliveCountMax 2
UseDNS no
LogLevel VERBOSE
SetEnv {env}
"""


KEYS_ONLY = "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no"


@dataclass(frozen=True)
class Account:
    """Who logs in over there, and the Python he has."""

    user: str
    python: str

    @property
    def uid(self) -> int:
        return pwd.getpwnam(self.user).pw_uid


@dataclass
class Far:
    """One machine behind ssh. ``root`` is its user's; ``keys`` are the client's and the server's.

    Attributes:
        namespace: name of the network namespace sshd runs in, ``""`` for none.
        env: what every login there finds in its environment.
        alive_s: ``ClientAliveInterval`` of sshd; after twice that without an answer it ends a session.
        program: sshd; PAM knows it by the name of that file.
        logins: lines of its configuration that say how one gets in.
    """

    place: Place
    account: Account
    address: str = "127.0.0.1"
    namespace: str = ""
    alive_s: int = 5
    env: dict[str, str] = field(default_factory=dict)
    port: int = 0
    program: str = "/usr/sbin/sshd"
    logins: str = KEYS_ONLY
    sshd: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        # Not inside the place: nobody else may enter that one.
        self.root = Path(tempfile.mkdtemp(prefix="tf-", dir="/tmp"))
        self.root.chmod(0o755)
        self.keys = self.place.root / f"keys-{self.account.user}"
        self.keys.mkdir(mode=0o700)
        for name in ("home", "cache", "run"):
            (self.root / name).mkdir(mode=0o700)
            os.chown(self.root / name, self.account.uid, -1)
        for name in ("hostkey", "id"):
            self.make_key(name)
        shutil.copy(self.keys / "id.pub", self.root / "authorized_keys")
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        host_key = " ".join((self.keys / "hostkey.pub").read_text().split()[:2])
        (self.keys / "known_hosts").write_text(f"[{self.address}]:{self.port} {host_key}\n")
        self.write_client()

    def make_key(self, name: str) -> None:
        for path in (self.keys / name, self.keys / f"{name}.pub"):
            path.unlink(missing_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.keys / name)]
        subprocess.run(command, check=True)

    def write_client(self, extra: str = "", names: str = "far") -> None:
        """The client's configuration; ``extra`` lines belong to the host."""
        facts = {"names": names, "address": self.address, "port": self.port, "keys": self.keys}
        text = CLIENT.format(user=self.account.user, **facts)
        (self.keys / "config").write_text(text + extra)

    def start(self) -> None:
        """Start sshd and wait until it greets."""
        env = {
            "HOME": self.root / "home",
            "XDG_CACHE_HOME": self.root / "cache",
            "XDG_RUNTIME_DIR": self.root / "run",
            MARK: self.place.mark,
            **self.env,
        }
        facts = {"port": self.port, "address": self.address, "keys": self.keys, "root": self.root}
        said = " ".join(f'"{name}={value}"' for name, value in env.items())
        config = self.keys / "sshd_config"
        config.write_text(SERVER.format(env=said, alive_s=self.alive_s, logins=self.logins, **facts))
        Path("/run/sshd").mkdir(exist_ok=True) if os.getuid() == 0 else None
        command = [self.program, "-D", "-E", str(self.keys / "sshd.log"), "-f", str(config)]
        if self.namespace:
            # Not "ip netns exec": that mounts /sys anew.
            command = ["nsenter", f"--net=/run/netns/{self.namespace}", *command]
        # A clean environment, so that nothing of this side comes along.
        self.sshd = subprocess.Popen(command, env={"PATH": os.environ["PATH"]}, stdin=subprocess.DEVNULL)
        wait_for(self._greets, "sshd greets", 10)

    def _greets(self) -> bool:
        assert self.sshd is not None and self.sshd.poll() is None, (self.keys / "sshd.log").read_text()
        try:
            with socket.create_connection((self.address, self.port), 1) as line:
                return line.recv(4) == b"SSH-"
        except OSError:
            return False

    def sessions(self) -> list[psutil.Process]:
        """sshd's own processes of logins, not what they started."""
        if self.sshd is None or self.sshd.poll() is not None:
            return []
        children = psutil.Process(self.sshd.pid).children(recursive=True)
        return [child for child in children if _name(child) == Path(self.program).name[:15]]

    def stop(self) -> None:
        """End sshd and its sessions."""
        sessions = self.sessions()
        if self.sshd is not None:
            self.sshd.terminate()
            self.sshd.wait(10)
        for session in sessions:
            try:
                session.kill()
            except psutil.Error:
                continue

    def target(self, name: str = "far", **options: Any) -> Target:
        known: dict[str, Any] = {
            "host": "far",
            "python": self.account.python,
            "ssh_args": ["-F", str(self.keys / "config")],
        }
        known["working_folder"] = False
        return Target(name, "ssh", {**known, **options})

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def cache(self) -> Path:
        return self.root / "cache" / "trackside"

    @property
    def agents(self) -> Path:
        return self.cache / "agents"

    def masters(self) -> list[Path]:
        """Sockets of shared connections of this side."""
        return sorted(self.place.runtime.glob("ssh-*"))

    def shared_connections(self) -> list[psutil.Process]:
        """ssh's own background processes on this side; they rewrite their arguments, also over the mark."""
        found = []
        for process in psutil.process_iter():
            try:
                told = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if f"{self.place.runtime}/ssh-" in told and "[mux]" in told:
                found.append(process)
        return found

    def close_shared_connections(self) -> None:
        """End the client's own processes that wait for another use."""
        for path in self.masters():
            command = ["ssh", "-o", f"ControlPath={path}", "-O", "exit", "far"]
            subprocess.run(command, capture_output=True, timeout=10, check=False)

    def close(self) -> None:
        """End all, also the client's shared connections, and remove the folders."""
        self.close_shared_connections()
        self.stop()
        wait_for(lambda: not self.shared_connections(), "no shared connection is left", 10)
        wait_for(lambda: not self.processes_there(), "the far side is quiet", 20)
        shutil.rmtree(self.root, ignore_errors=True)

    def processes_there(self) -> list[psutil.Process]:
        """Processes of this test over there: only they have that ``HOME``."""
        here = []
        for process in self.place.processes():
            try:
                if f"HOME={self.home}\0".encode() in Path(f"/proc/{process.pid}/environ").read_bytes():
                    here.append(process)
            except OSError:
                continue
        return here


class SshLab(Lab):
    """Provisions on the far side."""

    def __init__(self, place: Place, far: Far) -> None:
        super().__init__(place)
        self.far = far

    def target(self, **options: Any) -> Target:
        return self.far.target(**options)


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""
