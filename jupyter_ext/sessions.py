"""Which pages are open: every private name of Jupyter Server's kernel WebSocket is in this file."""

from __future__ import annotations

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


def open_sessions() -> frozenset[str]:
    """The sessions of front-ends that are connected to a kernel of this server.

    Jupyter Server keeps them by ``<kernel id>:<session>``. Where it does not (another version, a gateway), no
    page counts as open: what only it may show is then shown by others too, and nothing is lost.
    """
    known = getattr(ZMQChannelsWebsocketConnection, "_open_sessions", {})
    return frozenset(str(key).rpartition(":")[2] for key in known)
