"""What comes from the remote kernel, on its way to the front-end.

Runs in the Link's reading thread. Messages keep their bytes: the remote kernel was given the
front-end's own request header, so its outputs already carry the right parent, and only the signature
is made anew. A batch goes to the iopub thread as a whole, with one wake-up.
"""

from __future__ import annotations

import json
import logging
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from gpu_provisioner.wire import EVENT, IOPUB, STDIN
from kernel_magics.bridge.comms import RemoteComms
from kernel_magics.bridge.namehint import NameHint
from kernel_magics.bridge.outbox import Outbox, Outgoing
from kernel_magics.bridge.pending import Pending, Reply

log = logging.getLogger(__name__)

Record = Tuple[int, int, Sequence[bytes]]
"""End offset in the home journal, channel, parts."""

SHOWN = frozenset(
    {"stream", "display_data", "update_display_data", "execute_result", "error", "clear_output"}
)
"""Types of messages that show something in a cell."""

_OF_THE_REMOTE_ALONE = frozenset({"iopub_welcome", "shutdown_reply"})


class Relay:
    """Sorts records: outputs to iopub, answers to who waits for them, events to the bridge."""

    def __init__(
        self,
        outbox: Outbox,
        pending: Pending,
        comms: RemoteComms,
        hint: NameHint,
        on_event: Callable[[Mapping[str, Any], int], None],
    ) -> None:
        self._pending = pending
        self._comms = comms
        self._hint = hint
        self._on_event = on_event
        self._outbox = outbox
        self._adopted: Dict[str, Tuple[str, bytes]] = {}
        """Of cells that a former kernel ran: the request that shows them now, its id and its header."""

    def adopt(self, cells: Iterable[str], msg_id: str, header: bytes) -> None:
        """Show what these cells show as output of another request, until they end. Before the line is up."""
        self._adopted.update(dict.fromkeys(cells, (msg_id, header)))

    def release(self, cells: Iterable[str]) -> None:
        """The inverse. Ids of requests come again: sessions that were cloned count anew."""
        for cell in cells:
            self._adopted.pop(cell, None)

    def on_records(self, records: Iterable[Record]) -> None:
        """The holder's callback."""
        batch: List[Outgoing] = []
        for end, channel, parts in records:
            try:
                if channel == EVENT:
                    self._send(batch)
                    self._pass_event(parts, end)
                else:
                    self._sort(channel, parts, batch)
            except Exception:
                log.exception("a message of the remote kernel could not be passed on")
        self._send(batch)

    def _sort(self, channel: int, parts: Sequence[bytes], batch: List[Outgoing]) -> None:
        if channel == IOPUB:
            self._sort_output(parts, batch)
            return
        if channel <= STDIN:
            self._send(batch)
            self._sort_answer(channel, parts)

    def _pass_event(self, parts: Sequence[bytes], end: int) -> None:
        event = json.loads(parts[0])
        self._outbox.then(lambda: self._on_event(event, end))

    def _sort_output(self, parts: Sequence[bytes], batch: List[Outgoing]) -> None:
        header, parent = json.loads(parts[0]), json.loads(parts[1])
        msg_type, parent_id = str(header["msg_type"]), parent.get("msg_id")
        if msg_type == "status":
            if parent_id is not None and b'"idle"' in parts[3]:
                self._ended(parent_id, batch)
            return
        if msg_type in _OF_THE_REMOTE_ALONE:
            return
        if msg_type == "comm_open":
            content = json.loads(parts[3])
            self._comms.opened(content["comm_id"], content.get("target_name", ""))
        elif msg_type == "comm_close":
            self._comms.closed(json.loads(parts[3])["comm_id"])
        elif msg_type == "error":
            parts = self._with_hint(parts)
        if msg_type in SHOWN and parent_id in self._adopted:
            parent_id, header_of_parent = self._adopted[parent_id]
            parts = [parts[0], header_of_parent, *parts[2:]]
        batch.append(Outgoing(msg_type, parent_id, parts))

    def _ended(self, parent_id: str, batch: List[Outgoing]) -> None:
        self.release([parent_id])
        if self._pending.waits(parent_id):
            self._send(batch)
            self._outbox.then(lambda: self._pending.idle(parent_id))

    def _sort_answer(self, channel: int, parts: Sequence[bytes]) -> None:
        parent_id: Optional[str] = json.loads(parts[1]).get("msg_id")
        if parent_id is None or not self._pending.waits(parent_id):
            return
        content = json.loads(parts[3])
        if channel == STDIN:
            self._outbox.then(lambda: self._pending.ask_user(parent_id, content))
            return
        msg_type = str(json.loads(parts[0])["msg_type"])
        reply = Reply(msg_type, content, json.loads(parts[2]), tuple(parts[4:]))
        self._outbox.then(lambda: self._pending.replied(parent_id, reply))

    def _with_hint(self, parts: Sequence[bytes]) -> Sequence[bytes]:
        content = json.loads(parts[3])
        hinted = self._hint.add_to(content)
        if hinted is content:
            return parts
        return [*parts[:3], json.dumps(hinted).encode(), *parts[4:]]

    def _send(self, batch: List[Outgoing]) -> None:
        if batch:
            self._outbox.send(batch[:])
            batch.clear()
