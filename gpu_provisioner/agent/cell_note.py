"""Which cell of which notebook a request is, put down in the spool just before the kernel gets it.

The kernel's messages name the request they answer and nothing more, and the request itself is not spooled.
With this note the stream alone tells whose output is whose, also to somebody who was not there.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Sequence

from gpu_provisioner.wire import Buffer, WireError, encode_event, from_json


def cell_note(parts: Sequence[Buffer]) -> Optional[bytes]:
    """The record of an ``execute_request``'s parts; ``None`` for any other request, and for no cell's."""
    if len(parts) < 4 or b'"execute_request"' not in bytes(parts[0]) or b'"cellId"' not in bytes(parts[2]):
        return None
    try:
        header, metadata = from_json(parts[0]), from_json(parts[2])
    except WireError:  # the kernel will say what it thinks of it
        return None
    if header.get("msg_type") != "execute_request" or not isinstance(metadata.get("cellId"), str):
        return None
    return encode_event(
        "cell",
        msg_id=header.get("msg_id"),
        session=header.get("session"),
        cell_id=metadata["cellId"],
        **_home(metadata),
    )


def _home(metadata: Mapping[str, Any]) -> Dict[str, Any]:
    ours = metadata.get("trackside")
    home = ours.get("home") if isinstance(ours, dict) else None
    known = home if isinstance(home, dict) else {}
    return {key: known.get(key) for key in ("notebook", "kernel_id")}
