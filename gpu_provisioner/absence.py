"""Since when nobody is there to see what a lease's kernel says, and whether a page shows it meanwhile.

Two notes in the lease's folder at home. ``away.json``: who stands in for a notebook writes down where the
stream was when he came; the next notebook replays the cells that had not ended there. ``pages.json``: a
server says that pages show the cells of this lease from the record, so that nobody else need show them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Optional

from gpu_provisioner.agent.places import process_birth, read_json, write_private

_AWAY, _PAGES = "away.json", "pages.json"


def note_absence(folder: Path, offset: int) -> None:
    """From ``offset`` of the stream on no notebook is there. What an earlier note says stays."""
    if read_json(folder / _AWAY) is None:
        write_private(folder / _AWAY, json.dumps({"offset": offset}).encode())


def absent_since(folder: Path) -> Optional[int]:
    """The offset of the note, if there is one."""
    note = read_json(folder / _AWAY) or {}
    return note["offset"] if isinstance(note.get("offset"), int) else None


def end_absence(folder: Path) -> None:
    """A notebook is there again and has seen what it missed."""
    (folder / _AWAY).unlink(missing_ok=True)


def note_pages(folder: Path, shown: bool) -> None:
    """Pages of this process show the cells of the lease, or none does any more."""
    if shown:
        note = {"pid": os.getpid(), "birth": process_birth(os.getpid())}
        write_private(folder / _PAGES, json.dumps(note).encode())
    else:
        (folder / _PAGES).unlink(missing_ok=True)


def is_shown(folder: Path) -> bool:
    """Whether pages of a living server show the cells of the lease."""
    note = read_json(folder / _PAGES) or {}
    pid = note.get("pid")
    return isinstance(pid, int) and note.get("birth") is not None and process_birth(pid) == note["birth"]
