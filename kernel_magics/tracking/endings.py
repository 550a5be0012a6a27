"""How a run ends, and how the record says it."""

from __future__ import annotations

import sys
import time
import traceback
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Union

from kernel_magics.model import RunStatus

Error = Union[BaseException, Mapping[str, Any], None]
"""What ended a run: an exception, or ``{ename, evalue, traceback: [str]}`` as a kernel shows it."""

_LONGEST_TRACEBACK = 1_000_000


def status_of(error: Optional[BaseException]) -> RunStatus:
    """The state a run is in when ``error`` (or nothing) ended it."""
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return RunStatus.FINISHED
    # A top-level await that is interrupted raises CancelledError.
    asyncio = sys.modules.get("asyncio")  # importing it takes 25 ms; without it nothing was awaited
    interrupts = (KeyboardInterrupt, asyncio.CancelledError) if asyncio else (KeyboardInterrupt,)
    if isinstance(error, interrupts):
        return RunStatus.INTERRUPTED
    return RunStatus.FAILED


@dataclass(frozen=True)
class Ending:
    """The last word of a writer."""

    status: RunStatus
    detail: str
    time: float
    error: Optional[Dict[str, Any]] = None

    @classmethod
    def of(cls, status: RunStatus, error: Error) -> Ending:
        """The ending by ``status``; the error, if any, with its traceback as text."""
        if error is None or status is RunStatus.FINISHED:
            return cls(status, "", time.time())
        if isinstance(error, Mapping):
            name, value = str(error.get("ename", "")), str(error.get("evalue", ""))
            return cls(status, f"{name}: {value}" if value else name, time.time(), dict(error))
        name = type(error).__name__
        value = _text_of(error)
        lines = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        content = {"ename": name, "evalue": value, "traceback": lines[-_LONGEST_TRACEBACK:].splitlines()}
        return cls(status, f"{name}: {value}" if value else name, time.time(), content)

    def as_finish(self) -> Dict[str, Any]:
        content: Dict[str, Any] = {"time": self.time, "status": str(self.status), "detail": self.detail}
        if self.error is not None:
            content["error"] = self.error
        return content

    def as_event(self) -> Dict[str, Any]:
        level = "info" if self.status is RunStatus.FINISHED else "error"
        return {**self.as_finish(), "name": f"process-{self.status}", "level": level}


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a __str__ of anybody's
        return "<unprintable>"
