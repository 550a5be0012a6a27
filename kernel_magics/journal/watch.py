"""Waiting until journals grow, without asking the disk all the time.

Linux says so by inotify(7), called through ``ctypes``; elsewhere, and where inotify is used up, the folder
is looked at every so often. inotify does not hear of what other machines write to a network file system, so
a watch on one always looks.

Stdlib only and Python 3.9.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
import sys
import time
from pathlib import Path
from typing import Dict, Optional, Set, Tuple

from kernel_magics import paths
from kernel_magics.journal import mounts

LOOK_S = 0.2
"""How often a folder is looked at where the system does not say what happened."""

_EVENT = struct.Struct("iIII")
_MODIFY, _MOVED_TO, _CREATE, _OVERFLOW, _IGNORED = 0x2, 0x80, 0x100, 0x4000, 0x8000
_ONLY_FOLDERS = 0x01000000


class JournalWatch:
    """Says which journals of a data folder have grown or appeared.

    Not thread-safe, but :meth:`wake` may be called from anywhere.

    Args:
        data: the data folder; its ``runs`` folder is made when missing.
        look: look at the folder instead of listening; ``None`` listens where that is possible.
    """

    def __init__(self, data: Path, *, look: Optional[bool] = None) -> None:
        self._runs = paths.runs_dir(data)
        paths.make_private_folder(self._runs)
        if look is None:
            look = mounts.is_network(self._runs)
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        self._inotify = None if look else _Inotify.open()
        self._folders: Dict[int, Path] = {}
        self._sizes: Dict[Path, Tuple[int, int]] = {}
        self._fresh = True
        self._inode = self._runs.stat().st_ino
        self._listen(self._runs)

    @property
    def listens(self) -> bool:
        """Whether the system says what happens, so that nothing is looked at in vain."""
        return self._inotify is not None

    def wait(self, timeout: Optional[float] = None) -> Set[Path]:
        """Wait until a journal has grown or appeared, :meth:`wake`, or ``timeout`` seconds have passed.

        Returns:
            The journals that changed since the last call, the first time all there are. Possibly one that did
            not change; never a change left out.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        self._begin_anew_if_replaced()
        if self._fresh:
            self._fresh = False
            found = self._look()
            if found:
                return found
        return self._wait_listening(deadline) if self._inotify is not None else self._wait_looking(deadline)

    def wake(self) -> None:
        """Make :meth:`wait` return now."""
        try:
            os.write(self._wake_write, b"w")
        except BlockingIOError:
            pass  # enough wakes are waiting

    def close(self) -> None:
        """Free what the system gave; a second call does nothing."""
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None
        for descriptor in (self._wake_read, self._wake_write):
            if descriptor >= 0:
                os.close(descriptor)
        self._wake_read = self._wake_write = -1

    def _begin_anew_if_replaced(self) -> None:
        """Somebody may delete the data folder and go on: the folder of that name is then another one."""
        try:
            inode = self._runs.stat().st_ino
        except FileNotFoundError:
            paths.make_private_folder(self._runs)
            inode = self._runs.stat().st_ino
        # The next folder may get the number of a deleted one; but then its watch has been taken from us.
        deaf = self._inotify is not None and self._runs not in self._folders.values()
        if inode != self._inode or deaf:
            self._inode, self._fresh = inode, True
            self._folders.clear()
            self._sizes.clear()
            self._listen(self._runs)

    def _wait_looking(self, deadline: Optional[float]) -> Set[Path]:
        while True:
            self._begin_anew_if_replaced()
            found = self._look()
            left = LOOK_S if deadline is None else min(LOOK_S, deadline - time.monotonic())
            if found or left <= 0 or self._woken(left):
                return found

    def _woken(self, timeout: float) -> bool:
        ready, _, _ = select.select([self._wake_read], [], [], max(0.0, timeout))
        return bool(ready and os.read(self._wake_read, 65536))

    def _look(self) -> Set[Path]:
        """Journals whose size or time differs from what they were; begins to listen to new folders."""
        found: Set[Path] = set()
        folders = _folders_in(self._runs)
        for gone in {path.parent for path in self._sizes} - folders:
            self._forget(gone)
        for folder in folders:
            if self._inotify is not None and folder not in self._folders.values():
                self._listen(folder)
            found |= self._look_into(folder)
        return found

    def _forget(self, folder: Path) -> None:
        for path in [path for path in self._sizes if path.parent == folder]:
            del self._sizes[path]

    def _look_into(self, folder: Path) -> Set[Path]:
        found: Set[Path] = set()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.endswith(".journal"):
                        status = entry.stat()
                        now = (status.st_size, status.st_mtime_ns)
                        path = folder / entry.name
                        if self._sizes.get(path) != now:
                            self._sizes[path] = now
                            found.add(path)
        except FileNotFoundError:
            pass  # removed meanwhile
        return found

    def _wait_listening(self, deadline: Optional[float]) -> Set[Path]:
        while self._inotify is not None:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._inotify.descriptor, self._wake_read], [], [], left)
            found = self._heard() if self._inotify.descriptor in ready else set()
            if self._wake_read in ready:
                os.read(self._wake_read, 65536)
                return found
            if found or not ready:
                return found
        return self._wait_looking(deadline)

    def _heard(self) -> Set[Path]:
        found: Set[Path] = set()
        for watch, mask, name in self._inotify.read() if self._inotify is not None else ():
            if mask & _OVERFLOW:
                return found | self._look()
            folder = self._folders.get(watch)
            if mask & _IGNORED or folder is None:
                self._folders.pop(watch, None)
            elif folder == self._runs:
                self._listen(folder / name)
                self._forget(folder / name)  # it may have been taken away and brought back as it was
                found |= self._look_into(folder / name)  # what was written before we listened
            elif name.endswith(".journal"):
                found.add(folder / name)
        return found

    def _listen(self, folder: Path) -> None:
        if self._inotify is None:
            return
        try:
            self._folders[self._inotify.add(folder)] = folder
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:  # fs.inotify.max_user_watches is used up: look instead
            self._inotify.close()
            self._inotify = None


def _folders_in(folder: Path) -> Set[Path]:
    try:
        with os.scandir(folder) as entries:
            return {folder / entry.name for entry in entries if entry.is_dir()}
    except FileNotFoundError:  # deleted at this moment; the next look begins anew
        return set()


class _Inotify:
    """inotify(7) through the C library."""

    def __init__(self, library: ctypes.CDLL, descriptor: int) -> None:
        self._library = library
        self.descriptor = descriptor

    @classmethod
    def open(cls) -> Optional[_Inotify]:
        """``None`` where there is no inotify, or no instance of it is left for this user."""
        if sys.platform != "linux":
            return None
        library = ctypes.CDLL(None, use_errno=True)
        if not hasattr(library, "inotify_init1"):
            return None
        descriptor = library.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        return None if descriptor < 0 else cls(library, descriptor)

    def add(self, folder: Path) -> int:
        """Listen to a folder; the watch's number.

        Raises:
            OSError: it is no folder any more, or no watch is left.
        """
        mask = _MODIFY | _CREATE | _MOVED_TO | _ONLY_FOLDERS
        watch = int(self._library.inotify_add_watch(self.descriptor, os.fsencode(folder), mask))
        if watch < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
        return watch

    def read(self) -> Set[Tuple[int, int, str]]:
        """What happened: the watch's number, what, and the name within the folder."""
        try:
            data = os.read(self.descriptor, 1 << 18)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return set()
            raise
        events: Set[Tuple[int, int, str]] = set()
        position = 0
        while position < len(data):
            watch, mask, _cookie, length = _EVENT.unpack_from(data, position)
            position += _EVENT.size
            name = os.fsdecode(data[position : position + length].rstrip(b"\0"))
            position += length
            events.add((watch, mask, name))
        return events

    def close(self) -> None:
        os.close(self.descriptor)
