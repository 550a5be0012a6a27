"""Trackside in a kernel: GPU kernels on demand and every run on the record.

::

    import kernel_magics as km
    run = km.init(project="digits", config={"lr": 0.1})
    run.log({"loss": 0.31})
    run.finish()

Importing this package imports nothing else; each name arrives when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional, Union

if TYPE_CHECKING:
    from pathlib import Path

    from kernel_magics.store import Store
    from kernel_magics.tracking import (
        Histogram,
        Html,
        Image,
        Table,
        active_run,
        define_metric,
        finish,
        init,
        log,
    )
    from kernel_magics.tracking.recorder import Run

__version__ = "0.1.0"

__all__ = [
    "Histogram",
    "Html",
    "Image",
    "Run",
    "Table",
    "active_run",
    "define_metric",
    "finish",
    "init",
    "load_ipython_extension",
    "log",
    "open_store",
    "unload_ipython_extension",
]

_TRACKING = frozenset(__all__) - {"load_ipython_extension", "open_store", "unload_ipython_extension"}


def __getattr__(name: str) -> Any:
    if name in _TRACKING:
        from kernel_magics import tracking

        return getattr(tracking, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> List[str]:
    return sorted({*globals(), *_TRACKING})


def open_store(path: Optional[Union[str, Path]] = None) -> Store:
    """The store of runs in the data folder ``path`` (default: this user's), a context manager.

    Raises:
        TracksideError: this is a remote kernel; runs are read at home.
        DataFolderError: the data folder cannot be read.
    """
    try:
        from kernel_magics.store import open_store as opened
    except ModuleNotFoundError as error:
        if error.name != "kernel_magics.store":
            raise
        from kernel_magics.errors import TracksideError

        raise TracksideError(
            "This cell runs on the remote machine, and runs are read at home, where the notebook is.",
            remedy="put %%local on the first line of the cell",
        ) from None
    return opened(path)


def load_ipython_extension(ip: Any) -> None:
    """``%load_ext kernel_magics``."""
    from kernel_magics import magics

    magics.register(ip)


def unload_ipython_extension(ip: Any) -> None:
    """``%unload_ext kernel_magics``."""
    from kernel_magics import magics

    magics.unregister(ip)
