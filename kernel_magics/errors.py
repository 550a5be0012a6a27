"""Errors that Trackside shows to people.

::

    TracksideError            what happened, what it costs, what to type next
    ├── UsageMistake          a magic or a call was written wrongly; nothing was done
    ├── ConfigurationError    trackside.toml is wrong: file, line, what was expected
    ├── DataFolderError       the data folder cannot be read or written
    ├── JournalError          a journal cannot be read at all (not ours, or from a newer version)
    ├── UnknownRun            no such run in this store
    └── KernelLost            the remote kernel or its agent has gone

In a notebook IPython calls ``_render_traceback_``, so a user's mistake shows one or two sentences
and never a traceback of ours.
"""

from __future__ import annotations

import sys
from typing import List, Optional


class TracksideError(Exception):
    """An error for a person: a sentence that says what happened, and a remedy to type.

    Args:
        message: what happened and what it costs, in whole sentences.
        remedy: what to type or do next; ``None`` when nothing can be done.
    """

    def __init__(self, message: str, remedy: Optional[str] = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\nTry: {self.remedy}" if self.remedy else self.message

    def _render_traceback_(self) -> List[str]:
        return [f"{type(self).__name__}: {self}"]


def typed_here(magic: str, command: str) -> str:
    """What to type where this code runs: ``magic`` in IPython and notebooks, else the shell's ``command``."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return command if shell is None else magic


class UsageMistake(TracksideError):
    """A magic or a call was written wrongly. Nothing was done."""


class ConfigurationError(TracksideError):
    """``trackside.toml`` is wrong; the message names file, line and what was expected."""


class DataFolderError(TracksideError):
    """The data folder cannot be read or written."""


class JournalError(TracksideError):
    """A file is not a journal, or comes from a newer version of the format."""


class UnknownRun(TracksideError):
    """No run of that id is in this store."""


class KernelLost(TracksideError):
    """The remote kernel, or the agent beside it, has gone."""
