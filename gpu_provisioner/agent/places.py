"""Where things lie on the machine the kernel runs on.

Folders are 0700 and must belong to us: ``/tmp`` is shared, and whoever could put a socket of his own where
ours is expected would run code as us.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO, Dict, Mapping, Optional

SOCKET_PATH_LIMIT = 107
"""Bytes of a Unix socket's path, less the final NUL (``sun_path`` in unix(7))."""

_LONGEST_SOCKET_NAME = len("/k00000000-forks")
_LEASE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,80}")


class UnsafeFolder(PermissionError):
    """A folder that must be private belongs to, or can be written by, somebody else.

    An ``OSError``, so that whoever says what a folder that cannot be written means says it of this one.
    """

    def __init__(self, what: str) -> None:
        super().__init__(errno.EPERM, what)

    def __str__(self) -> str:
        return str(self.strerror)


def is_lease_id(text: str) -> bool:
    """Whether ``text`` may be used as a lease id, and so as a folder name."""
    return _LEASE_ID.fullmatch(text) is not None


def cache_root(environ: Mapping[str, str]) -> Path:
    """``<cache>/trackside`` for a process with that environment. Not created.

    A relative ``$XDG_CACHE_HOME`` is ignored, as specifications.freedesktop.org/basedir-spec has it.
    """
    cache = environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(cache):  # noqa: PTH117 - a text that may be empty
        return Path(cache) / "trackside"
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "trackside"


def agent_folder(lease_id: str, environ: Mapping[str, str]) -> Path:
    """``<cache>/trackside/agents/<lease_id>``. Not created; the id is validated."""
    if not is_lease_id(lease_id):
        raise ValueError(f"not a lease id: {lease_id!r}")
    return cache_root(environ) / "agents" / lease_id


def payload_folder(digest: str, environ: Mapping[str, str]) -> Path:
    return cache_root(environ) / "payload" / digest


def runtime_folder(lease_id: str, environ: Mapping[str, str]) -> Path:
    """The folder of the lease's sockets: under ``$XDG_RUNTIME_DIR`` when that exists and is short enough."""
    name = hashlib.sha256(lease_id.encode()).hexdigest()[:8]
    base = environ.get("XDG_RUNTIME_DIR")
    if base and Path(base).is_dir():
        folder = Path(base) / "trackside" / name
        if len(os.fsencode(folder)) + _LONGEST_SOCKET_NAME <= SOCKET_PATH_LIMIT:
            return folder
    return Path("/tmp") / f"trackside-{os.getuid()}" / name


def private_folder(path: Path) -> Path:
    """Create ``path`` (0700) with its parents, and check that nobody else can enter it.

    Raises:
        UnsafeFolder: when the folder, or the one it lies in, belongs to somebody else.
    """
    if not path.parent.exists():
        private_folder(path.parent)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    facts = path.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
        raise UnsafeFolder(f"{path} must be a folder that belongs to you; it does not")
    if facts.st_mode & 0o077 and (
        path.name.startswith("trackside") or path.parent.name.startswith("trackside")
    ):
        path.chmod(0o700)
    return path


def private_file(path: Path, flags: int) -> BinaryIO:
    """Open a file for writing, 0600 from its first moment. ``flags``: ``os.O_APPEND`` or ``os.O_TRUNC``."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600), "wb")


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step, 0600. Several threads and processes may do so at once."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        with private_file(temporary, os.O_TRUNC) as file:
            file.write(content)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Optional[Dict[str, Any]]:
    """The JSON object in a file, ``None`` when it is missing, damaged or no file at all.

    A pipe of that name is not waited for.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            content = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def boot_id() -> Optional[str]:
    """What tells this boot of the machine from another (random(4)); ``None`` where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None


def process_birth(pid: int) -> Optional[str]:
    """Something that tells this process from a later one with the same id; ``None`` when there is none.

    On Linux the start time in clock ticks since boot (proc(5), field 22) together with the boot's id;
    a zombie counts as no process.
    """
    boot = boot_id()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if fields[0] in "ZX":
            return None
        if boot is not None:
            return f"{boot}-{fields[19]}"
    except (OSError, IndexError):
        pass
    if Path("/proc/self").is_dir():
        return None
    try:
        os.kill(pid, 0)
    except OSError:
        return None
    return "alive"


def agent_facts(folder: Path) -> Optional[Dict[str, Any]]:
    """What a *living* agent wrote about itself (``agent.json``), ``None`` when none lives."""
    facts = read_json(folder / "agent.json")
    if facts is None or process_birth(int(facts.get("pid", 0))) != facts.get("birth"):
        return None
    return facts
