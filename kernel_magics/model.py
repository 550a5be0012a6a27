"""The nouns of tracking: values that every part of ``kernel_magics`` shares.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

RUN_ID = re.compile(r"[a-z0-9][a-z0-9-]{5,62}[a-z0-9]")
"""What a run id may look like. Checked before an id touches a path or a URL."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case


class RunStatus(str, Enum):
    """State of a run, derived from facts and never from a missed heartbeat."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    KILLED = "killed"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


class MetricSource(str, Enum):
    """Where a metric's numbers come from; series of different sources are never mixed."""

    LOGGED = "logged"
    INFERRED = "inferred"
    SYSTEM = "system"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class CaptureSettings:
    """What is recorded without asking: the ``[capture]`` section of ``trackside.toml``.

    Attributes:
        source: the cell's source.
        outputs: the cell's outputs.
        diff: what differs from the git commit.
        packages: names and versions of what is installed.
        environment: environment variables, secrets masked.
        inferred_metrics: numbers found in outputs.
        frameworks: what a framework's own logger is given (``SummaryWriter.add_scalar``).
        note: not what is recorded, but whether a tracked cell that went well says so in one line.
    """

    source: bool = True
    outputs: bool = True
    diff: bool = True
    packages: bool = True
    environment: bool = False
    inferred_metrics: bool = True
    frameworks: bool = True
    note: bool = True

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> CaptureSettings:
        """From a mapping; keys of newer versions are ignored, missing ones have their default."""
        return cls(**{name: bool(given[name]) for name in cls.__dataclass_fields__ if name in given})


@dataclass(frozen=True)
class RunInfo:
    """One run as the store knows it.

    Attributes:
        id: sortable, path-safe identifier, see :data:`RUN_ID`.
        status: see :class:`RunStatus`.
        status_detail: a sentence ("killed by signal 9 (SIGKILL)", "ValueError: …"), or "".
        created: seconds since the epoch.
        finished: seconds since the epoch, ``None`` while it runs.
        config: what the run was configured with, flat or nested, JSON values.
        summary: what the user put there and the last value of every logged metric.
        facts: everything recorded without asking: ``python``, ``platform``, ``packages``, ``git``,
            ``notebook``, ``cell_id``, ``source``, ``host``, ``lease``, ``gpus``, ``price`` …; keys may be
            absent.
        error: ``{"ename", "evalue", "traceback": [str, …]}`` of a failed run, else ``None``.
        notes: what somebody wrote about it.
        colour: number of the line style that somebody chose, counted as in
            :mod:`kernel_magics.figures.palette`; ``None``: from its id.
        pinned: stands above the others in lists.
        archived: left out of lists unless asked for.
        extremes: name of a logged metric to ``(min, max, better)`` of its finite values; ``better`` is
            ``"lower"``, ``"higher"`` or ``None``, the numbers are ``None`` where there is none.
    """

    id: str
    name: str
    project: str
    status: RunStatus
    status_detail: str = ""
    group: Optional[str] = None
    tags: Tuple[str, ...] = ()
    created: float = 0.0
    finished: Optional[float] = None
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    error: Optional[Mapping[str, Any]] = None
    notes: str = ""
    colour: Optional[int] = None
    pinned: bool = False
    archived: bool = False
    extremes: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def cost_usd(self, now: float) -> Optional[float]:
        """Price × time up to ``now`` (seconds since the epoch), in US dollars; ``None`` if no price is known.

        An estimate: the machine cost as much before and after the run, and beside it.
        """
        price = self.facts.get("price")
        per_hour = price.get("usd_per_hour") if isinstance(price, Mapping) else None
        if not isinstance(per_hour, (int, float)) or isinstance(per_hour, bool) or not self.created:
            return None
        end = self.finished
        if end is None and self.status == RunStatus.RUNNING:
            end = now
        return None if end is None else max(0.0, end - self.created) / 3600 * per_hour

    def to_json(self) -> Dict[str, Any]:
        """The run as the REST interface and the feed spell it (see ``jupyter_ext/openapi.yaml``)."""
        return {
            "id": self.id,
            "name": self.name,
            "project": self.project,
            "status": str(self.status),
            "status_detail": self.status_detail,
            "group": self.group,
            "tags": list(self.tags),
            "created": self.created,
            "finished": self.finished,
            "config": dict(self.config),
            "summary": dict(self.summary),
            "facts": dict(self.facts),
            "error": dict(self.error) if self.error is not None else None,
            "notes": self.notes,
            "colour": self.colour,
            "pinned": self.pinned,
            "archived": self.archived,
            "extremes": dict(self.extremes),
        }


@dataclass(frozen=True)
class MetricInfo:
    """One metric of one run: its name, where it comes from, and how it is meant."""

    name: str
    source: MetricSource = MetricSource.LOGGED
    unit: Optional[str] = None
    better: Optional[str] = None
    """``"lower"``, ``"higher"`` or ``None`` when nobody said."""
    x: Optional[str] = None
    """The metric of the same source over which it is meant to be drawn; ``None``: the step."""


def new_run_id(now: Optional[float] = None) -> str:
    """A new run id such as ``20261122-141503-k3f9qz``: sorts by UTC time, unique, safe in a path."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    return f"{stamp}-{random_word(6)}"


def random_word(length: int) -> str:
    """``length`` random characters that are safe in paths and easy to read aloud."""
    # 32 letters: five bits of a byte choose one evenly. `secrets` would bring hmac and OpenSSL into memory.
    return "".join(_ALPHABET[byte & 31] for byte in os.urandom(length))


def is_run_id(text: str) -> bool:
    """Whether ``text`` may be used as a run id (and so as a folder name)."""
    return RUN_ID.fullmatch(text) is not None


def counted(number: int, noun: str) -> str:
    """How many there are, as a sentence says it: ``1 run``, ``12,000 runs``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
