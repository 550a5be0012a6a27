"""Saved views: how somebody has arranged runs (filter, columns, order, what is chosen), under a name.

A view is a file ``<data>/views/<view_id>.json``. What its ``state`` holds is the panel's affair.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from kernel_magics import paths
from kernel_magics.errors import DataFolderError, UsageMistake
from kernel_magics.model import is_run_id, random_word

LONGEST_NAME = 200
LONGEST_STATE = 262_144
"""Characters of a view's state as JSON."""
MOST = 500


@dataclass(frozen=True)
class View:
    """A saved view; ``created`` and ``changed`` are in seconds since the epoch."""

    id: str
    name: str
    state: Mapping[str, Any]
    created: float
    changed: float

    def to_json(self) -> dict[str, Any]:
        """As the REST interface spells it."""
        return {**asdict(self), "state": dict(self.state)}


def views(data_dir: Path) -> list[View]:
    """All saved views by name. A file that is none is passed over: it may be of a newer version."""
    found = [_read(path) for path in sorted(_folder(data_dir).glob("*.json"))]
    return sorted((view for view in found if view is not None), key=lambda view: (view.name.lower(), view.id))


def save(data_dir: Path, view_id: str, name: str, state: Mapping[str, Any]) -> View:
    """Saves a view, in the place of an earlier one of that id.

    Raises:
        UsageMistake: name, id or state cannot be saved.
        DataFolderError: the data folder cannot be written.
    """
    if not is_run_id(view_id):  # ids of views look like those of runs: they are file names too
        raise UsageMistake(f"{view_id[:80]!r} is no view's id. Nothing was saved.")
    if not name.strip() or len(name) > LONGEST_NAME:
        raise UsageMistake(f"A view has a name of 1 to {LONGEST_NAME} characters. Nothing was saved.")
    path = _folder(data_dir) / f"{view_id}.json"
    before = _read(path)
    if before is None and len(views(data_dir)) >= MOST:
        raise UsageMistake(f"There are {MOST} saved views. Nothing was saved.", "delete some of them")
    now = time.time()
    view = View(view_id, name, dict(state), before.created if before else now, now)
    text = json.dumps(view.to_json(), ensure_ascii=True)
    if len(text) > LONGEST_STATE:
        raise UsageMistake(f"A view holds at most {LONGEST_STATE:,} characters. Nothing was saved.")
    try:
        _replace(path, text)
    except OSError as error:
        raise DataFolderError(
            f"The view was not saved: {error.strerror or error} ({path.parent})."
        ) from error
    return view


def delete(data_dir: Path, view_id: str) -> None:
    """Deletes a view; one that is not there is fine.

    Raises:
        DataFolderError: the data folder cannot be written.
    """
    if not is_run_id(view_id):
        return
    path = _folder(data_dir) / f"{view_id}.json"
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise DataFolderError(
            f"The view was not deleted: {error.strerror or error} ({path.parent})."
        ) from error


def _folder(data_dir: Path) -> Path:
    return data_dir / "views"


def _replace(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    paths.make_private_folder(path.parent)
    incoming = path.parent / f".{path.stem}-{random_word(6)}"
    descriptor = os.open(incoming, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        incoming.replace(path)
    finally:
        incoming.unlink(missing_ok=True)


def _read(path: Path) -> View | None:
    try:
        if not is_run_id(path.stem) or not path.is_file():  # reading a pipe would wait for ever
            return None
        found = json.loads(path.read_text(encoding="utf-8"))
        state = found["state"]
        times = float(found["created"]), float(found["changed"])
        return View(path.stem, str(found["name"]), dict(state), *times) if all(map(isfinite, times)) else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
