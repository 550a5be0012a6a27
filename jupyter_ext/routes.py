"""The route table."""

from __future__ import annotations

from typing import Any

from . import handlers
from .feed_socket import FeedSocket
from .replay_socket import ReplaySocket

PREFIX = "/trackside/api"

ROUTES: list[tuple[str, type[Any]]] = [
    (f"{PREFIX}/info", handlers.Info),
    (f"{PREFIX}/runs", handlers.Runs),
    (f"{PREFIX}/runs/([^/]+)", handlers.Run),
    (f"{PREFIX}/runs/([^/]+)/outputs", handlers.Outputs),
    (f"{PREFIX}/runs/([^/]+)/restore", handlers.RestoredRun),
    (f"{PREFIX}/views", handlers.Views),
    (f"{PREFIX}/views/([^/]+)", handlers.View),
    (f"{PREFIX}/events", handlers.Events),
    (f"{PREFIX}/runs/([^/]+)/media", handlers.Media),
    (f"{PREFIX}/runs/([^/]+)/media/([^/]+)", handlers.Medium),
    (f"{PREFIX}/metrics", handlers.Metrics),
    (f"{PREFIX}/summaries", handlers.Summaries),
    (f"{PREFIX}/windows", handlers.Windows),
    (f"{PREFIX}/report", handlers.Report),
    (f"{PREFIX}/leases", handlers.Leases),
    (f"{PREFIX}/leases/([^/]+)", handlers.Lease),
    (f"{PREFIX}/leases/([^/]+)/log", handlers.AgentLog),
    (f"{PREFIX}/offers", handlers.Offers),
    (f"{PREFIX}/feed", FeedSocket),
    (f"{PREFIX}/replay", ReplaySocket),
    (f"{PREFIX}/.*", handlers.NotHere),
]
