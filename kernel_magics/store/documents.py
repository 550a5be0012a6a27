"""What the JSON frames of a run's journals come to: the run's name, config, facts, how it ended.

Each journal has a document of its own; a run is its documents merged in the order in which the writers began,
so the answer does not depend on the order in which journals were read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kernel_magics.journal.changes import EDITOR, moment
from kernel_magics.journal.format import Kind
from kernel_magics.model import RunStatus

Document = dict[str, Any]
DOCUMENT_KINDS = frozenset({Kind.RUN, Kind.FACTS, Kind.CONFIG, Kind.SUMMARY, Kind.FINISH, Kind.CHANGE})

LIGHT_LIMIT = 256
"""Longest fact, in characters of JSON, that a listing carries."""
COLOURS = 24
"""How many line styles there are (:mod:`kernel_magics.figures.palette`)."""


def fold(document: Document, kind: int, content: Mapping[str, Any]) -> None:
    """Applies one JSON frame to its journal's document."""
    if kind == Kind.RUN:
        document.setdefault("run", dict(content))
    elif kind == Kind.FINISH:
        document["finish"] = dict(content)
    elif kind == Kind.FACTS:
        document.setdefault("facts", {}).update(content)
    elif kind == Kind.CHANGE:
        said = {key: value for key, value in content.items() if key != "time"}
        document.setdefault("change", {}).update(said)
        document.setdefault("changed", {}).update(dict.fromkeys(said, moment(content.get("time"))))
    else:
        part = document.setdefault(Kind(kind).name.lower(), {})
        deleted = content.get("$deleted") or ()
        part.update(
            {key: value for key, value in content.items() if key != "$deleted" and key not in deleted}
        )
        for key in deleted:
            part[key] = None
        gone = document.setdefault(f"{Kind(kind).name.lower()} deleted", [])
        gone[:] = [key for key in gone if key not in content or key in deleted]
        gone.extend(key for key in deleted if key not in gone)


@dataclass
class RunRow:
    """A run as its documents say it; the live part of its state is not known here.

    ``edited`` is the latest time of any change that counts, in seconds since the epoch; 0.0: there is none.
    """

    name: str
    project: str
    group: str | None
    tags: list[str]
    created: float
    state: str | None = None
    detail: str = ""
    finished: float | None = None
    error: dict[str, Any] | None = None
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    writers: list[list[Any]] = field(default_factory=list)
    marks: dict[str, Any] = field(default_factory=dict)
    edited: float = 0.0


def in_order(documents: Mapping[str, Document]) -> list[tuple[str, Document]]:
    """``(writer id, document)`` in the order in which the writers began."""
    return sorted(documents.items(), key=lambda item: (began(item[1]), item[0]))


def began(document: Document) -> float:
    """When the journal's writer began, in seconds since the epoch; 0 when its first frame is lost.

    Writers of one run share its ``created``: torchrun starts ranks again that say the same of the run.
    """
    return moment(_writer(document).get("began")) or moment(document.get("run", {}).get("created"))


def derive(run_id: str, documents: Mapping[str, Document]) -> RunRow:
    """The run of these journals (writer id to document)."""
    ordered = in_order(documents)
    heads = [document["run"] for _writer, document in ordered if "run" in document]
    head: dict[str, Any] = heads[0] if heads else {}
    row = RunRow(
        name=_text(head.get("name") or run_id),
        project=_text(head.get("project") or ""),
        group=_text_or_none(head.get("group")),
        tags=_tags(head.get("tags")),
        created=moment(head.get("created")),
    )
    for writer, document in ordered:
        row.facts.update(document.get("facts", {}))
        _merge(row.config, document, "config")
        _merge(row.summary, document, "summary")
        if "finish" in document and not _begun_again(document, ordered):
            _finish(row, document["finish"])
        said = _writer(document)
        # Whoever edits a run says nothing of whether it lives; nor when its first frame is not there yet.
        if said.get("role") != EDITOR and not writer.startswith(f"{EDITOR}-"):
            gathers = [said["batch_s"]] if said.get("batch_s") else []
            row.writers.append([writer, said.get("host"), *gathers])
    changes = _newest_changes(ordered)
    row.edited = max((when for when, _value in changes.values()), default=0.0)
    _change(row, {key: value for key, (_when, value) in changes.items()})
    return row


def _writer(document: Document) -> Mapping[str, Any]:
    found = document.get("run", {}).get("writer")
    return found if isinstance(found, dict) else {}


def _begun_again(ended: Document, documents: Iterable[tuple[str, Document]]) -> bool:
    """Whether a main writer began after this one had ended the run: torchrun started rank 0 again."""
    last = max(began(ended), moment(ended["finish"].get("time")))
    return any(began(other) > last for _id, other in documents if _writer(other).get("role") == "main")


def light_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that a listing carries: those that are short (not the diff, the packages, the source)."""
    return {key: value for key, value in facts.items() if len(json.dumps(value)) <= LIGHT_LIMIT}


def _merge(into: dict[str, Any], document: Document, part: str) -> None:
    into.update(document.get(part, {}))
    for key in document.get(f"{part} deleted", ()):
        into.pop(key, None)


def _newest_changes(ordered: Iterable[tuple[str, Document]]) -> dict[str, tuple[float, Any]]:
    """What was said last of each key, and when, whoever said it: a person may edit a run while it goes on."""
    newest: dict[str, tuple[float, Any]] = {}
    for _writer_id, document in ordered:
        times = document.get("changed", {})
        for key, value in document.get("change", {}).items():
            when = times.get(key) or began(document)
            if key not in newest or when >= newest[key][0]:
                newest[key] = when, value
    return newest


def _change(row: RunRow, change: Mapping[str, Any]) -> None:
    row.name = _text(change.get("name") or row.name)
    row.project = _text(change["project"] or "") if "project" in change else row.project
    row.group = _text_or_none(change["group"]) if "group" in change else row.group
    row.tags = _tags(change["tags"]) if "tags" in change else row.tags
    colour = change.get("colour")
    marks = {
        "notes": _text_or_none(change.get("notes")),
        "colour": colour if type(colour) is int and 0 <= colour < COLOURS else None,
        "pinned": change.get("pinned") is True,
        "archived": change.get("archived") is True,
    }
    row.marks = {key: value for key, value in marks.items() if value or (key == "colour" and value == 0)}


def _finish(row: RunRow, finish: Mapping[str, Any]) -> None:
    status, detail, error = finish.get("status"), _text(finish.get("detail") or ""), finish.get("error")
    if not isinstance(status, str) or status not in {str(one) for one in RunStatus}:
        detail = f"It ended with a status that is not known here: {str(status)[:80]!r}."
        status = str(RunStatus.UNKNOWN)
    row.state, row.detail = status, detail
    row.finished = moment(finish.get("time")) or None
    row.error = _error(error) if isinstance(error, dict) else None


def _error(error: Mapping[str, Any]) -> dict[str, Any]:
    traceback = error.get("traceback")
    lines = [str(line) for line in traceback] if isinstance(traceback, list) else []
    return {
        "ename": str(error.get("ename", "")),
        "evalue": str(error.get("evalue", "")),
        "traceback": lines,
    }


def _tags(value: object) -> list[str]:
    return [str(tag) for tag in value] if isinstance(value, Iterable) and not isinstance(value, str) else []


def _text(value: object) -> str:
    """As a text that the index takes: JSON can spell halves of characters, which UTF-8 cannot."""
    return str(value).encode("utf-8", "replace").decode()


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)
