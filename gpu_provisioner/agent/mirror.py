"""The near side's working folder over here: written as it comes, never over what was changed here."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path, PurePosixPath
from typing import Any, Callable, Dict, List, Mapping, Optional, Set, Tuple

from gpu_provisioner import wire
from gpu_provisioner.agent.places import cache_root, private_folder, read_json, write_private

_STATE = ".trackside-mirror.json"


def work_folder(name: str, environ: Mapping[str, str]) -> Path:
    """``<cache>/trackside/work/<name>``; one folder for all kernels of a notebook folder, and it stays."""
    if not name or not all(sign.isascii() and (sign.isalnum() or sign == "-") for sign in name):
        raise ValueError(f"not the name of a working folder: {name!r}")
    return cache_root(environ) / "work" / name


def prepare(root: Path, cwd: str) -> Path:
    """Make the folder, and the one in it that the kernel starts in, which is returned."""
    private_folder(root)
    path = root.joinpath(*_parts(cwd)) if cwd not in ("", ".") else root
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


class MirroredFolder:
    """Applies the near side's file records under ``root``.

    Args:
        notice: told, in a sentence, what was not written.
    """

    def __init__(self, root: Path, notice: Callable[[str], None]) -> None:
        self._root, self._notice = root, notice
        self._ours: Dict[str, str] = dict(read_json(root / _STATE) or {})
        """Path → SHA-256 of what was written here last. Another agent may write the same folder."""
        self._unsaved = False
        self._told: Set[str] = set()

    def apply(self, parts: List[bytes]) -> None:
        """One record: ``{path, digest, mtime_ns, executable}`` and the bytes, or ``{path, gone: true}``."""
        try:
            head = wire.from_json(parts[0])
            path = self._place(str(head["path"]))
            self._apply(str(head["path"]), path, head, parts[1])
        except (OSError, ValueError, KeyError, IndexError, wire.WireError) as error:
            self._tell(f"A file of the working folder was not written: {error}")

    def save(self) -> None:
        """Write down what was written, if anything was."""
        if self._unsaved:
            self._unsaved = False
            try:
                write_private(self._root / _STATE, json.dumps(self._ours).encode())
            except OSError as error:
                self._tell(f"The working folder's list cannot be written: {error}")

    def _apply(self, name: str, path: Path, head: Mapping[str, Any], data: bytes) -> None:
        here = _digest(path)
        wanted = None if head.get("gone") else str(head["digest"])
        if wanted is not None and hashlib.sha256(data).hexdigest() != wanted:
            raise ValueError(f"{name} arrived damaged")
        if here == wanted:
            pass
        elif here is not None and here != self._ours.get(name):
            self._notice(f"{name} was changed over there; it is left as it is, and yours was not copied.")
            return
        elif wanted is None:
            path.unlink()
        else:
            _write(path, data, int(head["mtime_ns"]), bool(head.get("executable")))
        self._unsaved = True
        if wanted is None:
            self._ours.pop(name, None)
        else:
            self._ours[name] = wanted

    def _place(self, name: str) -> Path:
        """Where ``name`` belongs. No link on the way is followed: it could lead out of the folder."""
        path = self._root
        for part in _parts(name):
            if path.is_symlink():
                raise ValueError(f"{path} is a link")
            path = path / part
        if path.name == _STATE:
            raise ValueError(f"{name} is not a name for a file")
        return path

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._notice(text)


def _parts(name: str) -> Tuple[str, ...]:
    parts = PurePosixPath(name).parts
    if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\0" in name:
        raise ValueError(f"{name!r} is not a path in the working folder")
    return parts


def _digest(path: Path) -> Optional[str]:
    """SHA-256 of a file; ``None`` when nothing is there; ``""`` for what is no regular file."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return ""
    except FileNotFoundError:
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write(path: Path, data: bytes, mtime_ns: int, executable: bool) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    mode = 0o700 if executable else 0o600
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.utime(temporary, ns=(mtime_ns, mtime_ns))
    temporary.replace(path)
