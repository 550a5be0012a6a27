"""Runs into a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernel_magics.errors import DataFolderError
from kernel_magics.model import random_word

from .formats import format_of
from .rows import BLOCK, Block, Document, Progress, nothing

if TYPE_CHECKING:
    from kernel_magics.store.store import Store


def export_runs(
    store: Store,
    run_ids: Sequence[str],
    path: Path,
    format: str | None = None,
    on_progress: Progress = nothing,
) -> int:
    """Writes runs into a file; a file of that name is replaced when the new one is whole.

    Args:
        format: ``csv``, ``jsonl`` or ``parquet``; by default what the file's suffix says.

    Returns:
        The points that were written.

    Raises:
        UnknownRun: there is no such run. Nothing was written.
        UsageMistake: the format is not known, or what it needs is not installed.
        DataFolderError: the file cannot be written.
    """
    chosen = format_of(path, format)
    documents = [_document(store, run_id) for run_id in dict.fromkeys(run_ids)]
    counts = store.metric_summaries([document["id"] for document in documents])
    total = sum(one.count for found in counts.values() for one in found)
    written = 0

    def counted() -> Iterator[Block]:
        nonlocal written
        for block in _blocks(store, documents):
            yield block
            written += len(block.step)
            on_progress(written, total)

    unfinished = path.with_name(f".{path.name}.{random_word(6)}")
    try:
        chosen.write(unfinished, documents, counted())
        os.replace(unfinished, path)  # noqa: PTH105 - beside unlink, in one breath
    except OSError as error:
        raise DataFolderError(
            f"{path} cannot be written: {error.strerror or error}. Nothing was exported.",
            remedy="-o with another file",
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return written


def _document(store: Store, run_id: str) -> Document:
    metrics: list[dict[str, Any]] = []
    for info in store.metrics([run_id])[run_id]:
        meant = {"unit": info.unit, "better": info.better, "x": info.x}
        said = {key: value for key, value in meant.items() if value is not None}
        metrics.append({"name": info.name, "source": str(info.source), **said})
    return {**store.run(run_id).to_json(), "metrics": metrics}


def _blocks(store: Store, documents: Sequence[Document]) -> Iterator[Block]:
    for document in documents:
        for metric in document["metrics"]:
            names = document["id"], metric["name"], metric["source"]
            series = store.series(*names)
            for start in range(0, len(series), BLOCK):
                part = slice(start, start + BLOCK)
                yield Block(*names, series.step[part], series.time[part], series.value[part])
