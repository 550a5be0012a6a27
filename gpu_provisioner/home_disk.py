"""Waiting for room: the home disk is full while a kernel far away goes on talking.

Nothing is thrown away and nothing is asked twice. Whoever writes home waits; what has not come yet waits in
the agent's spool; the line stays up, so that Ctrl-C still goes out.
"""

from __future__ import annotations

import errno
import threading
import time
from pathlib import Path
from typing import Callable

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_TRY_AGAIN_S = 0.5


class HomeDisk:
    """Writes that wait for room.

    Args:
        data_dir: the data folder, for the message.
        say: told once when the disk is full, and once when it takes something again.
    """

    def __init__(self, data_dir: Path, say: Callable[[str], None]) -> None:
        self._data_dir = data_dir
        self._say = say
        self._full = False
        self._full_since = 0.0
        self._given_up = threading.Event()

    def write(self, action: Callable[[], None], go_on: Callable[[], bool]) -> None:
        """Do ``action``, which does all or nothing; while the disk is full, again and again.

        Args:
            go_on: asked after a failure; False gives up.

        Raises:
            OSError: another reason than a full disk, or it was given up.
        """
        while True:
            try:
                action()
            except OSError as error:
                if error.errno not in _FULL or not go_on():
                    raise
                self._is_full(error)
                if self._given_up.wait(_TRY_AGAIN_S):
                    raise
            else:
                break
        if self._full:
            self._full = False
            self._say("There is room on this disk again. What had to wait follows.")

    def full_for_s(self) -> float:
        """For how many seconds there has been no room; 0.0 while there is."""
        return time.monotonic() - self._full_since if self._full else 0.0

    def give_up(self) -> None:
        """Nobody waits from now on; a write for which there is no room fails."""
        self._given_up.set()

    def _is_full(self, error: OSError) -> None:
        if not self._full:
            self._full, self._full_since = True, time.monotonic()
            self._say(
                f"The disk of the data folder {self._data_dir} is full ({error.strerror}). What the kernel "
                "says waits on its machine and nothing is lost; make room and it goes on by itself. Ctrl-C "
                "still reaches the kernel; other cells wait behind this one."
            )
