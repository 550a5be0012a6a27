"""Imports, and locks of the standard library, in threads of ours, which a fork must not cut in two.

A fork copies ``sys.modules`` as it is. A module that another thread is importing at this moment stays half
made in the child for ever: ``import subprocess`` there gives a module without ``Popen``. A training that
forks its workers right after ``init()`` would meet that, so forks wait until our import is done.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import Iterator

PATIENCE_S = 10.0
"""How long a fork waits for an import, which may hang on a file system that does not answer."""

_importing = threading.RLock()
_held = threading.local()


@contextmanager
def whole_imports() -> Iterator[None]:
    """Around ``import`` statements in a thread, and what locks: this process does not fork meanwhile."""
    with _importing:
        yield


def _before_fork() -> None:
    _held.forking = _importing.acquire(timeout=PATIENCE_S)


def _after_fork_in_parent() -> None:
    if _held.forking:
        _importing.release()


def _after_fork_in_child() -> None:
    global _importing
    _importing = threading.RLock()  # also when a hanging import held the other one


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
