"""What has to be put right in a forked child, for as long as it lives.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

import os
import weakref
from typing import Any, Callable, TypeVar

Owner = TypeVar("Owner")

_owners: weakref.WeakKeyDictionary[Any, Callable[[Any], None]] = weakref.WeakKeyDictionary()


def after_fork(owner: Owner, act: Callable[[Owner], None]) -> None:
    """Have ``act(owner)`` called in every forked child, as long as there is such an owner."""
    _owners[owner] = act


def _in_child() -> None:
    for owner, act in list(_owners.items()):
        act(owner)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
