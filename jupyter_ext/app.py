"""The extension application: the one place where the parts are put together."""

from __future__ import annotations

from typing import Any

from jupyter_server.extension.application import ExtensionApp

from .handlers import SETTING
from .routes import ROUTES
from .services import Services


class TracksideExtension(ExtensionApp):
    """Trackside's part of Jupyter Server.

    Before the first request only two things run, so that a server whose users never look at Trackside pays
    little: listening to the deaths of its kernels, and one look a second at leases that nobody holds.
    """

    name = "trackside"
    _services: Services | None = None

    def initialize_settings(self) -> None:
        """Puts the services together for the handlers."""
        server: Any = self.serverapp
        self._services = self.settings[SETTING] = Services.for_server(server, self.log)
        self._services.deaths.listen(server.event_logger)

    def initialize_handlers(self) -> None:
        """Adds the route table; Jupyter Server puts its base URL before each path."""
        self.handlers.extend(ROUTES)

    async def _start_jupyter_server_extension(self, _serverapp: Any) -> None:
        """Called when the event loop runs."""
        if self._services is not None:
            self._services.stand_ins.start()

    async def stop_extension(self) -> None:
        """Ends the indexing process and the threads; Jupyter Server calls it when it stops."""
        if self._services is not None:
            await self._services.stop()
