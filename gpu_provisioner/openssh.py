"""OpenSSH's own client, with the user's configuration, keys, agent and jump hosts: how it is called.

Argument lists only. The remote command is one argument, quoted for the shell over there; a host with
characters that a shell or a ``ProxyCommand`` could take for its own is refused.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import pwd
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

from gpu_provisioner.agent.places import UnsafeFolder, private_folder, runtime_folder
from gpu_provisioner.errors import ProviderError

_HOST = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9_.:@%/\[\]+-]{0,254}")
_CALM = (
    # No question may wait for an answer that nobody can type, and none of the user's forwards comes along.
    "BatchMode=yes",
    "ClearAllForwardings=yes",
    "ForwardX11=no",
    "RemoteCommand=none",
    "PermitLocalCommand=no",
    "ConnectTimeout=10",
    # A dead line is noticed after 30 s; the agent's own pings notice it as well.
    "ServerAliveInterval=10",
    "ServerAliveCountMax=3",
    "LogLevel=ERROR",
)
_KEPT_S = 60
"""How long a shared connection is kept after its last use."""

_QUESTION_LIMIT_S = 10.0
_PROBE_LIMIT_S = 2.0
_SOCKET_LIMIT = 107 - 17
"""ssh binds its control socket under a temporary name, 17 characters longer (mux.c)."""


@dataclass(frozen=True)
class SshHost:
    """A host as ``ssh`` knows it, and arguments of the user's that come before ours."""

    host: str
    args: Tuple[str, ...] = ()

    def check(self) -> None:
        """Raises ``ProviderError`` when the name or the arguments cannot be meant."""
        if not _HOST.fullmatch(self.host):
            raise ProviderError(
                f"{self.host!r} cannot be the name of an SSH host; nothing was tried.",
                'host = "NAME" as in ~/.ssh/config, or "user@address"',
            )
        if self.args and not self.args[0].startswith("-"):
            raise ProviderError(
                f"ssh_args must begin with an option, not with {self.args[0]!r}; nothing was tried.",
                'ssh_args = ["-p", "2222"]',
            )

    def argv(self, command: Sequence[str]) -> List[str]:
        """What to run here so that ``command`` runs there."""
        self.check()
        options = [part for option in (*_CALM, *self._sharing()) for part in ("-o", option)]
        return ["ssh", *self.args, *options, "-T", "--", self.host, shlex.join(command)]

    def _sharing(self) -> Tuple[str, ...]:
        """One connection for all that goes to this host, unless the user's configuration has a say in it.

        A shared connection that does not answer (a machine that slept, a network that changed) is left to
        its own end, and a connection of its own is made.
        """
        if self._is_shared_by_user():
            return ()
        path = self.control_path()
        if path is None:
            return ()
        ours = ("ControlMaster=auto", f"ControlPath={path}", f"ControlPersist={_KEPT_S}")
        if not path.exists() or self._answers(path):
            return ours
        return ("ControlMaster=no", "ControlPath=none")

    def control_path(self) -> Optional[Path]:
        """Our socket of the connection to this host; ``None`` when there is no safe or short enough place."""
        digest = hashlib.sha256(json.dumps([self.host, *self.args]).encode()).hexdigest()[:12]
        try:
            folder = private_folder(runtime_folder("ssh", os.environ).parent)
        except (UnsafeFolder, OSError):
            return None
        path = folder / f"ssh-{digest}"
        return path if len(os.fsencode(path)) <= _SOCKET_LIMIT and "%" not in str(path) else None

    def _is_shared_by_user(self) -> bool:
        done = self._run(["-G", "--", self.host], _QUESTION_LIMIT_S)
        if done is None:
            raise ProviderError("ssh does not finish reading its configuration.", f"ssh -G {self.host}")
        if done.returncode:
            raise ProviderError(
                f"ssh does not accept its configuration for {self.host}: {_last_line(done.stderr)}",
                f"ssh -G {self.host}",
            )
        said = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
        return said.get("controlpath", "none") != "none"

    def _answers(self, path: Path) -> bool:
        """Whether the shared connection, if there is one, answers; ``-O check`` asks only its local end."""
        at = ["-o", f"ControlPath={path}", "-o", "ControlMaster=no"]
        check = self._run([*at, "-O", "check", "--", self.host], _PROBE_LIMIT_S)
        if check is None or check.returncode:
            return check is not None  # Nobody there: ssh replaces the socket.
        probe = self._run([*at, "-o", "BatchMode=yes", "-T", "--", self.host, "exit 0"], _PROBE_LIMIT_S)
        return probe is not None

    def _run(self, arguments: Sequence[str], limit_s: float) -> Optional[subprocess.CompletedProcess[str]]:
        """A short call of ssh; ``None`` when it does not end in time."""
        try:
            return subprocess.run(
                ["ssh", *self.args, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None
        except OSError as error:
            raise ProviderError(
                f"ssh cannot be run here: {error.strerror}.", "install OpenSSH's client (openssh-client)"
            ) from None


def ssh_config_path() -> Path:
    """The user's own; like ssh, from the password database and not from ``$HOME``."""
    return Path(pwd.getpwuid(os.getuid()).pw_dir) / ".ssh" / "config"


def configured_hosts(path: Optional[Path] = None) -> List[str]:
    """Names of ``Host`` lines without wildcards, in order, ``Include`` followed (ssh_config(5))."""
    path = path or ssh_config_path()
    return list(dict.fromkeys(_hosts(path, path.parent, depth=0)))


def _hosts(path: Path, folder: Path, depth: int) -> Iterator[str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        found = re.match(r"\s*(host|include)(?:\s*=\s*|\s+)(.+)", line, re.IGNORECASE)
        if not found:
            continue
        try:
            words = shlex.split(found.group(2), comments=True)
        except ValueError:
            continue
        if found.group(1).lower() == "host":
            yield from (word for word in words if not set(word) & set("*?!"))
        elif depth < 16:
            for word in words:
                pattern = str(folder / Path(word).expanduser())
                for name in sorted(glob.glob(pattern)):  # noqa: PTH207 - the pattern may be absolute
                    yield from _hosts(Path(name), folder, depth + 1)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it does not say why."
