"""Deleting runs: into ``<data>/trash`` first, from where they come back; for good only by a clean-up.

Nobody has to be told: the index follows the folders, and so does every follower.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from kernel_magics import paths
from kernel_magics.errors import DataFolderError, UnknownRun, UsageMistake
from kernel_magics.journal.lock import is_held
from kernel_magics.model import is_run_id


def trash_dir(data_dir: Path) -> Path:
    """One folder per deleted run."""
    return data_dir / "trash"


def trashed(data_dir: Path) -> list[str]:
    """Ids of the deleted runs that can come back, oldest first."""
    try:
        names = [path.name for path in trash_dir(data_dir).iterdir() if path.is_dir()]
    except FileNotFoundError:
        return []
    return sorted(name for name in names if is_run_id(name))


def missing(data_dir: Path) -> set[str]:
    """Ids of runs that are in the trash and nowhere else; an index may not have heard of it yet."""
    return {run_id for run_id in trashed(data_dir) if is_missing(data_dir, run_id)}


def is_missing(data_dir: Path, run_id: str) -> bool:
    """Whether a run is in the trash and nowhere else."""
    return (trash_dir(data_dir) / run_id).is_dir() and not (paths.runs_dir(data_dir) / run_id).is_dir()


def is_written(folder: Path) -> bool:
    """Whether a living process on this machine writes one of the journals in a run's folder."""
    return any(is_held(lock) for lock in folder.glob("*.lock"))


def delete(data_dir: Path, run_id: str) -> Path:
    """Moves a run into the trash; where it is now.

    Raises:
        UnknownRun: there is no such run.
        UsageMistake: a process writes it.
        DataFolderError: the data folder cannot be written.
    """
    folder = paths.runs_dir(data_dir) / run_id
    if not is_run_id(run_id) or not folder.is_dir():
        raise UnknownRun(f"There is no run {run_id}; nothing was deleted.", remedy="trackside ls")
    if is_written(folder):
        raise UsageMistake(
            f"Run {run_id} is being written by a process of this machine; it was not deleted.",
            remedy="finish it first: run.finish(), or interrupt the cell",
        )
    return _move(folder, trash_dir(data_dir) / run_id)


def restore(data_dir: Path, run_id: str) -> Path:
    """Brings a deleted run back; where it is now.

    Raises:
        UnknownRun: it is not in the trash.
        UsageMistake: there is a run of that id.
        DataFolderError: the data folder cannot be written.
    """
    folder, place = trash_dir(data_dir) / run_id, paths.runs_dir(data_dir) / run_id
    if not is_run_id(run_id) or not folder.is_dir():
        raise UnknownRun(f"There is no run {run_id} in the trash.", remedy="trackside restore")
    if place.exists():
        raise UsageMistake(f"There is a run {run_id} already; nothing was brought back.")
    return _move(folder, place)


def erase(data_dir: Path, run_id: str) -> None:
    """Deletes a run in the trash for good; one that is not there any more is fine."""
    if is_run_id(run_id):
        shutil.rmtree(trash_dir(data_dir) / run_id, ignore_errors=True)


def _move(folder: Path, place: Path) -> Path:
    try:
        paths.make_private_folder(place.parent)
        if place.exists():  # it was deleted, came again by another way, and is deleted again
            _join(folder, place)
        else:
            os.rename(folder, place)  # noqa: PTH104 - it must not replace anything
    except OSError as error:
        raise DataFolderError(
            f"{folder} cannot be moved: {error.strerror or error}. It is as it was."
        ) from error
    return place


def _join(folder: Path, place: Path) -> None:
    """Moves files to those of the same run. Journals only grow: of two of one name the longer has all."""
    for file in folder.iterdir():
        other = place / file.name
        if not other.exists() or other.stat().st_size < file.stat().st_size:
            file.replace(other)
    shutil.rmtree(folder)
