"""Files over a carrier of their own: however large, they never stand before a cell's output.

After ``{"attached": true}`` the carrier is a pipe to this process and not to the agent. Frames as on the Link
(:mod:`gpu_provisioner.wire`), with three tags: ``W`` and ``E`` (JSON: what a file begins and ends with) and
``D`` (bytes); ``X`` (JSON: error, remedy) is a refusal. Nothing is remembered here between two carriers but
the files themselves: whoever asks again says how much he has, or is told how much is here.

Runs as ``python -I -S``: standard library only, Python 3.9.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Tuple

from gpu_provisioner import wire
from gpu_provisioner.agent.attach import widen_pipe
from gpu_provisioner.agent.places import agent_folder, private_folder

PIECE_BYTES = 1 << 20
END = b"E"
EXCHANGE = "exchange"
"""In the agent's folder: variables on their way; see :mod:`gpu_provisioner.agent.variables`."""

_NEED = "needed"
"""A file in the agent's folder; its time is when bytes of a transfer last moved."""
_NEED_EVERY_S, _NEED_LASTS_S = 1.0, 5.0

_PARCEL_NAME = re.compile(r"[0-9a-f]{16,64}")


class Refused(Exception):
    """Cannot be done over here, and will not be done by trying again: a sentence."""


def exchange_file(folder: Path, name: str) -> Path:
    """The file of a parcel in an agent's folder; ``ValueError`` for what is no name of one."""
    if not _PARCEL_NAME.fullmatch(name):
        raise ValueError(f"not the name of a parcel: {name!r}")
    return folder / EXCHANGE / name


def is_needed(folder: Path) -> bool:
    """Whether a transfer moves bytes for the agent of this folder: its machine must stay until it is done."""
    try:
        age_s = time.time() - (folder / _NEED).stat().st_mtime
    except OSError:
        return False
    return abs(age_s) < _NEED_LASTS_S


class _Need:
    """Has :func:`is_needed` say so; called with each piece, so that a line that hangs keeps no machine."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NEED
        self._said_at = float("-inf")

    def __call__(self) -> None:
        if time.monotonic() - self._said_at < _NEED_EVERY_S:
            return
        self._said_at = time.monotonic()
        with contextlib.suppress(OSError):
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            os.utime(handle)
            os.close(handle)


def listing(header: Mapping[str, Any]) -> Dict[str, Any]:
    """What ``header["path"]`` is: ``{root, folder, files: [{path, size, mtime_ns, executable}], left}``.

    ``path`` of a file is relative to ``root``, the folder itself or the one the file lies in. Links inside a
    folder may lead anywhere and are not followed; they, what is no file, and what may not be read are named
    in ``left``.
    ``{"error": sentence}`` when there is nothing.
    """
    path = Path(str(header["path"]))
    try:
        if not path.is_dir():
            facts = path.stat()
            if not stat.S_ISREG(facts.st_mode):
                return {"error": f"{path} is neither a file nor a folder."}
            return {
                "root": str(path.parent),
                "folder": False,
                "files": [_entry(path.name, facts)],
                "left": [],
            }
        files: List[Dict[str, Any]] = []
        left: List[str] = []
        for name, facts in _walk(path, left):
            if stat.S_ISREG(facts.st_mode) and os.access(path / name, os.R_OK):
                files.append(_entry(name, facts))
            else:
                left.append(name)
    except OSError as error:
        return {"error": f"{path} cannot be read there: {error.strerror}."}
    return {"root": str(path), "folder": True, "files": files, "left": left}


def fetch(header: Mapping[str, Any]) -> None:
    """Send ``header["files"]``, each ``{path, offset}`` under ``header["root"]``, one after the other.

    For each: ``W`` (path, size, mtime_ns), the bytes from ``offset``, ``E`` (digest: SHA-256 of the whole,
    changed: whether somebody wrote to it meanwhile). ``header["parcel"]`` instead of ``files``: one parcel.
    """
    root = Path(str(header.get("root", "/")))
    folder = agent_folder(str(header["lease"]), os.environ)
    if "parcel" in header:
        root = exchange_file(folder, str(header["parcel"])).parent
    need = _Need(folder)
    for each in header["files"]:
        _send_file(root / str(each["path"]), str(each["path"]), int(each["offset"]), need)


def store(header: Mapping[str, Any]) -> None:
    """Take a parcel: ``header`` has its name (``parcel``), its size (``bytes``) and its digest (``sha256``).

    ``W`` says how much of it is here; then come ``D`` frames from there; ``E`` says that it is whole.
    A former carrier that is not dead yet may write as well: the same bytes to the same places.
    """
    folder = agent_folder(str(header["lease"]), os.environ)
    if not folder.is_dir():
        raise Refused("the kernel's agent has no folder any more")
    path = exchange_file(folder, str(header["parcel"]))
    private_folder(path.parent)
    size, need = int(header["bytes"]), _Need(folder)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "r+b", buffering=0) as file:
        at = min(os.fstat(file.fileno()).st_size, size)
        _put(wire.WELCOME, wire.to_json({"offset": at}))
        for piece in _pieces(size - at):
            written = 0
            while written < len(piece):
                written += os.pwrite(file.fileno(), piece[written:], at + written)
            at += len(piece)
            need()
        digest = _digest(file, size, need).hexdigest()
    if digest != header["sha256"]:
        path.unlink()
        raise Refused("it arrived damaged and was thrown away")
    _put(END, wire.to_json({"digest": digest}))


STREAMS: Dict[str, Callable[[Mapping[str, Any]], None]] = {"fetch": fetch, "store": store}
"""By the header's ``mode``."""


def serve(header: Mapping[str, Any]) -> None:
    """Act on the header; what cannot be done is said as a refusal."""
    widen_pipe(1)
    try:
        STREAMS[header["mode"]](header)
    except BrokenPipeError:
        return
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _refuse(f"{error.strerror or error}{where}")
    except (Refused, ValueError, KeyError, wire.WireError) as error:
        _refuse(str(error))


def _refuse(why: str) -> None:
    try:
        _put(wire.REFUSAL, wire.to_json({"error": why}))
    except OSError:
        pass  # Nobody is there to be told.


def _send_file(path: Path, name: str, offset: int, need: _Need) -> None:
    with path.open("rb", buffering=0) as file:
        before = os.fstat(file.fileno())
        _put(
            wire.WELCOME,
            wire.to_json({"path": name, "size": before.st_size, "mtime_ns": before.st_mtime_ns}),
        )
        # What the other side has already is read again, so that the digest is of the whole.
        at = min(offset, before.st_size)
        digest = _digest(file, at, need)
        while at < before.st_size:
            piece = file.read(min(PIECE_BYTES, before.st_size - at))
            if not piece:
                raise Refused(f"{path} became shorter while it was read")
            digest.update(piece)
            at += len(piece)
            _put(wire.DATA, piece)
            need()
        after = os.fstat(file.fileno())
        if not after.st_size and file.read(1):
            raise Refused(f"{path} says that it is empty and is not (as files of /proc do); copy it first")
    changed = (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size)
    _put(END, wire.to_json({"digest": digest.hexdigest(), "changed": changed}))


def _digest(file: Any, size: int, need: _Need) -> Any:
    """The hash of the first ``size`` bytes; the file is then at ``size``."""
    digest = hashlib.sha256()
    file.seek(0)
    while size > 0:
        piece = file.read(min(PIECE_BYTES, size))
        if not piece:
            raise Refused("a file became shorter while it was read")
        digest.update(piece)
        size -= len(piece)
        need()
    return digest


def _pieces(size: int) -> Iterator[wire.Buffer]:
    """Bytes of the ``D`` frames that come in, until there are ``size`` of them."""
    frames = wire.FrameReader()
    while size > 0:
        data = os.read(0, PIECE_BYTES)
        if not data:
            raise BrokenPipeError  # The carrier is gone; what came is kept, and another goes on from there.
        for tag, body in frames.feed(data):
            if tag != wire.DATA or len(body) > size:
                raise wire.WireError(f"a frame {tag!r} of {len(body)} bytes")
            size -= len(body)
            yield body


def _put(tag: bytes, body: bytes) -> None:
    for part in (wire.frame_head(tag, len(body)), body):
        view = memoryview(part)
        while view:
            view = view[os.write(1, view) :]


def _walk(folder: Path, left: List[str]) -> Iterator[Tuple[str, os.stat_result]]:
    """Relative names of everything in a folder that is no folder, sorted, links not followed; ``left`` gains
    the folders in it that may not be read. What goes away meanwhile is passed over.
    """

    def unreadable(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise error
        if not isinstance(error, FileNotFoundError):
            left.append(f"{Path(error.filename).relative_to(folder).as_posix()}/")

    for parent, folders, names in os.walk(folder, onerror=unreadable):
        folders.sort()
        linked = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in sorted([*names, *linked]):
            path = Path(parent) / name
            try:
                facts = path.lstat()
            except FileNotFoundError:
                continue
            yield path.relative_to(folder).as_posix(), facts


def _entry(name: str, facts: os.stat_result) -> Dict[str, Any]:
    return {
        "path": name,
        "size": facts.st_size,
        "mtime_ns": facts.st_mtime_ns,
        "executable": bool(facts.st_mode & stat.S_IXUSR),
    }
