"""The first frame of every journal of a run, but for who writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple


@dataclass(frozen=True)
class RunHead:
    """What a run is called. Written into the first frame of every journal of the run."""

    id: str
    name: str
    project: str
    group: Optional[str]
    tags: Tuple[str, ...]
    created: float

    def to_json(self) -> Dict[str, Any]:
        return {
            "id": self.id,
            "project": self.project,
            "name": self.name,
            "group": self.group,
            "tags": list(self.tags),
            "created": self.created,
        }
