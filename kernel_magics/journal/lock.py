"""Who is alive: the lock that a journal's writer holds as long as its process lives.

POSIX record locks (``lockf``) are freed by the kernel when a process dies, however it dies, and are not
inherited by a fork. They also vanish when the process closes *any* descriptor of the locked file
(POSIX.1-2017, fcntl), so the lock lives in ``<writer_id>.lock`` beside the journal, and a process that asks
about a lock of its own looks into a registry instead of opening the file.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path
from typing import Dict, Optional

try:
    import fcntl

    _HAS_LOCKS = True
except ImportError:  # Windows: no POSIX locks; the state of a run without a finish is then unknown
    _HAS_LOCKS = False

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})
_own: Dict[str, int] = {}  # real path of a lock file -> descriptor, of the locks this process holds
_guard = threading.Lock()


def lock_path(journal: Path) -> Path:
    """The lock file that belongs to a journal."""
    return journal.with_suffix(".lock")


def acquire(path: Path) -> bool:
    """Hold the lock ``path`` until :func:`release` or the end of this process.

    Returns:
        Whether it is held. ``False`` means that the file system offers no locks; no file stays behind then,
        and a missing lock file tells readers that liveness cannot be known.

    Raises:
        OSError: the file cannot be made.
    """
    if not _HAS_LOCKS:
        return False
    with _guard:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock_exclusively(descriptor)
        except OSError as error:
            os.close(descriptor)
            if error.errno not in _NO_LOCKS:
                raise
            path.unlink()
            return False
        _own[os.path.realpath(path)] = descriptor
        return True


def _lock_exclusively(descriptor: int) -> None:
    """The name is new, so only a reader's probe can be in the way, for microseconds. Never waits for ever."""
    for _ in range(200):
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
        time.sleep(0.005)
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def release(path: Path) -> None:
    """Give the lock back; a lock that is not held is fine. The file stays: it says "was written here"."""
    with _guard:
        descriptor = _own.pop(os.path.realpath(path), None)
        if descriptor is not None:
            os.close(descriptor)


def is_held(path: Path) -> Optional[bool]:
    """Whether a living process on this host holds the lock ``path``.

    Returns:
        ``None`` when it cannot be known: no lock file (the journal came from another machine, or its file
        system offers no locks), or locks cannot be asked for here.
    """
    if not _HAS_LOCKS:
        return None
    with _guard:
        if os.path.realpath(path) in _own:
            return True
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would wait
        except OSError:
            return None
        try:
            # A shared lock: readers that probe at the same instant do not see each other.
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return True if error.errno in (errno.EACCES, errno.EAGAIN) else None
        finally:
            os.close(descriptor)
        return False


def _forget_inherited() -> None:
    """In a forked child: the parent's locks are not ours. Closing a copy does not free the parent's lock."""
    global _guard
    _guard = threading.Lock()
    for descriptor in _own.values():
        os.close(descriptor)
    _own.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited)
