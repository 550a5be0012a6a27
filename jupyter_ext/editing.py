"""What a person changes from the panel: runs (name, tags, notes …), deleting them, saved views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernel_magics.errors import TracksideError
from kernel_magics.model import is_run_id
from kernel_magics.store import Store, edits, views

from . import queries
from .encode import array, dumps, record
from .errors import BadQuery

MAX_EDITS = 1_000
"""Runs that one request may change."""


@dataclass(frozen=True)
class Edit:
    """A change of one run; the keys are those of :data:`kernel_magics.store.edits.KEYS`."""

    run: str
    change: Mapping[str, Any]

    @classmethod
    def all_from_json(cls, body: object) -> tuple[Edit, ...]:
        """Of ``{"edits": [{"run", "change"}]}``; raises :class:`BadQuery`, or ``UsageMistake``."""
        found = body.get("edits") if isinstance(body, dict) else None
        if not isinstance(found, list) or not 1 <= len(found) <= MAX_EDITS:
            raise BadQuery(f"`edits` is a list of 1 to {MAX_EDITS:,} changes.")
        return tuple(cls._from_json(one) for one in found)

    @classmethod
    def _from_json(cls, one: object) -> Edit:
        if not isinstance(one, dict) or not isinstance(one.get("change"), dict):
            raise BadQuery("An edit is an object with `run` and `change`. Nothing was changed.")
        run = one.get("run")
        if not isinstance(run, str):
            raise BadQuery("`run` is a run's id. Nothing was changed.")
        return cls(queries.run_id(run), edits.check(one["change"]))


def carry_out(store: Store, wanted: tuple[Edit, ...]) -> str:
    """``PATCH runs``: each edit for itself; what could not be done is said."""
    changed, problems = [], []
    known = store.edited({one.run for one in wanted})
    for one in wanted:
        try:
            edits.edit(store.data_dir, one.run, one.change, known.get(one.run, 0.0))
            changed.append(one.run)
        except TracksideError as error:
            problems.append({"run": one.run, "message": error.message})
    return record(changed=array(changed), problems=array(problems))


def deleted(store: Store, run_id: str) -> None:
    """``DELETE runs/{id}``: into the trash; raises ``UnknownRun``, or ``UsageMistake`` while it runs."""
    store.delete(run_id)


def restored(store: Store, run_id: str) -> None:
    """``POST runs/{id}/restore``: out of the trash; raises ``UnknownRun`` when it is not there."""
    store.restore(run_id)


def all_views(data_dir: Path) -> str:
    """``GET views``."""
    return record(views=array(one.to_json() for one in views.views(data_dir)))


def save_view(data_dir: Path, view_id: str, body: object) -> str:
    """``PUT views/{id}``; raises :class:`BadQuery` or ``UsageMistake``."""
    name, state = _view(body)
    return dumps(views.save(data_dir, view_id, name, state).to_json())


def _view(body: object) -> tuple[str, Mapping[str, Any]]:
    name = body.get("name") if isinstance(body, dict) else None
    state = body.get("state") if isinstance(body, dict) else None
    if not isinstance(name, str) or not isinstance(state, dict):
        raise BadQuery("A view has a `name` and a `state`, which is an object. Nothing was saved.")
    return name, state


def view_id(text: str) -> str:
    """``text`` when it can be a view's id."""
    if not is_run_id(text):
        raise BadQuery(f"{text[:80]!r} is no view's id.")
    return text
