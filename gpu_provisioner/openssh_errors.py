"""What ssh says when it fails, as a sentence and something to type.

OpenSSH does not translate its messages; every exit status but one is the remote command's.
"""

from __future__ import annotations

import re
import shlex
from typing import Optional, Tuple

from gpu_provisioner.errors import BootstrapError, LoginNeeded, ProvisionError, Unreachable
from gpu_provisioner.openssh import NOT_THERE

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126

_ASKS = r"Permission denied \([^)]*\b(?:password|keyboard-interactive)\b"
"""The server names the ways in that are left, and one of them needs a person."""

HUNG_UP = r"Connection reset|Connection closed|kex_exchange_identification|Broken pipe|banner exchange"

_KNOWN: Tuple[Tuple[str, str, str], ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "The key of {host} is not the one it had before: it was set up anew, or somebody is in between. "
        "ssh refused, and so do we.",
        "ask whoever runs it; if the change is right: {forget}, then ssh {host} and compare the fingerprint",
    ),
    (
        r"Host key verification failed|host key is known for .* and you have requested strict checking",
        "{host} has never been visited from here, so its key is not known.",
        "ssh {host} in a terminal, and compare the fingerprint it shows",
    ),
    (
        r"Could not resolve hostname|Name or service not known|nodename nor servname",
        "No host {host} is known: neither ~/.ssh/config nor the network has that name.",
        "check host = … in trackside.toml, or add Host {host} to ~/.ssh/config",
    ),
    (
        r"Permission denied|Too many authentication failures|no mutual signature|Authentication failed",
        "{host} does not let you in without a question: it refused every key that ssh offered.",
        "ssh-copy-id {host}, or ssh-add for a key with a passphrase; ssh {host} must work without a question",
    ),
    (
        r"(?i)bad configuration option|unknown option|illegal option|^usage: ssh|Bad (?:port|number|stdio)",
        "ssh does not accept the options it was given.",
        "check ssh_args in trackside.toml, and ssh -G {host}",
    ),
    (r"Connection refused", "{host} is there, but no ssh server listens.", "ssh {host}"),
    (
        r"timed out|No route to host|Network is unreachable|Host is down",
        "{host} does not answer: it is off, or the network (a VPN?) does not lead there.",
        "ssh {host}",
    ),
    (
        HUNG_UP,
        "{host} hung up before the login was done.",
        "ssh -v {host}",
    ),
)
"""(what ssh writes, what that means, what to do); the first that fits."""


def explain(host: str, python: str, complaint: str, status: Optional[int]) -> Optional[ProvisionError]:
    """The failure of an ``ssh`` before a word of ours came over it; ``None`` when it is not known.

    Args:
        complaint: the end of its stderr.
        status: its exit status, ``None`` when it still runs.
    """
    if status == NOT_THERE:
        if re.search(_ASKS, complaint):
            return LoginNeeded(
                f"{host} asks for a password or a second factor, and nobody was asked to type one.",
                f"ssh-copy-id {host}",
            )
        for pattern, meaning, remedy in _KNOWN:
            if re.search(pattern, complaint, re.MULTILINE):
                forget = _forget_key(host, complaint)
                return Unreachable(
                    _quoting(meaning.format(host=host), complaint), remedy.format(host=host, forget=forget)
                )
        return Unreachable(_quoting(f"ssh did not get to {host}.", complaint), f"ssh {host}")
    if status == _NOT_FOUND:
        return BootstrapError(
            f"{host} has no {python} where a login without a terminal looks for programs.",
            'name it in trackside.toml: python = "/path/to/python3"',
        )
    if status == _NOT_EXECUTABLE:
        return BootstrapError(
            f"{python} on {host} cannot be run.",
            'name another in trackside.toml: python = "/path/to/python3"',
        )
    return None


def _forget_key(host: str, complaint: str) -> str:
    """The command that removes the old key: the entry ssh stumbled over, whatever its name and file."""
    entry = re.search(r"^Host key for (\S+) has changed", complaint, re.MULTILINE)
    file = re.search(r"^Offending .*key in (.+):\d+\s*$", complaint, re.MULTILINE)
    words = ["ssh-keygen", *(["-f", file.group(1)] if file else []), "-R", entry.group(1) if entry else host]
    return shlex.join(words)


def _quoting(meaning: str, complaint: str) -> str:
    """The sentence, and what ssh itself said last (without its ``@@@`` frames)."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip().strip("@")]
    return f"{meaning} (ssh: {lines[-1].rstrip('.')[:200]}.)" if lines else meaning
