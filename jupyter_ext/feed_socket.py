"""The feed's WebSocket."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tornado.websocket import WebSocketClosedError

from . import answers
from .errors import BadQuery
from .feed import Connection, Gone
from .handlers import SETTING
from .queries import Watch, json_body
from .reading_socket import ReadingSocket

if TYPE_CHECKING:
    from .services import Services


class FeedSocket(ReadingSocket):
    """Tells a browser what changes, and hears what it watches."""

    _connection: Connection | None = None
    _pushing: asyncio.Task[None] | None = None

    async def open(self, *args: Any, **kwargs: Any) -> None:
        """Says hello; from then on every change is told."""
        super().open(*args, **kwargs)
        services: Services = self.settings[SETTING]
        services.start()
        self._connection = services.feed.connect(self.send_slowly)
        self._pushing = services.push(self._greet(self._connection, services.version))

    async def _greet(self, connection: Connection, version: str) -> None:
        with suppress(Gone):
            await self.send_slowly(answers.feed_hello(version))
            await connection.push()

    async def on_message(self, message: str | bytes) -> None:
        """A watch replaces what is watched; anything else is answered by an ``error`` message."""
        try:
            watch = Watch.from_json(json_body(message))
        except BadQuery as mistake:
            with suppress(WebSocketClosedError):
                await self.write_message(answers.feed_error(mistake.message))
        else:
            if self._connection is not None:
                self._connection.watch(watch)

    def on_close(self) -> None:
        """Forgets the connection; nothing is kept for a browser that has gone."""
        if self._connection is not None:
            self.settings[SETTING].feed.disconnect(self._connection)
        if self._pushing is not None:
            self._pushing.cancel()
        super().on_close()
