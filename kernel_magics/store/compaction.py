"""Edits of a run, put together: each is a journal of its own, and a thousand small files become one.

Nothing is lost: every change that was in one of them is in the new journal, in the order in which they count,
with its time. At every instant, also when this is killed, the run's folder says the same: the new journal is
whole and on disk before it gets its name, and has its name before the first of the old ones goes. What stands
there twice meanwhile counts once, and the next clean-up finishes the work.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernel_magics.errors import JournalError
from kernel_magics.journal import format as fmt
from kernel_magics.journal.changes import EDITOR, moment
from kernel_magics.journal.lock import is_held, lock_path
from kernel_magics.journal.reader import read_journal
from kernel_magics.model import random_word

from .documents import began

_INCOMING = f".{EDITOR}-"
_STALE_S = 3600.0
"""Nobody writes one of our journals for so long: whoever began it was killed."""


@dataclass(frozen=True)
class Edits:
    """An editor's journal, all of it.

    Attributes:
        head: its first frame.
        changes: ``(time, payload)`` of each change; times rise.
    """

    path: Path
    size: int
    modified: float
    head: dict[str, Any]
    changes: Sequence[tuple[float, bytes]]


def together(folder: Path) -> list[Edits]:
    """The journals of edits in a run's folder that can be one; none when there are not two."""
    paths = sorted(folder.glob(f"{EDITOR}-*.journal"))
    found = [edits for edits in map(_edits, paths) if edits is not None] if len(paths) > 1 else []
    return found if len(found) > 1 else []


def saving(edits: Sequence[Edits]) -> int:
    """How many bytes fewer these journals have as one."""
    return sum(one.size for one in edits) - len(_joined(edits, _new_writer()))


def compact(folder: Path) -> int:
    """Puts the edits of a run into one journal; the bytes that are free now.

    Raises:
        OSError: that journal cannot be written. What there was is as it was.
    """
    _forget_stale(folder)
    edits = together(folder)
    if not edits:
        return 0
    size = _write(folder, edits)
    for one in edits:
        _remove(one)
    _sync_folder(folder)
    return sum(one.size for one in edits) - size


def _edits(path: Path) -> Edits | None:
    """``None`` for what is left alone: it is being written, damaged, newer, or not only edits."""
    if is_held(lock_path(path)):
        return None
    try:
        status = path.stat()
        frames, skipped, tail = read_journal(path)
        contents = [fmt.unpack_json(frame.payload) for frame in frames]
    except (OSError, ValueError, JournalError):
        return None
    kinds = [frame.kind for frame in frames]
    if skipped or tail or kinds[:1] != [fmt.Kind.RUN] or set(kinds[1:]) != {fmt.Kind.CHANGE}:
        return None
    writer = contents[0].get("writer")
    if not isinstance(writer, dict) or writer.get("role") != EDITOR:
        return None
    since = began({"run": contents[0]})
    said = zip(contents[1:], frames[1:], strict=True)
    changes = [_change(content, frame.payload, since) for content, frame in said]
    if changes != sorted(changes, key=lambda change: change[0]):
        return None  # a clock was set back: of these the last counts and not the latest, which only they say
    return Edits(path, frames[-1].end, status.st_mtime, contents[0], changes)


def _change(content: dict[str, Any], payload: bytes, since: float) -> tuple[float, bytes]:
    """A change and its time; one without a time counts from when its writer began, and says so then."""
    when = moment(content.get("time"))
    return (when, payload) if when else (since, fmt.pack_json({**content, "time": since}))


def _new_writer() -> str:
    return f"{EDITOR}-{random_word(8)}"


def _joined(edits: Sequence[Edits], writer_id: str) -> bytes:
    """The bytes of the journal that says what all of these say."""
    in_order = sorted(edits, key=lambda one: (began({"run": one.head}), one.path.stem))
    writer = {**in_order[-1].head["writer"], "id": writer_id}
    head = fmt.pack_json({**in_order[0].head, "writer": writer})
    changes = [change for one in in_order for change in one.changes]
    changes.sort(key=lambda change: change[0])  # stable: at one time the later writer has the last word
    frames = [fmt.pack_frame(fmt.Kind.CHANGE, payload) for payload in _last_of_each(changes)]
    return b"".join([fmt.pack_header(), fmt.pack_frame(fmt.Kind.RUN, head), *frames])


def _last_of_each(changes: Sequence[tuple[float, bytes]]) -> list[bytes]:
    """The same change twice is left behind by a compaction that was killed."""
    found = list(dict.fromkeys(payload for _when, payload in reversed(changes)))
    return found[::-1]


def _write(folder: Path, edits: Sequence[Edits]) -> int:
    """Writes the new journal; its size in bytes. It is as old as the last edit: so is the run."""
    writer_id = _new_writer()
    data = _joined(edits, writer_id)
    incoming = folder / f"{_INCOMING}{writer_id}"
    modified = max(one.modified for one in edits)
    try:
        with open(incoming, "xb", opener=_private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        journal = incoming.rename(folder / f"{writer_id}.journal")
        os.utime(journal, (modified, modified))
    except OSError:
        incoming.unlink(missing_ok=True)
        raise
    _sync_folder(folder)
    return len(data)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _remove(edits: Edits) -> None:
    """Deletes a journal whose changes are in another one, if it is what was read."""
    try:
        if edits.path.stat().st_size == edits.size:
            edits.path.unlink()
            lock_path(edits.path).unlink(missing_ok=True)
    except FileNotFoundError:
        pass  # another clean-up was here


def _forget_stale(folder: Path) -> None:
    for path in folder.glob(f"{_INCOMING}*"):
        try:
            if time.time() - path.stat().st_mtime > _STALE_S:
                path.unlink()
        except FileNotFoundError:
            continue


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
