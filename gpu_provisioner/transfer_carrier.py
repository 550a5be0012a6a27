"""What one carrier does for a transfer: take files or send one, and tell how far it has come.

Each goes on from what is there, so that it may be called with one carrier after the other.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

from gpu_provisioner import wire
from gpu_provisioner.agent.streams import END, PIECE_BYTES
from gpu_provisioner.carrier import Carrier
from gpu_provisioner.errors import TransferError

SILENCE_LIMIT_S = 45.0
_DIGEST_BYTES_PER_S = 50e6
"""Before the first and after the last byte the other side may be reading all of a file, for its digest."""

_ANEW = 3
"""So often a file is fetched from its beginning because it had changed over there."""


@dataclass(frozen=True)
class Advance:
    """How far a transfer has come: bytes, and the trouble it has just now, if any."""

    done: int
    total: int
    trouble: str = ""


OnAdvance = Callable[[Advance], None]


@dataclass(frozen=True)
class FarFile:
    """A file over there: path relative to the listing's root, size in bytes, time of its last change."""

    path: str
    size: int
    mtime_ns: int
    executable: bool = False


@dataclass(frozen=True)
class Wanted:
    """One file to fetch, and where to collect it here until it is whole."""

    file: FarFile
    part: Path


class Progress:
    """Counts bytes and tells of them."""

    def __init__(self, total: int, on: OnAdvance) -> None:
        self.done, self.total, self._on = 0, total, on

    def add(self, count: int) -> None:
        self.done += count
        self._on(Advance(self.done, self.total))

    def say(self, trouble: str) -> None:
        self._on(Advance(self.done, self.total, trouble))


class Getting:
    """Takes files one after the other; ``left`` loses each that is whole."""

    def __init__(self, left: List[Wanted], keep: Callable[[Wanted, bool], None], on: OnAdvance) -> None:
        self._left, self._keep = left, keep
        self.progress = Progress(sum(each.file.size for each in left), on)
        self.digests: Dict[str, str] = {}
        self._began_anew = 0
        self.progress.add(sum(min(size_of(each.part), each.file.size) for each in left))

    def take(self, carrier: Carrier, rest: bytes) -> None:
        frames = _frames(carrier, rest, self.progress.total)
        while self._left:
            self._take_one(self._left[0], frames)

    def _take_one(self, wanted: Wanted, frames: Iterator[Tuple[bytes, wire.Buffer]]) -> None:
        tag, body = next(frames)
        if tag != wire.WELCOME:
            raise wire.WireError(f"a frame {tag!r} where a file should begin")
        with _writing(wanted.part):
            file = _open_alone(wanted.part)
        with file:
            if os.fstat(file.fileno()).st_size > wire.whole(wire.from_json(body), "size"):
                self._begin_anew(wanted)
                raise wire.WireError(f"{wanted.file.path} is shorter than it was")
            with _writing(wanted.part):
                digest = _digest_of(wanted.part)
            for tag, body in frames:
                if tag != wire.DATA:
                    break
                with _writing(wanted.part):
                    _write_all(file, body)
                digest.update(body)
                self.progress.add(len(body))
            said = wire.from_json(body)
            if said.get("digest") != digest.hexdigest():
                self._begin_anew(wanted)
                raise wire.WireError(f"{wanted.file.path} changed while it was fetched")
            self.digests[wanted.file.path] = digest.hexdigest()
            with _writing(wanted.part):
                self._keep(wanted, bool(said.get("changed")))
        self._left.pop(0)

    def _begin_anew(self, wanted: Wanted) -> None:
        self._began_anew += 1
        self.progress.add(-size_of(wanted.part))
        wanted.part.unlink(missing_ok=True)
        if self._began_anew >= _ANEW:
            raise TransferError(
                f"{wanted.file.path} changes again and again while it is fetched; it was not kept.",
                "fetch it when nothing writes to it any more",
            )


class Putting:
    """Sends one file from wherever the other side has got to."""

    def __init__(self, path: Path, on: OnAdvance) -> None:
        self._path = path
        self.size = path.stat().st_size
        self.progress = Progress(self.size, on)
        self.is_whole = False

    def send(self, carrier: Carrier, rest: bytes) -> None:
        frames = _frames(carrier, rest, self.size)
        tag, body = next(frames)
        if tag != wire.WELCOME:
            raise wire.WireError(f"a frame {tag!r} instead of a welcome")
        at = wire.whole(wire.from_json(body), "offset")
        self.progress.add(at - self.progress.done)
        try:
            with self._path.open("rb") as file:
                file.seek(at)
                while piece := file.read(PIECE_BYTES):
                    frame = wire.encode_frame(wire.DATA, piece)
                    carrier.write_all(frame, time.monotonic() + SILENCE_LIMIT_S)
                    self.progress.add(len(piece))
        except BrokenPipeError:
            pass  # It may have refused; its reason is read below.
        tag, body = next(frames)
        if tag != END:
            raise wire.WireError(f"a frame {tag!r} instead of a receipt")
        self.is_whole = True


def _frames(carrier: Carrier, rest: bytes, size: int) -> Iterator[Tuple[bytes, wire.Buffer]]:
    """Frames that come in; ``EOFError`` at their end, :class:`TransferError` for a refusal.

    Args:
        size: of what is transferred, in bytes; the larger, the longer silence is believed.
    """
    reader = wire.FrameReader()
    limit_s = SILENCE_LIMIT_S + size / _DIGEST_BYTES_PER_S
    while True:
        for tag, body in reader.feed(rest):
            if tag == wire.REFUSAL:
                raise TransferError(f"The machine refused: {wire.from_json(body).get('error')}.")
            yield tag, body
        rest = carrier.read_until(time.monotonic() + limit_s)
        if not rest:
            raise EOFError(carrier.complaint() or "the line broke")


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What fails within fails for good: it is this side's disk, not the line."""
    try:
        yield
    except OSError as error:
        raise TransferError(
            f"{path.parent} does not take it: {error.strerror}. What has come stays there.",
            "make room or make that folder writable, then try again: it goes on from there",
        ) from None


def _write_all(file: Any, data: wire.Buffer) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _open_alone(path: Path) -> Any:
    """The part, with nobody else appending to it: of two that did, each would find its own bytes right and
    keep those of both.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab", buffering=0)
    try:
        _lock(file)
        if not path.exists() or not os.path.samestat(path.stat(), os.fstat(file.fileno())):
            raise wire.WireError("another %gpu_get has just brought it")
    except BlockingIOError:
        file.close()
        raise TransferError(
            f"{path.parent} is getting it already, by another %gpu_get.", "when that one is done"
        ) from None
    except BaseException:
        file.close()
        raise
    return file


def _lock(file: Any) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        pass  # a file system without locks: two at once are not noticed there


def _digest_of(path: Path) -> Any:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
    return digest


def size_of(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
