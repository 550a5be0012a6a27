"""The fields of a run that a filter can name, and what may be compared with them."""

from __future__ import annotations

from collections.abc import Sequence

from .tree import Field

KINDS = {
    "name": "text",
    "id": "text",
    "project": "text",
    "status": "status",
    "detail": "text",
    "group": "text",
    "tags": "text",
    "notes": "text",
    "host": "text",
    "notebook": "text",
    "lease": "text",
    "error": "text",
    "started": "time",
    "finished": "time",
    "duration": "span",
    "pinned": "flag",
    "archived": "flag",
}
"""Fields of the run itself, and of which kind they are."""
PREFIXES = ("config", "summary", "facts")
STATS = ("last", "min", "max", "best")
STATUSES = ("running", "finished", "failed", "interrupted", "killed", "unknown")


def field_of(name: str) -> Field | None:
    """The field of this name; ``None`` when it is none."""
    if name in KINDS:
        return Field("run", name)
    head, dot, rest = name.partition(".")
    if dot and rest and head in PREFIXES:
        return Field(head, rest)
    metric, dot, stat = name.rpartition(".")
    return Field("metric", metric, stat) if dot and metric and stat in STATS else None


def kind_of(field: Field) -> str:
    """``text``, ``status``, ``time``, ``span``, ``flag``, ``number``, or ``any`` of what JSON can spell."""
    if field.kind == "metric":
        return "number"
    return KINDS[field.name] if field.kind == "run" else "any"


def nearest(word: str, candidates: Sequence[str]) -> str | None:
    """The candidate that somebody who wrote ``word`` may have meant; the first of those that are as near."""
    best, least = None, max(1, len(word) // 3) + 1
    for candidate in candidates:
        if abs(len(candidate) - len(word)) < least:
            distance = edits(word.lower(), candidate.lower())
            if distance < least:
                best, least = candidate, distance
    return best


def edits(first: str, second: str) -> int:
    """Least number of letters to insert, delete, replace, or exchange with the next one.

    This is the optimal string alignment distance.
    """
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, 1):
        older, before, row = before, row, [i]
        for j, other in enumerate(second, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == second[j - 2] and first[i - 2] == other:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]
