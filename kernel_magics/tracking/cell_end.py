"""How a cell ended: the status and the error its run gets."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional

from kernel_magics.model import RunStatus


@dataclass(frozen=True)
class Ending:
    """The last word on a cell. ``error`` is ``{"ename", "evalue", "traceback"}``."""

    status: RunStatus
    error: Optional[Dict[str, Any]] = None
    execution_count: Optional[int] = None


def how_it_ended(
    error: Optional[BaseException],
    shown: Optional[Mapping[str, Any]],
    *,
    interrupted: bool,
    display_failed: bool,
    execution_count: Optional[int] = None,
) -> Ending:
    """The ending of a cell.

    Args:
        error: what its code raised, or ``None``.
        shown: the last error message the cell showed, ``{"ename", "evalue", "traceback"}``.
        interrupted: whether somebody cancelled the task the cell ran in.
        display_failed: the code went well and showing its result did not; Jupyter calls that an error.
    """
    if error is None and not display_failed:
        return Ending(RunStatus.FINISHED, None, execution_count)
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return Ending(RunStatus.FINISHED, None, execution_count)
    status = RunStatus.FAILED
    if isinstance(error, KeyboardInterrupt) or (isinstance(error, asyncio.CancelledError) and interrupted):
        status = RunStatus.INTERRUPTED
    return Ending(status, _described(error, shown), execution_count)


def _described(error: Optional[BaseException], shown: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    """The traceback as the cell showed it, where it showed one; else our own."""
    if error is None:
        return (
            dict(shown)
            if shown
            else {"ename": "", "evalue": "The result could not be shown.", "traceback": []}
        )
    name = type(error).__name__
    if shown and shown.get("ename") == name:
        return dict(shown)
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    return {"ename": name, "evalue": str(error), "traceback": "".join(lines).splitlines()}


def running_task() -> Optional[asyncio.Task[Any]]:
    """The asyncio task a cell runs in, if it runs in one."""
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def was_cancelled(task: Optional[asyncio.Task[Any]]) -> bool:
    """Whether an interrupt cancelled the cell's task. ipykernel interrupts a top-level ``await`` that way.

    Before Python 3.11 a task does not count its cancellations, and every ``CancelledError`` that ends a cell
    is taken for one.
    """
    cancelling = getattr(task, "cancelling", None)
    return True if cancelling is None else cancelling() > 0
