"""Opening the store of a data folder."""

from __future__ import annotations

import os
from pathlib import Path

from kernel_magics import paths
from kernel_magics.errors import DataFolderError

from .index import Index
from .store import Store

OPENING_S = 0.3
"""How long opening a store ingests before it answers with what there is, which is something of every run."""


def open_store(path: str | os.PathLike[str] | None = None, *, ingest: bool = True) -> Store:
    """The store of a data folder.

    A long backlog is not waited for: after ``OPENING_S`` the store opens with the newest data of every run,
    and what is asked of a run is completed first.

    Args:
        path: the data folder; by default ``$TRACKSIDE_DIR`` or ``<jupyter_data_dir>/trackside``.
        ingest: ``False`` for a process that leaves the index to another one (Jupyter Server's does).

    Raises:
        DataFolderError: the folder cannot be read.
    """
    data_dir = Path(path).expanduser().absolute() if path is not None else paths.data_dir()
    if data_dir.exists() and not (data_dir.is_dir() and os.access(data_dir, os.R_OK | os.X_OK)):
        raise DataFolderError(
            f"The data folder {data_dir} cannot be read.", remedy="set TRACKSIDE_DIR to a folder of yours"
        )
    store = Store(Index(data_dir, ingest=ingest))
    if ingest:
        store.refresh(limit_s=OPENING_S)
    return store
