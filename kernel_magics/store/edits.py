"""What a person changes about a run afterwards: name, tags, notes, group, colour, and whether it is pinned or
archived.

Each edit is a small journal of its own in the run's folder, by a writer with the role ``editor``
(``docs/journal-format.md``): the process that writes the run is not disturbed, and an index that is built
anew says the same. Of two edits of one thing the later one counts.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kernel_magics import paths
from kernel_magics.errors import DataFolderError, JournalError, UnknownRun, UsageMistake
from kernel_magics.journal import format as fmt
from kernel_magics.journal.changes import EDITOR, edit_times, time_after
from kernel_magics.journal.lock import lock_path
from kernel_magics.journal.reader import JournalReader
from kernel_magics.journal.writer import JournalWriter
from kernel_magics.model import is_run_id, random_word

from .documents import COLOURS

LONGEST_NAME = 1_024
LONGEST_NOTES = 65_536
MOST_TAGS = 100
KEYS = ("name", "project", "group", "tags", "notes", "colour", "pinned", "archived")
_HEAD = 262_144
"""Bytes in which a journal's first frame lies."""


def edit(data_dir: Path, run_id: str, change: Mapping[str, Any], known: float = 0.0) -> None:
    """Writes a change of a run down.

    Args:
        change: some of :data:`KEYS`; ``None`` as ``group`` or ``colour`` takes it back.
        known: the time of the last change that whoever edits can have seen (:meth:`Store.edited`): this one
            is later. Edits of others are looked for here.

    Raises:
        UnknownRun: there is no such run.
        UsageMistake: the change makes no sense. Nothing was changed.
        DataFolderError: the data folder cannot be written.
    """
    checked = check(change)
    folder = paths.runs_dir(data_dir) / run_id
    if not is_run_id(run_id) or not folder.is_dir():
        raise UnknownRun(f"There is no run {run_id}; nothing was changed.", remedy="trackside ls")
    head = _head(folder)
    if head is None:
        raise UnknownRun(f"Nothing of run {run_id} can be read; it was not changed.")
    writer_id = f"{EDITOR}-{random_word(8)}"
    when = time_after([known, *edit_times(folder)])
    frames = (
        fmt.pack_frame(fmt.Kind.RUN, fmt.pack_json({**head, "writer": _identity(writer_id)})),
        fmt.pack_frame(fmt.Kind.CHANGE, fmt.pack_json({**checked, "time": when})),
    )
    try:
        # What it would report is for one that goes on writing; how this one ends, it says when it is closed.
        writer = JournalWriter(folder, writer_id, report=lambda _: None, batched=False, begins=False)
    except DataFolderError:
        if folder.is_dir():
            raise
        raise UnknownRun(f"Run {run_id} has just been deleted; nothing was changed.") from None
    for frame in frames:
        writer.append(frame)
    failure = writer.close()
    # Whether a run lives is asked of the locks in its folder; this one says nothing about that.
    lock_path(writer.path).unlink(missing_ok=True)
    if failure is not None:
        writer.path.unlink(missing_ok=True)
        is_full = failure.errno in (errno.ENOSPC, errno.EDQUOT)
        raise DataFolderError(
            f"The change of run {run_id} was not kept: {failure.strerror or failure} ({folder}).",
            remedy="free some disk space" if is_full else "look after that disk, then change it again",
        )


def check(change: Mapping[str, Any]) -> dict[str, Any]:
    """The change, when it makes sense.

    Raises:
        UsageMistake: it does not; names the key and what was expected.
    """
    if not change:
        raise UsageMistake("A change names at least one of " + ", ".join(KEYS) + ".")
    for key, value in change.items():
        expected = _expected(key, value)
        if expected:
            raise UsageMistake(f"{expected} Nothing was changed.")
    found = dict(change)
    if "tags" in found:
        found["tags"] = list(dict.fromkeys(found["tags"]))
    return found


def _expected(key: str, value: Any) -> str:
    """What a key takes; ``""`` when it may have this value."""
    if key == "name":
        return (
            ""
            if _is_text(value, LONGEST_NAME) and value.strip()
            else f"`name` is a text of 1 to {LONGEST_NAME:,} characters."
        )
    if key in ("project", "group"):
        fine = _is_text(value, LONGEST_NAME) or (key == "group" and value is None)
        return "" if fine else f"`{key}` is a text of at most {LONGEST_NAME:,} characters."
    if key == "notes":
        return (
            ""
            if _is_text(value, LONGEST_NOTES)
            else f"`notes` is a text of at most {LONGEST_NOTES:,} characters."
        )
    if key == "tags":
        fine = isinstance(value, list) and len(value) <= MOST_TAGS
        fine = fine and all(_is_text(tag, LONGEST_NAME) and tag.strip() for tag in value)
        return "" if fine else f"`tags` is a list of at most {MOST_TAGS} texts that are not empty."
    if key == "colour":
        fine = value is None or (type(value) is int and 0 <= value < COLOURS)
        return "" if fine else f"`colour` is a whole number from 0 to {COLOURS - 1}, or null."
    if key in ("pinned", "archived"):
        return "" if isinstance(value, bool) else f"`{key}` is true or false."
    return f"A run has no `{key[:80]}` that could be changed; it has {', '.join(KEYS)}."


def _is_text(value: Any, most: int) -> bool:
    return (
        isinstance(value, str)
        and len(value) <= most
        and not any("\ud800" <= letter <= "\udfff" for letter in value)
    )


def _head(folder: Path) -> dict[str, Any] | None:
    """The run's first frame, as its oldest journal has it."""
    heads = [head for head in map(_first_frame, folder.glob("*.journal")) if head is not None]
    if not heads:
        return None
    oldest = min(heads, key=lambda head: (_role(head) != "main", str(head.get("created"))))
    return {key: value for key, value in oldest.items() if key != "writer"}


def _first_frame(journal: Path) -> dict[str, Any] | None:
    try:
        (frame, *_others) = JournalReader(journal).read(limit=_HEAD).frames
        return fmt.unpack_json(frame.payload) if frame.kind == fmt.Kind.RUN else None
    except (OSError, ValueError, JournalError):
        return None


def _role(head: Mapping[str, Any]) -> str:
    writer = head.get("writer")
    return str(writer.get("role")) if isinstance(writer, dict) else ""


def _identity(writer_id: str) -> dict[str, Any]:
    host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    return {
        "id": writer_id,
        "pid": os.getpid(),
        "ancestors": [],
        "host": host,
        "rank": None,
        "world_size": None,
        "role": EDITOR,
        "began": time.time(),
    }
