"""A look that is taken again and again on the server's event loop, begun and ended once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress


class Repeated:
    """One coroutine that runs until it is stopped.

    Args:
        look: never returns by itself.
    """

    def __init__(self, look: Callable[[], Awaitable[None]]) -> None:
        self._look = look
        self._task: asyncio.Future[None] | None = None

    def start(self) -> None:
        """Begin; returns at once, can be called again."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._look())

    async def stop(self) -> None:
        """End; returns when it has ended, can be called again."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
