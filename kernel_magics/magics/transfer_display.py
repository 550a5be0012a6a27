"""The live line of a transfer: how much of it is over, how fast, and what is in its way."""

from __future__ import annotations

import html
import re
import time
import uuid
from typing import Any, Callable, Dict, Optional

from gpu_provisioner.transfer_carrier import Advance

_CODE = re.compile("`([^`]*)`")
_PAUSE_S = 0.2
"""Least time between two updates of the display."""

Publish = Callable[..., Any]
"""``display_pub.publish(data, transient=…, update=…)``."""


class TransferLine:
    """One display, as text and as HTML, that follows one transfer.

    Args:
        what: what is brought over, and where to ("`model` to a100 (gpu1)").
    """

    def __init__(self, publish: Publish, what: str) -> None:
        self._publish, self._what = publish, what
        self._display_id = uuid.uuid4().hex
        self._began = time.monotonic()
        self._shown_at: Optional[float] = None
        self._trouble = ""
        self._ended = False

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        """Something that has no measure: packing, unpacking."""
        self._show(f"{self._what}: {text}", None)

    def advance(self, advance: Advance) -> None:
        """How far it has come; shown a few times a second, trouble at once."""
        now = time.monotonic()
        news = advance.trouble != self._trouble
        if not news and self._shown_at is not None and now - self._shown_at < _PAUSE_S:
            return
        self._trouble = advance.trouble
        share = advance.done / advance.total if advance.total else 1.0
        text = f"{self._what}: {size_text(advance.done)} of {size_text(advance.total)} ({share:.0%})"
        if advance.trouble:
            text += f". The line broke ({advance.trouble.strip()}); it goes on from there when it is back."
        elif self.elapsed_s > 1:
            text += f", {size_text(advance.done / self.elapsed_s)}/s"
        self._show(text, share)

    def done(self, text: str) -> None:
        """The last word."""
        self._ended = True
        self._show(text, None)

    def __enter__(self) -> TransferLine:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Nobody is left to believe that it still goes on; the exception that is shown says why."""
        if not self._ended:
            self.done(f"{self._what}: not done.")

    def _show(self, text: str, share: Optional[float]) -> None:
        bar = "" if share is None else f" <progress value='{share:.3f}' max='1'></progress>"
        marked = _CODE.sub(r"<code>\1</code>", html.escape(text))
        data = {"text/plain": text, "text/html": f"<div>{marked}{bar}</div>"}
        transient: Dict[str, Any] = {"display_id": self._display_id}
        self._publish(data, transient=transient, update=self._shown_at is not None)
        self._shown_at = time.monotonic()


def size_text(count: float) -> str:
    """Bytes for people, in powers of ten: ``200.0 MB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1000
    raise AssertionError  # the loop ends at GB
