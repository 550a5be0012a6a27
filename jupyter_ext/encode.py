"""Values as the REST interface and the feed spell them (``openapi.yaml``).

Everything here is called in a worker thread. ``json``'s C encoder keeps the interpreter lock for as
long as one call takes, so long lists are encoded element by element: between two elements the
server's event loop gets its turn.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

LIGHT_FACTS = ("notebook", "script", "host", "lease", "user", "python", "gpus", "cpu", "memory_gib", "price")
"""The facts of a run that listings and the feed carry; the others can be large (a diff, the packages)."""

_STRICT = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def dumps(value: object) -> str:
    """``value`` as strict JSON; floats that JSON cannot spell become "NaN", "Infinity", "-Infinity"."""
    try:
        return _STRICT.encode(value)
    except ValueError:
        return _STRICT.encode(_spelled(value))


def array(items: Iterable[object]) -> str:
    """The JSON array of ``items``, encoded item by item."""
    return "[" + ",".join(dumps(item) for item in items) + "]"


def record(**fields: str) -> str:
    """The JSON object whose values are JSON text already."""
    return "{" + ",".join(f'"{key}":{text}' for key, text in fields.items()) + "}"


def light_run(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run's JSON with only :data:`LIGHT_FACTS`."""
    facts = run["facts"]
    return {**run, "facts": {key: facts[key] for key in LIGHT_FACTS if key in facts}}


def _spelled(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: _spelled(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spelled(item) for item in value]
    return value
