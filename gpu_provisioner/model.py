"""The nouns of provisioning. Frozen values; units are in the names.

Stdlib only and Python 3.9: the agent shares this module.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any, Callable, Dict, Mapping, Optional, Tuple


@dataclass(frozen=True)
class GpuRequest:
    """What the user asked for: one alternative of ``%gpu_provision A --or B``.

    Attributes:
        text: as typed, for messages.
        model: canonical name (``"a100"``, ``"a100-80gb"``), ``None`` for any GPU; ``"cpu"`` for none.
        count: how many GPUs; 0 for ``cpu``.
        min_memory_gib: least memory of each GPU, in GiB.
    """

    text: str
    model: Optional[str] = None
    count: int = 1
    min_memory_gib: Optional[float] = None

    @property
    def is_cpu(self) -> bool:
        return self.model == "cpu"


@dataclass(frozen=True)
class Gpu:
    """One physical GPU as NVML describes it."""

    index: int
    name: str
    uuid: str
    memory_gib: float
    model: str
    """Canonical name from :mod:`gpu_provisioner.gpus`."""
    busy: bool = False
    busy_reason: str = ""


@dataclass(frozen=True)
class Offer:
    """Something that can be had now: a target, and what a kernel there would get.

    Attributes:
        provider: ``"local"``, ``"ssh"``, …
        target: name of the target in the configuration; ``"local"`` for this machine.
        device: canonical name of the GPU, or ``"cpu"``.
        gpus: the very GPUs that would be used; empty for ``cpu``.
        usd_per_hour: price of the whole offer; ``None`` when no price is known, 0.0 when it costs nothing.
        detail: one line for people ("NVIDIA A100-SXM4-80GB, 80 GiB, free").
    """

    provider: str
    target: str
    device: str
    gpus: Tuple[Gpu, ...] = ()
    usd_per_hour: Optional[float] = None
    price_as_of: Optional[str] = None
    detail: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> Dict[str, Any]:
        """The offer as the REST interface spells it."""
        return {**asdict(self), "options": dict(self.options)}


class LeaseState(str, Enum):
    """State of a lease. ``PLANNED`` is written down before anything is rented."""

    PLANNED = "planned"
    STARTING = "starting"
    READY = "ready"
    LOST = "lost"
    RELEASED = "released"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Lease:
    """A machine (or a part of one) that a kernel of ours may use, until it is released.

    Attributes:
        id: path-safe (``[a-z0-9-]``), also the tag by which an orphan is found.
        name: what the user calls it; ``%gpu_attach NAME``.
        notebook: path of the notebook that asked, when known.
        kernel_id: id of the notebook's local kernel (Jupyter Server's), when known.
        machine: host name as the agent reports it, once it runs.
        handle: what only the provider understands (a job id, a pod name, a folder).
    """

    id: str
    name: str
    provider: str
    target: str
    spec: str
    state: LeaseState
    created: float
    device: str = "cpu"
    gpus: Tuple[Gpu, ...] = ()
    machine: str = ""
    notebook: Optional[str] = None
    kernel_id: Optional[str] = None
    usd_per_hour: Optional[float] = None
    price_as_of: Optional[str] = None
    released: Optional[float] = None
    detail: str = ""
    handle: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> Dict[str, Any]:
        """The lease as its file, the REST interface and the feed spell it."""
        return {**asdict(self), "state": str(self.state), "handle": dict(self.handle)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Lease:
        """The inverse of :meth:`to_json`; keys of newer versions are ignored.

        Raises:
            KeyError, TypeError, ValueError: a key is missing, or says what it cannot.
        """
        known = {key: data[key] for key in cls.__dataclass_fields__ if key in data}
        for key, value in known.items():
            if not _MAY_BE[key](value):
                raise ValueError(f"{key} of a lease cannot be {str(value)[:80]}")
        known["state"] = LeaseState(known["state"])
        known["gpus"] = tuple(Gpu(**gpu) for gpu in known.get("gpus", ()))
        return cls(**known)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e11


_MAY_BE: Dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("id", "name", "provider", "target", "spec", "state", "device"), _is_text),
    **dict.fromkeys(("machine", "detail"), _is_text),
    **dict.fromkeys(("notebook", "kernel_id", "price_as_of"), lambda value: value is None or _is_text(value)),
    "created": _is_number,
    **dict.fromkeys(("released", "usd_per_hour"), lambda value: value is None or _is_number(value)),
    "gpus": lambda value: isinstance(value, (list, tuple)),
    "handle": lambda value: isinstance(value, Mapping),
}
"""What each key of a lease's file may say; times are in seconds since the epoch."""
