"""What goes over a page's feed, and how it is cut."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import Page


def sent_by(page: Page) -> list[dict[str, Any]]:
    """What the page says on the feed, as it comes."""
    said: list[dict[str, Any]] = []

    def listen(ws: Any) -> None:
        if ws.url.partition("?")[0].endswith("/trackside/api/feed"):
            ws.on("framesent", lambda text: said.append(json.loads(text)))

    page.on("websocket", listen)
    return said


def last_watch(page: Page, said: list[dict[str, Any]], pulses: bool) -> None:
    """Waits until the page has said whether it wants machines measured."""
    for _ in range(300):
        if said and said[-1]["pulses"] is pulses:
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"the page never said pulses: {pulses}; it said {said}")


class Feeds:
    """The page's feeds, which can be cut: what was open closes, and what is opened is closed at once."""

    def __init__(self, page: Page) -> None:
        self.refused = 0
        self._cut = False
        self._open: list[Any] = []
        page.route_web_socket(re.compile(r"/trackside/api/feed"), self._on_socket)

    def cut(self) -> None:
        self._cut = True
        for each in self._open:
            each.close()

    def mend(self) -> None:
        self._cut = False

    def _on_socket(self, route: Any) -> None:
        if self._cut:
            self.refused += 1
            route.close()
        else:
            route.connect_to_server()
            self._open.append(route)
