"""Questions to an index that may be damaged: it is built anew, and asked again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from kernel_magics.errors import DataFolderError

from .encoding import IndexDamage
from .index import Index

Answer = TypeVar("Answer")
_DAMAGE = (sqlite3.DatabaseError, IndexDamage, json.JSONDecodeError)
_OF_THE_DISK = ("full", "readonly", "unable to open", "disk i/o", "locked")


def ask(index: Index, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
    """The answer to a question, all of it from one view of the index."""

    def look() -> Answer:
        with index.reading() as sql:
            return question(sql)

    return mended(index, look)


def mended(index: Index, act: Callable[[], Answer]) -> Answer:
    """``act()``; when the index turns out to be damaged, once more with one built anew.

    Raises:
        DataFolderError: the disk does not let the index be used.
    """
    try:
        return act()
    except _DAMAGE:
        index.close()
    try:
        return act()  # the index may have been replaced under the connection
    except _DAMAGE as error:
        _raise_if_of_the_disk(error)
        index.close()
        index.rebuild()
    try:
        return act()
    except _DAMAGE as error:
        _raise_if_of_the_disk(error)
        raise  # a fresh index answers the same: the fault is ours


def _raise_if_of_the_disk(error: Exception) -> None:
    if any(word in str(error).lower() for word in _OF_THE_DISK):
        raise DataFolderError(
            f"The index cannot be used: {error}. What was recorded is safe in the journals.",
            remedy="free some disk space, or set XDG_CACHE_HOME to a folder that you may write",
        ) from error
