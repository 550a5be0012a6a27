"""Where ``init()`` asks whether a tracked cell is running: then it joins that cell's run.

The recorder knows no cells, and the cell tracker builds on the recorder; this small module lies
between them, so that neither imports the other at the wrong moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Optional, Tuple


@dataclass(frozen=True)
class Wish:
    """What ``km.init(…)`` was called with; what was not said is ``None`` or empty."""

    project: Optional[str] = None
    name: Optional[str] = None
    config: Mapping[str, Any] = field(default_factory=dict)
    tags: Tuple[str, ...] = ()
    group: Optional[str] = None


Joiner = Callable[[Wish], Any]

_joiner: Optional[Joiner] = None


def set_joiner(joiner: Optional[Joiner]) -> None:
    """From now on ``joiner`` answers :func:`join`; ``None`` ends that."""
    global _joiner
    _joiner = joiner


def join(wish: Wish) -> Any:
    """The run of the tracked cell that is running, brought up to ``wish``; ``None`` outside such a cell."""
    return _joiner(wish) if _joiner is not None else None
