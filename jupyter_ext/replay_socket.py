"""The WebSocket by which outputs come back to a page."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jupyter_server.utils import to_os_path
from tornado.websocket import WebSocketClosedError

from . import answers
from .encode import dumps
from .errors import BadQuery
from .feed import Gone
from .handlers import SETTING
from .queries import json_body
from .reading_socket import ReadingSocket
from .replay import Replay
from .replay_cell import Page
from .replay_wishes import Follow, wish

if TYPE_CHECKING:
    from .services import Services


class ReplaySocket(ReadingSocket):
    """Hears which notebook a page shows and what it wants; tells of its cells and plays them.

    What a page says crosses what it is told. So each ``follow`` is answered by ``following`` with its number:
    what came before that belonged to the page's former ``follow`` and counts for nothing.
    """

    _replay: Replay | None = None
    _playing: asyncio.Task[None] | None = None

    async def on_message(self, message: str | bytes) -> None:
        """``follow`` begins anew; ``want`` asks for a cell; anything else is answered by an ``error``."""
        try:
            wanted = wish(json_body(message))
        except BadQuery as mistake:
            with suppress(WebSocketClosedError):
                await self.write_message(answers.feed_error(mistake.message))
            return
        if isinstance(wanted, Follow):
            self._begin(wanted)
        elif self._replay is not None:
            self._replay.want(wanted.key, wanted.position)

    def on_close(self) -> None:
        """Nothing is kept for a browser that has gone."""
        self._end()
        super().on_close()

    def _begin(self, follow: Follow) -> None:
        self._end()
        services: Services = self.settings[SETTING]
        services.start()
        page = Page(follow.kernel, self._file(follow.path), follow.saved)

        def made(replay: Replay) -> None:
            self._replay = replay

        async def play() -> None:
            try:
                await self.send_slowly(dumps({"type": "following", "number": follow.number}))
            except Gone:
                return
            await services.replays.play(page, self.send_slowly, made)
            self.close()  # the page connects again and says what it has

        self._playing = services.push(play())

    def _end(self) -> None:
        self._replay = None
        if self._playing is not None:
            self._playing.cancel()
            self._playing = None

    def _file(self, path: str | None) -> str | None:
        """The notebook's file, as Jupyter Server names it to the notebook's kernel."""
        root: Any = getattr(self.kernel_manager, "root_dir", None)
        return os.path.normpath(to_os_path(path, root)) if path and root else None
