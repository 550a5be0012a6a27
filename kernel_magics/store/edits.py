"""What a person changes about a run afterwards: name, tags, notes, group, colour, and whether it is pinned or
archived.

Each edit is a small journal of its own in the run's folder, by a writer with the role ``editor``
(``docs/journal-format.md``): the process that writes the run is not disturbed, and an index that is built
anew says the same. Of two edits of one thing the later one counts.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kernel_magics import paths
from kernel_magics.errors import DataFolderError, JournalError, UnknownRun, UsageMistake
from kernel_magics.journal import format as fmt
from kernel_magics.journal.lock import lock_path
from kernel_magics.journal.reader import JournalReader
from kernel_magics.journal.writer import JournalWriter
from kernel_magics.model import is_run_id, random_word

LONGEST_NAME = 1_024
LONGEST_NOTES = 65_536
MOST_TAGS = 100
COLOURS = 24
"""How many line styles there are (:mod:`kernel_magics.figures.palette`)."""
KEYS = ("name", "project", "group", "tags", "notes", "colour", "pinned", "archived")
_HEAD = 262_144
"""Bytes in which a journal's first frame lies."""


def edit(data_dir: Path, run_id: str, change: Mapping[str, Any]) -> None:
    """Writes a change of a run down.

    Args:
        change: some of :data:`KEYS`; ``None`` as ``group`` or ``colour`` takes it back.

    Raises:
        UnknownRun: there is no such run.
        UsageMistake: the change makes no sense. Nothing was changed.
        DataFolderError: the data folder cannot be written.
    """
    checked = check(change)
    folder = paths.runs_dir(data_dir) / run_id
    journals = _beginnings(folder) if is_run_id(run_id) and folder.is_dir() else []
    head = _head(journals)
    if head is None:
        raise UnknownRun(f"There is no run {run_id}; nothing was changed.", remedy="trackside ls")
    writer_id = f"editor-{random_word(8)}"
    frames = (
        fmt.pack_frame(fmt.Kind.RUN, fmt.pack_json({**head, "writer": _identity(writer_id)})),
        fmt.pack_frame(fmt.Kind.CHANGE, fmt.pack_json({**checked, "time": _after(journals)})),
    )
    problems: list[str] = []
    try:
        writer = JournalWriter(folder, writer_id, report=problems.append, batched=False, begins=False)
    except DataFolderError:
        if folder.is_dir():
            raise
        raise UnknownRun(f"Run {run_id} has just been deleted; nothing was changed.") from None
    for frame in frames:
        writer.append(frame)
    writer.close()
    # Whether a run lives is asked of the locks in its folder; this one says nothing about that.
    lock_path(writer.path).unlink(missing_ok=True)
    if problems:
        raise DataFolderError(
            f"The change of run {run_id} was not written. {problems[0]}", remedy="free some disk space"
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


_Frames = list[tuple[int, dict[str, Any]]]


def _beginnings(folder: Path) -> list[_Frames]:
    """The first frame of each of a run's journals that can be read; of an editor's also the one behind it."""
    found = []
    for journal in folder.glob("*.journal"):
        try:
            frames = JournalReader(journal).read(limit=_HEAD).frames[:2]
            said = [frame for frame in frames if frame.kind in (fmt.Kind.RUN, fmt.Kind.CHANGE)]
            found.append([(frame.kind, fmt.unpack_json(frame.payload)) for frame in said])
        except (OSError, ValueError, JournalError):
            continue
    return found


def _after(journals: list[_Frames]) -> float:
    """Now, and later than every edit so far: what was typed last counts, whatever the clocks said."""
    times = [said.get("time") for frames in journals for kind, said in frames if kind == fmt.Kind.CHANGE]
    last = max((one for one in times if isinstance(one, float) and math.isfinite(one)), default=0.0)
    return max(time.time(), math.nextafter(last, math.inf))


def _head(journals: list[_Frames]) -> dict[str, Any] | None:
    """The run's first frame, as its oldest journal has it."""
    heads = [frames[0][1] for frames in journals if frames and frames[0][0] == fmt.Kind.RUN]
    if not heads:
        return None
    oldest = min(heads, key=lambda head: (_role(head) != "main", str(head.get("created"))))
    return {key: value for key, value in oldest.items() if key != "writer"}


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
        "role": "editor",
        "began": time.time(),
    }
