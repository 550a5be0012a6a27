"""Which runs somebody means: by id, by a part of it, by name, or simply the last ones."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kernel_magics.errors import UnknownRun, UsageMistake, typed_here
from kernel_magics.model import RunInfo

from . import words

if TYPE_CHECKING:
    from kernel_magics.store.store import Store

LAST = 5
"""Runs that are compared when nobody says which."""
MOST = 100
_SHORTEST_PART = 3
_LIST = "trackside ls"


@dataclass(frozen=True)
class Choice:
    """Runs in the order in which they were made (or named), and a sentence that says how they were chosen."""

    run_ids: tuple[str, ...]
    reason: str = ""


def choose_runs(
    store: Store, wanted: Sequence[str] = (), project: str | None = None, last: int | None = None
) -> Choice:
    """The runs to compare.

    Args:
        wanted: ids, beginnings or ends of ids, or names; in this order.
        project: only runs of this project.
        last: so many of the newest; by default :data:`LAST`.

    Raises:
        UnknownRun: something that was named is not there, or there are no runs at all.
        UsageMistake: something that was named is several runs, or the numbers make no sense.
    """
    runs = store.runs(project=project)
    if not runs:
        raise _nothing(store, project)
    if wanted:
        found = [_resolve(runs, text) for text in wanted]
        notes = [note for _run_id, note in found if note]
        return Choice(tuple(dict.fromkeys(run_id for run_id, _note in found)), " ".join(notes))
    if last is not None and not 1 <= last <= MOST:
        raise UsageMistake(f"--last is a number from 1 to {MOST}, not {last}. Nothing was compared.")
    return _newest(runs, project, last)


def _newest(runs: Sequence[RunInfo], project: str | None, last: int | None) -> Choice:
    newest = runs[0]
    same = [run for run in runs if run.project == newest.project]
    where = f"project {words.flat_text(newest.project)!r}" if newest.project else "runs without a project"
    if project is None and last is None and newest.group is not None:
        same = [run for run in same if run.group == newest.group]
        where += f", group {words.flat_text(newest.group)!r}"
    chosen = same[: last or LAST]
    many = f"The last {len(chosen)} of {len(same)} runs" if len(chosen) > 1 else "The last run"
    return Choice(tuple(run.id for run in reversed(chosen)), f"{many} of {where}.")


def _resolve(runs: Sequence[RunInfo], text: str) -> tuple[str, str]:
    """The run that ``text`` means, and what must be said about it."""
    if any(run.id == text for run in runs):
        return text, ""
    named = [run for run in runs if run.name == text]
    if named:
        note = f"{len(named)} runs are named {words.flat_text(text)!r}: this is the newest, {named[0].id}."
        return named[0].id, note if len(named) > 1 else ""
    parts = [run for run in runs if run.id.startswith(text) or run.id.endswith(text)]
    if len(parts) == 1 and len(text) >= _SHORTEST_PART:
        return parts[0].id, ""
    if parts:
        some = ", ".join(run.id for run in parts[:4]) + (" …" if len(parts) > 4 else "")
        raise UsageMistake(
            f"{text!r} is the beginning of {len(parts)} ids: {some}.",
            typed_here("%compare with more of the id", _LIST),
        )
    names = [run.name for run in runs] + [run.id for run in runs]
    close = difflib.get_close_matches(text, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise UnknownRun(
        f"There is no run {words.flat_text(text)!r}.{hint}", remedy=typed_here("%runs --all", _LIST)
    )


def _nothing(store: Store, project: str | None) -> UnknownRun:
    if project is None:
        return UnknownRun(
            f"There are no runs in {store.data_dir} yet.",
            remedy=typed_here("%%track in the first line of a cell", "km.init(project=…) in your script"),
        )
    projects = sorted({run.project for run in store.runs() if run.project})
    known = ", ".join(map(words.flat_text, projects[:8])) + (" …" if len(projects) > 8 else "")
    return UnknownRun(
        f"There are no runs in project {project!r}. Projects: {known or 'none'}.",
        remedy=typed_here("%runs", _LIST),
    )
