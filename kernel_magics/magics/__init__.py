"""IPython magics, and what ``%load_ext kernel_magics`` installs.

On a GPU machine (``TRACKSIDE_ROLE=remote``) only ``%%track`` is offered; the other parts stay at home
and are not even there.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, Iterator

_EVERYWHERE = ("track",)
_AT_HOME = ("runs", "provision", "local")
"""In this order: ``local`` puts its input transformer around those of the others."""


def register(ip: Any) -> None:
    """Install the magics in an IPython shell. Installing them twice is the same as once."""
    for part in _parts():
        part.register(ip)


def unregister(ip: Any) -> None:
    """The inverse of :func:`register`. A remote kernel goes on; cells run here again."""
    for part in reversed(list(_parts())):
        part.unregister(ip)


def _parts() -> Iterator[Any]:
    remote = os.environ.get("TRACKSIDE_ROLE") == "remote"
    for name in _EVERYWHERE if remote else _EVERYWHERE + _AT_HOME:
        yield importlib.import_module(f"{__name__}.{name}")
