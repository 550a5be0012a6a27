"""``%%track``: the cell below is a run on the record."""

from __future__ import annotations

from typing import Any, List

from kernel_magics.errors import UsageMistake
from kernel_magics.tracking.cell import CellTracker
from kernel_magics.tracking.cell_script import run_body

_TRACKER = "_trackside_cell_tracker"


def track(line: str, cell: str) -> None:
    """Put this cell on the record as a run.

    ::

        %%track [NAME] [--project P] [--tag T]… [--group G]
                [--no-source] [--no-outputs] [--no-diff] [--no-packages] [--no-environment] [--no-inferred]
                [--no-frameworks] [--no-note]

    Recorded without asking: the cell's source and what changed since it last ran, its outputs, metrics it
    prints, settings it writes down (``lr = 0.1``), how it ended. The run is bound to ``run``, and ``km.log``
    (``import kernel_magics as km``) goes to it. An exception stays an exception, and makes the run *failed*.
    A cell that went well says which run it was, in a line that is not recorded.

    Example::

        %%track lr-sweep --project digits --tag baseline
        lr = 0.1
        for epoch in range(3):
            run.log({"loss": 1 / (epoch + lr)}, step=epoch)
    """
    # In a notebook the line is a comment when the cell runs, and nobody calls this function. It is reached
    # from scripts that a notebook was converted to, and from code that calls run_cell_magic().
    from IPython import get_ipython

    __tracebackhide__ = True  # IPython leaves such frames out
    shell = get_ipython()
    tracker = getattr(shell, _TRACKER, None)
    if tracker is None or not tracker.installed:
        raise UsageMistake("%%track is not loaded. The cell did not run.", remedy="%load_ext kernel_magics")
    run_body(shell, tracker, line, cell)


def register(shell: Any) -> None:
    """Offer ``%%track`` in an IPython shell; again is the same as once."""
    tracker = getattr(shell, _TRACKER, None)
    if tracker is None:
        tracker = CellTracker(shell)
        setattr(shell, _TRACKER, tracker)
    tracker.install()
    shell.register_magic_function(track, "cell", "track")


def unregister(shell: Any) -> None:
    """The inverse of :func:`register`. A tracked cell that is running now is recorded to its end.

    The tracker stays with the shell, for a later :func:`register`: it knows that cell, and the cells before.
    """
    tracker = getattr(shell, _TRACKER, None)
    if tracker is not None:
        tracker.uninstall()
        shell.magics_manager.magics["cell"].pop("track", None)


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext kernel_magics.magics.track``: this magic alone."""
    register(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext kernel_magics.magics.track``."""
    unregister(shell)


__all__: List[str] = ["load_ipython_extension", "register", "track", "unload_ipython_extension", "unregister"]
