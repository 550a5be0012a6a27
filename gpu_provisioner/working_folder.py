"""The notebook's folder, as far as it goes along to a machine that does not see it.

Inside a git repository: what git tracks, and what it does not ignore unless it is hidden (``.env`` stays
here). Without git: the Python files beside the notebook. Files that are too large stay here and are named.
"""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from gpu_provisioner import wire
from gpu_provisioner.model import Lease

FILE_LIMIT = 8 << 20
TOTAL_LIMIT = 64 << 20
"""Bytes of one file, and of all of them."""

_GIT_LIMIT_S = 10.0

Post = Callable[[int, Sequence[bytes]], object]
"""``Holder.post(channel, parts)``."""


@dataclass(frozen=True)
class WorkingFolder:
    """What is mirrored: ``root`` here, and where in it the notebook works (relative, ``.`` for the root)."""

    root: Path
    cwd: str = "."
    git: bool = False

    @classmethod
    def around(cls, folder: Path, home: Optional[Path] = None) -> WorkingFolder:
        """The folder a notebook in ``folder`` needs.

        Args:
            home: the user's home folder. A repository that holds all of it does not go along.
        """
        folder = folder.resolve()
        home = (home or Path.home()).resolve()
        said = _git(folder, "rev-parse", "--show-toplevel")
        root = Path(said.strip()).resolve() if said else None
        if root is None or root == home or root in home.parents:
            return cls(folder)
        return cls(root, folder.relative_to(root).as_posix(), True)

    @property
    def name(self) -> str:
        """Of the folder over there: the same for every notebook in this one, another for every other."""
        digest = hashlib.sha256(f"{socket.gethostname()}:{self.root}".encode()).hexdigest()[:8]
        safe = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in self.root.name)
        return f"{safe.strip('-')[:40] or 'work'}-{digest}".lower()

    def files(self) -> List[str]:
        """Relative paths, sorted; of regular files only (a link may lead anywhere)."""
        if not self.git:
            return sorted(path.name for path in self.root.glob("*.py") if _is_regular(path))
        tracked = _names(_git(self.root, "ls-files", "-z"))
        others = _names(_git(self.root, "ls-files", "-z", "--others", "--exclude-standard"))
        shown = (
            name for name in others if not any(part.startswith(".") for part in PurePosixPath(name).parts)
        )
        return sorted(name for name in {*tracked, *shown} if _is_regular(self.root / name))


@dataclass
class Mirror:
    """Sends what has changed since it looked last, over the same line and before the cell that needs it.

    Args:
        post: takes records, in order.
    """

    folder: WorkingFolder
    post: Post
    _sent: Dict[str, Tuple[Tuple[int, int], str]] = field(default_factory=dict)
    """Path → ((mtime in ns, size), SHA-256) as posted."""
    _told: set[str] = field(default_factory=set)
    _sending: threading.Lock = field(default_factory=threading.Lock)

    def send_changes(self) -> List[str]:
        """Post what is new, changed or gone; sentences about what stays here, each once. Any thread."""
        with self._sending:
            return self._send_changes()

    def _send_changes(self) -> List[str]:
        sizes: Dict[str, os.stat_result] = {}
        notes: List[str] = []
        total = 0
        for name in self.folder.files():
            try:
                facts = (self.folder.root / name).lstat()
            except OSError:
                continue
            total += facts.st_size
            if facts.st_size > FILE_LIMIT or total > TOTAL_LIMIT:
                total -= facts.st_size
                notes += self._once(f"{name} ({facts.st_size / 1e6:.0f} MB) is too large to go along.")
            else:
                sizes[name] = facts
        for name, facts in sizes.items():
            self._send(name, facts)
        for name in [name for name in self._sent if name not in sizes]:
            del self._sent[name]
            self._post({"path": name, "gone": True}, b"")
        return notes

    def _send(self, name: str, facts: os.stat_result) -> None:
        mark = (facts.st_mtime_ns, facts.st_size)
        known = self._sent.get(name)
        if known is not None and known[0] == mark:
            return
        try:
            data = (self.folder.root / name).read_bytes()
        except OSError:
            return
        digest = hashlib.sha256(data).hexdigest()
        self._sent[name] = (mark, digest)
        if known is not None and known[1] == digest:
            return
        executable = bool(facts.st_mode & stat.S_IXUSR)
        head = {"path": name, "digest": digest, "mtime_ns": facts.st_mtime_ns, "executable": executable}
        self._post(head, data)

    def _post(self, head: Mapping[str, object], data: bytes) -> None:
        self.post(wire.FILE, [wire.to_json(dict(head)), data])

    def _once(self, note: str) -> List[str]:
        if note in self._told:
            return []
        self._told.add(note)
        return [note]


def mirror_of_lease(lease: Lease, post: Post) -> Optional[Mirror]:
    """The mirror that ``lease`` needs here; ``None`` when its machine has no working folder, or we have not.

    A lease may be attached from another folder, or another machine: that folder is not sent in place of it.
    """
    here = lease.handle.get("work_here")
    if not here or not Path(here["root"]).is_dir():
        return None
    folder = WorkingFolder(Path(here["root"]), str(here["cwd"]), bool(here["git"]))
    return Mirror(folder, post) if folder.name == lease.handle["agent"].get("work") else None


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _names(said: Optional[str]) -> List[str]:
    return [name for name in (said or "").split("\0") if name]


def _git(folder: Path, *arguments: str) -> Optional[str]:
    """What git says; ``None`` without git, outside a repository, or when it takes too long."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return os.fsdecode(done.stdout) if done.returncode == 0 else None
