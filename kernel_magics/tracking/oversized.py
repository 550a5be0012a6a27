"""A record that is longer than a frame.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional

from kernel_magics.journal import format as fmt
from kernel_magics.tracking.jsonable import shortened


class Cut(NamedTuple):
    """What is left of a record, and what is said of it.

    Attributes:
        payload: ``None`` when even that is too long.
        key: the same for records that one sentence is enough for.
        event: the name under which it is noted.
    """

    payload: Optional[bytes]
    key: str
    told: str
    event: str


def cut_to_size(kind: fmt.Kind, content: Dict[str, Any]) -> Cut:
    """The record with its long texts cut, so that it fits into a frame if it can."""
    payload = fmt.pack_json(shortened(content))
    fits = len(payload) <= fmt.MAX_PAYLOAD
    names = ", ".join(f"{key[:40]!r}" for key in content)
    what = "long texts in it are cut" if fits else "it is not recorded"
    told = (
        f"A {kind.name.lower()} record ({names}) is longer than the {fmt.MAX_PAYLOAD >> 20} MiB a journal"
        f" takes at once; {what}, and everything else is kept."
    )
    event = "record-cut" if fits else "record-too-large"
    return Cut(payload if fits else None, f"large {kind} {names}", told, event)
