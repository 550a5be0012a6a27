"""What the WebSockets here have in common: who may read, and a browser that is slow."""

from __future__ import annotations

from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from .feed import Gone
from .handlers import AUTH_RESOURCE

LONGEST_MESSAGE = 4 * 1024 * 1024
"""Bytes of one message of the browser; the largest watch that is allowed is smaller."""


class ReadingSocket(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """Accepts a browser that may read."""

    auth_resource = AUTH_RESOURCE

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

    async def send_slowly(self, message: str) -> None:
        """Returns when the message has left for the browser: a slow one is waited for, not buffered for.

        Raises:
            Gone: the browser has closed the connection.
        """
        try:
            await self.write_message(message)
        except (WebSocketClosedError, StreamClosedError) as closed:
            raise Gone from closed
