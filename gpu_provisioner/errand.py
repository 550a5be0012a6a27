"""A word with an agent, on a connection of its own."""

from __future__ import annotations

import secrets
import time
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from gpu_provisioner import wire
from gpu_provisioner.carrier import Carrier

Opener = Callable[[], Tuple[Carrier, bytes]]
"""Gives a carrier that is a pipe to the agent, and bytes that already came from it."""


def call_on(opener: Opener, timeout: float, command: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
    """Have a word with an agent on a connection of its own; its holder keeps the spool.

    Args:
        command: delivered if given (see :mod:`gpu_provisioner.wire`, channel 4).

    Returns:
        the agent's welcome; empty when it did not answer in time.
    """
    carrier, rest = opener()
    deadline = time.monotonic() + timeout
    frames = wire.FrameReader()
    said = wire.encode_json_frame(wire.HELLO, {"client": secrets.token_hex(16), "role": "control"})
    if command is not None:
        record = wire.record_pieces(wire.EVENT, [wire.to_json(command)])
        said += b"".join(wire.message_pieces(1, 0, record))
    welcome: Dict[str, Any] = {}
    try:
        carrier.write_all(said, deadline)
        while True:
            for tag, body in frames.feed(rest):
                if tag == wire.WELCOME:
                    welcome = wire.from_json(body)
                if tag == wire.RECEIPT or (tag == wire.WELCOME and command is None):
                    return welcome
            rest = carrier.read_until(deadline)
            if not rest:
                return {}
    except (OSError, TimeoutError):
        return {}
    finally:
        carrier.close()
