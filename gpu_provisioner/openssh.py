"""OpenSSH's own client, with the user's configuration, keys, agent and jump hosts: how it is called.

Argument lists only. The remote command is one argument, quoted for the shell over there; a host with
characters that a shell or a ``ProxyCommand`` could take for its own is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shlex
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from gpu_provisioner.agent.places import private_folder, runtime_folder
from gpu_provisioner.errors import LoginNeeded, ProviderError
from gpu_provisioner.openssh_jump import calm_jump

_HOST = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9_.:@%/\[\]+-]{0,254}")
_PLAIN = (
    # None of the user's forwards comes along.
    "ClearAllForwardings=yes",
    "ForwardX11=no",
    "RemoteCommand=none",
    "PermitLocalCommand=no",
)
_CALM = (
    # No question may wait for an answer that nobody can type.
    "BatchMode=yes",
    *_PLAIN,
    "ConnectTimeout=10",
    # A dead line is noticed after 30 s; the agent's own pings notice it as well.
    "ServerAliveInterval=10",
    "ServerAliveCountMax=3",
    "LogLevel=ERROR",
)
_KEPT_S = 60
"""How long a shared connection is kept after its last use."""

LOGIN_KEPT_S = 8 * 3600
"""The same, when a person had to type something for it."""

_ASKING = (
    "BatchMode=no",
    "NumberOfPasswordPrompts=3",
    *_PLAIN,
    "ConnectTimeout=20",
    # A person's login is worth waiting for: an outage of less than an hour does not cost it, unless TCP
    # itself gives up on bytes it has sent (after about 15 minutes, tcp_retries2 in tcp(7)).
    "ServerAliveInterval=30",
    "ServerAliveCountMax=120",
    "TCPKeepAlive=no",
    # What the machine says before it asks ("1. Push, 2. SMS") comes at this level.
    "LogLevel=INFO",
)

NOT_THERE = 255
"""ssh's own exit status, for whatever kept it from running the command (ssh(1), *EXIT STATUS*)."""

_QUESTION_LIMIT_S = 10.0
_PROBE_LIMIT_S = 2.0
_TRUSTED_S = 2.0
"""For so long a machine that has answered counts as one that answers. Asking costs two round trips."""
_SOCKET_LIMIT = 107 - 17
"""ssh binds its control socket under a temporary name, 17 characters longer (mux.c)."""


_answered: Dict[Path, float] = {}
"""Socket of a shared connection → when its machine answered last, by :func:`_now`."""


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
        """What to run here so that ``command`` runs there, without any question.

        Raises:
            LoginNeeded: it is known that somebody would have to type something first.
        """
        self.check()
        return self._calm_argv(shlex.join(command))

    def _calm_argv(self, command: str) -> List[str]:
        settings = self._settings()
        options = (*_CALM, *self._sharing(_is_shared(settings)), *calm_jump(settings, self.args))
        return ["ssh", *self.args, *_options(options), "-T", "--", self.host, command]

    def _sharing(self, by_user: bool) -> Tuple[str, ...]:
        """One connection for all that goes to this host, unless the user's configuration has a say in it.

        A shared connection that does not answer (a machine that slept, a network that changed) is left to
        its own end, and a connection of its own is made; unless that would have to ask.
        """
        path = None if by_user else self.control_path()
        at = _at(path)
        if self.is_known_to_ask():
            if not self._has_master(at):
                raise LoginNeeded(
                    f"{self.host} asks for a password or a second factor, and the login of before has ended.",
                    f"ssh-copy-id {self.host}, or log in again",
                )
            return at
        if path is None:
            return ()
        if path.exists() and not _is_trusted(path) and self._has_master(at) and self._echo(at) is None:
            return ("ControlMaster=no", "ControlPath=none")
        return ("ControlMaster=auto", f"ControlPath={path}", f"ControlPersist={_KEPT_S}")

    def has_answered(self) -> None:
        """It has just answered: who reaches for it at once need not ask whether it does.

        Not for whoever lost a line: an answer of a moment ago says nothing then.
        """
        path = self.control_path()
        if path is not None:
            _answered[path] = _now()

    def control_folder(self) -> Optional[Path]:
        """The folder of our sockets, 0700; ``None`` when there is no safe one."""
        try:
            return private_folder(runtime_folder("ssh", os.environ).parent)
        except OSError:
            return None

    def control_path(self) -> Optional[Path]:
        """Our socket of the connection to this host; ``None`` when there is no safe or short enough place."""
        digest = hashlib.sha256(json.dumps([self.host, *self.args]).encode()).hexdigest()[:12]
        folder = self.control_folder()
        if folder is None:
            return None
        path = folder / f"ssh-{digest}"
        return path if len(os.fsencode(path)) <= _SOCKET_LIMIT and "%" not in str(path) else None

    # ------------------------------------------------------------------ logins that ask

    def login_argv(self, command: str) -> List[str]:
        """A login that may ask, and whose connection is kept for the carriers.

        Raises:
            LoginNeeded: there is no place for that connection, so every carrier would have to ask again.
        """
        self.check()
        keep = ["ControlMaster=auto", f"ControlPersist={LOGIN_KEPT_S}"]
        settings = self._settings()
        if _is_shared(settings):
            keep = keep if settings.get("controlpersist", "no") == "no" else keep[:1]
        else:
            path = self.control_path()
            if path is None:
                raise LoginNeeded(
                    f"{self.host} asks for a password or a second factor, but the path for the connection "
                    "that would be kept is too long for a socket.",
                    "set XDG_RUNTIME_DIR to a short path that belongs to you",
                )
            keep.append(f"ControlPath={path}")
        return ["ssh", *self.args, *_options((*_ASKING, *keep)), "-T", "--", self.host, command]

    def is_known_to_ask(self) -> bool:
        """Whether the last login from here had to ask: then nothing but a new one would help."""
        mark = self._mark_of_asking()
        return mark is not None and mark.exists()

    def remember_asking(self, asked: bool) -> None:
        """Put down whether a login had to ask (until the next one, or a reboot)."""
        mark = self._mark_of_asking()
        if mark is not None and asked:
            mark.touch(mode=0o600)
        elif mark is not None:
            mark.unlink(missing_ok=True)

    def answers(self) -> bool:
        """Whether there is a shared connection, and the machine answers over it."""
        self.check()
        at = self._at_master()
        return self._has_master(at) and self._echo(at) not in (None, NOT_THERE)

    def has_connection(self) -> bool:
        """Whether there is a shared connection; the machine need not answer just now."""
        self.check()
        return self._has_master(self._at_master())

    def hang_up(self) -> None:
        """End the shared connection, if there is one."""
        self._run([*_options(self._at_master()), "-O", "exit", "--", self.host], _PROBE_LIMIT_S)

    def run_there(self, command: str, limit_s: float) -> Optional[subprocess.CompletedProcess[str]]:
        """A command over there, without any question; ``None`` when it takes too long."""
        return self._run(self._calm_argv(command)[1 + len(self.args) :], limit_s)

    def _mark_of_asking(self) -> Optional[Path]:
        path = self.control_path()
        return path.with_name(f"asks-{path.name}") if path is not None else None

    # ------------------------------------------------------------------ questions to ssh itself

    def jump_hosts(self) -> str:
        """Through which other machines the way leads, as ``ProxyJump`` has them; ``""`` for none."""
        jump = self._settings().get("proxyjump", "none")
        return "" if jump == "none" else jump

    def _settings(self) -> Mapping[str, str]:
        """What ssh makes of the user's configuration for this host (``ssh -G``)."""
        done = self._run(["-G", "--", self.host], _QUESTION_LIMIT_S)
        if done is None:
            raise ProviderError("ssh does not finish reading its configuration.", f"ssh -G {self.host}")
        if done.returncode:
            raise ProviderError(
                f"ssh does not accept its configuration for {self.host}: {_last_line(done.stderr)}",
                f"ssh -G {self.host}",
            )
        return dict(line.partition(" ")[::2] for line in done.stdout.splitlines())

    def _at_master(self) -> Tuple[str, ...]:
        return _at(None if _is_shared(self._settings()) else self.control_path())

    def _has_master(self, at: Sequence[str]) -> bool:
        """Whether a process here holds a shared connection; ``-O check`` asks only that local end."""
        check = self._run([*_options(at), "-O", "check", "--", self.host], _PROBE_LIMIT_S)
        return check is None or check.returncode == 0

    def _echo(self, at: Sequence[str]) -> Optional[int]:
        """The exit status of a command over the shared connection; ``None``: the machine does not answer."""
        quiet = _options((*at, "BatchMode=yes"))
        probe = self._run([*quiet, "-T", "--", self.host, "exit 0"], _PROBE_LIMIT_S)
        return None if probe is None else probe.returncode

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


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it does not say why."


def _is_trusted(path: Path) -> bool:
    return 0.0 <= _now() - _answered.get(path, -math.inf) < _TRUSTED_S


def _now() -> float:
    """Seconds that go on while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.time() if clock is None else time.clock_gettime(clock)


def _is_shared(settings: Mapping[str, str]) -> bool:
    """Whether the user's own configuration says where connections are shared."""
    return settings.get("controlpath", "none") != "none"


def _at(path: Optional[Path]) -> Tuple[str, ...]:
    """Options that lead to a shared connection and never begin one; ``None``: where the user has it."""
    return ("ControlMaster=no", *((f"ControlPath={path}",) if path is not None else ()))


def _options(settings: Sequence[str]) -> List[str]:
    return [part for setting in settings for part in ("-o", setting)]
