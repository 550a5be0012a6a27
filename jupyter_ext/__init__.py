"""Trackside on Jupyter Server: REST, one WebSocket, and the command line.

Importing this package imports neither Jupyter Server nor the store; the server asks for
:func:`_jupyter_server_extension_points` when it loads its extensions.
"""

from __future__ import annotations

from typing import Any

__all__ = ["_jupyter_labextension_paths", "_jupyter_server_extension_points"]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from .app import TracksideExtension

    return [{"module": "jupyter_ext", "app": TracksideExtension}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "trackside"}]
