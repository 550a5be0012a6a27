"""The feed's WebSocket."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from . import answers
from .errors import BadQuery
from .feed import Connection, Gone
from .handlers import AUTH_RESOURCE, SETTING
from .queries import Watch, json_body

if TYPE_CHECKING:
    from .services import Services

LONGEST_MESSAGE = 4 * 1024 * 1024
"""Bytes of one message of the browser; the largest watch that is allowed is smaller."""


class FeedSocket(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """Accepts a browser that may read, tells it what changes, and hears what it watches."""

    auth_resource = AUTH_RESOURCE
    _connection: Connection | None = None
    _pushing: asyncio.Task[None] | None = None

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Checks user and authorizer before the connection is accepted."""
        user = self.current_user
        if user is None or not await ensure_async(
            self.authorizer.is_authorized(self, user, "read", AUTH_RESOURCE)
        ):
            raise HTTPError(403)
        await super().get(*args, **kwargs)

    @property
    def max_message_size(self) -> int:
        """Tornado closes a connection that sends more than this at once."""
        return LONGEST_MESSAGE

    async def open(self, *args: Any, **kwargs: Any) -> None:
        """Says hello; from then on every change is told."""
        super().open(*args, **kwargs)
        services: Services = self.settings[SETTING]
        services.start()
        self._connection = services.feed.connect(self._send)
        await self.write_message(answers.feed_hello(services.version))
        self._pushing = asyncio.create_task(self._connection.push())

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

    async def _send(self, message: str) -> None:
        """Returns when the message has left for the browser: a slow one is waited for, not buffered for."""
        try:
            await self.write_message(message)
        except (WebSocketClosedError, StreamClosedError) as closed:
            raise Gone from closed
