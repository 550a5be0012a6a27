"""Parquet, by pyarrow where it is installed. The documents of the runs are in the schema's metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kernel_magics.errors import UsageMistake

from .rows import COLUMNS, Block, Content, Document, checked

_KEY = b"trackside"


def check() -> None:
    """Raises :class:`UsageMistake` where pyarrow is not installed."""
    _pyarrow()


def _pyarrow() -> Any:
    try:
        import pyarrow  # type: ignore[import-untyped, unused-ignore]
        import pyarrow.parquet  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise UsageMistake(
            "Parquet needs pyarrow, which is not installed; CSV and JSON lines need nothing.",
            remedy="pip install pyarrow, or --format csv",
        ) from error
    return pyarrow


def write(path: Path, documents: list[Document], blocks: Iterable[Block]) -> None:
    """Documents and blocks as one Parquet file."""
    pa = _pyarrow()
    word = pa.dictionary(pa.int32(), pa.string())
    types = (word, word, word, pa.int64(), pa.float64(), pa.float64())
    schema = pa.schema(list(zip(COLUMNS, types, strict=True)), {_KEY: json.dumps(documents).encode()})
    with pa.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for block in blocks:
            codes = pa.array(np.zeros(len(block.step), np.int32))
            names = [pa.DictionaryArray.from_arrays(codes, [name]) for name in block[:3]]
            writer.write_batch(pa.record_batch([*names, *map(pa.array, block[3:])], schema=schema))


def read(path: Path) -> Content:
    """The inverse of :func:`write`."""
    pa = _pyarrow()
    try:
        file = pa.parquet.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise ValueError(f"it is not Parquet ({error})") from None
    missing = [name for name in COLUMNS if name not in file.schema_arrow.names]
    if missing:
        raise ValueError(f"it has no column {missing[0]!r}; it must have {', '.join(COLUMNS)}")
    documents = json.loads((file.schema_arrow.metadata or {}).get(_KEY, b"[]"))
    return [checked(document) for document in documents], _blocks(pa, file)


def _blocks(pa: Any, file: Any) -> Iterator[Block]:
    for batch in file.iter_batches(columns=list(COLUMNS)):
        names = [batch.column(name).cast(pa.string()).dictionary_encode() for name in COLUMNS[:3]]
        codes = [np.asarray(column.indices) for column in names]
        changed = np.any([code[1:] != code[:-1] for code in codes], axis=0)
        edges = [0, *(np.flatnonzero(changed) + 1).tolist(), len(batch)]
        step = batch.column("step").cast(pa.int64()).to_numpy()
        time, value = (
            batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False) for name in COLUMNS[4:]
        )
        for start, stop in zip(edges[:-1], edges[1:], strict=True):
            if stop > start:
                spelled = [
                    one.dictionary[code[start]].as_py() for one, code in zip(names, codes, strict=True)
                ]
                run, metric, source = spelled
                yield Block(run, metric, source, step[start:stop], time[start:stop], value[start:stop])
