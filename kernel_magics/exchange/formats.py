"""The formats by name: how each is written and read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

from kernel_magics.errors import UsageMistake

from . import parquet, text
from .rows import Block, Content, Document


class _Write(Protocol):
    def __call__(self, path: Path, documents: list[Document], blocks: Iterable[Block], /) -> None: ...


class Format(NamedTuple):
    """A file format.

    Attributes:
        write: writes documents and blocks into a file that is not there yet.
        read: documents, and blocks while they are asked for; raises ``ValueError`` with a sentence.
        check: raises :class:`UsageMistake` when the format cannot be used here.
    """

    write: _Write
    read: Callable[[Path], Content]
    check: Callable[[], None] = lambda: None


FORMATS = {
    "csv": Format(text.write_csv, text.read_csv),
    "jsonl": Format(text.write_jsonl, text.read_jsonl),
    "parquet": Format(parquet.write, parquet.read, parquet.check),
}
_SUFFIXES = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet"}


def format_of(path: Path, name: str | None = None) -> Format:
    """The format of a file, by ``name`` or by the file's suffix.

    Raises:
        UsageMistake: there is no such format, or what it needs is not installed.
    """
    chosen = name or _SUFFIXES.get(path.suffix.lower())
    if chosen not in FORMATS:
        raise UsageMistake(
            f"The format of {path.name} is not known; known are {', '.join(FORMATS)}.",
            remedy="--format jsonl",
        )
    FORMATS[chosen].check()
    return FORMATS[chosen]
