"""The agent's log must not end the agent: on a full disk a line of it is lost, and that is all."""

from __future__ import annotations

import contextlib
import io
import os

_STDERR = 2


class LastingLog(io.TextIOBase):
    """Standard output and error of the agent: written as it comes, and never an exception."""

    encoding = "utf-8"

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            os.write(_STDERR, text.encode(errors="replace"))
        return len(text)

    def fileno(self) -> int:
        return _STDERR
