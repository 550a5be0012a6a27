"""The last metre: messages to the front-end, in order, none dropped by the Jupyter Server in between.

Jupyter Server passes on at most 1,000 messages and 1 MB of stream text a second, averaged over three
seconds, and drops the rest. What has piled up during an outage arrives faster than that. So after an
outage, under a Jupyter Server, adjacent stream messages are merged and everything is paced below
the limit; answers and events keep their place in the order. Otherwise messages pass straight through.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Callable, Deque, Iterator, List, Optional, Sequence, Union

from kernel_magics.bridge.ipykernel_names import LocalKernel

_MESSAGES_PER_S, _BURST_MESSAGES = 800.0, 300.0
_STREAM_BYTES_PER_S, _BURST_BYTES = 800e3, 400e3
"""Within any three seconds at most burst + 3 x rate: 2,700 of 3,000 messages, 2.8 of 3 MB."""
_STREAM_PORTION = 100_000
"""Characters of one merged stream message; a longer text is split, since the server would drop it whole."""
_CATCHING_UP_S = 3.0


@dataclass(frozen=True)
class Outgoing:
    """One iopub message on its way to the front-end."""

    msg_type: str
    parent_id: Optional[str]
    parts: Sequence[bytes]

    @property
    def stream_bytes(self) -> int:
        return sum(map(len, self.parts)) if self.msg_type == "stream" else 0


_Item = Union[Outgoing, Callable[[], None]]


class Outbox:
    """Takes messages and callbacks in order; only the Link's reading thread puts something in."""

    def __init__(self, kernel: LocalKernel, paced: bool) -> None:
        self._kernel = kernel
        self._paced = paced
        self._lock = threading.Condition()
        self._waiting: Deque[_Item] = deque()
        self._catching_up = False
        self._until = 0.0

    @property
    def is_catching_up(self) -> bool:
        """Whether messages are being paced."""
        return self._catching_up

    @property
    def backlog(self) -> int:
        """How many messages and callbacks wait for their turn."""
        return len(self._waiting)

    def send(self, batch: Sequence[Outgoing]) -> None:
        """Send messages, now or after what already waits."""
        with self._lock:
            if self._catching_up:
                self._waiting.extend(batch)
                self._lock.notify()
                return
        self._kernel.send([self._kernel.frames(message.msg_type, message.parts) for message in batch])

    def then(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` when everything before it has been sent."""
        with self._lock:
            if self._catching_up:
                self._waiting.append(callback)
                self._lock.notify()
                return
        callback()

    def catch_up(self) -> None:
        """An outage has ended: what piled up comes now."""
        if not self._paced:
            return
        with self._lock:
            self._until = time.monotonic() + _CATCHING_UP_S
            if self._catching_up:
                return
            self._catching_up = True
        threading.Thread(target=self._drain, daemon=True, name="trackside-outbox").start()

    def _drain(self) -> None:
        messages = _Allowance(_MESSAGES_PER_S, _BURST_MESSAGES)
        stream_bytes = _Allowance(_STREAM_BYTES_PER_S, _BURST_BYTES)
        while True:
            portion = self._next_portion()
            if portion is None:
                return
            for item in in_portions(portion):
                if isinstance(item, Outgoing):
                    time.sleep(max(messages.wait_s(1), stream_bytes.wait_s(item.stream_bytes)))
                    self._kernel.send([self._kernel.frames(item.msg_type, item.parts)])
                else:
                    item()

    def _next_portion(self) -> Optional[List[_Item]]:
        """Up to a few hundred items; ``None`` when the backlog is over and messages pass straight through."""
        with self._lock:
            while not self._waiting:
                left_s = self._until - time.monotonic()
                if left_s <= 0:
                    self._catching_up = False
                    return None
                self._lock.wait(left_s)
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), 500))]


class _Allowance:
    """A token bucket."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s, self._burst = per_s, burst
        self._left, self._at = burst, time.monotonic()

    def wait_s(self, amount: float) -> float:
        """Take ``amount``; how long to wait first, in seconds."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s) - amount
        self._at = now
        return max(0.0, -self._left / self._per_s)


def in_portions(items: Sequence[_Item]) -> Iterator[_Item]:
    """The same items, adjacent text of one stream merged, and long text in portions."""
    texts: List[Outgoing] = []
    for item in items:
        if isinstance(item, Outgoing) and item.msg_type == "stream" and len(item.parts) == 4:
            if texts and not _same_stream(texts[0], item):
                yield from _portions(texts)
                texts = []
            texts.append(item)
            continue
        yield from _portions(texts)
        texts = []
        yield item
    yield from _portions(texts)


def _same_stream(one: Outgoing, other: Outgoing) -> bool:
    return one.parts[1] == other.parts[1] and _name(one) == _name(other)


def _name(message: Outgoing) -> str:
    return str(json.loads(message.parts[3])["name"])


def _portions(texts: Sequence[Outgoing]) -> Iterator[Outgoing]:
    if not texts:
        return
    first = texts[0]
    name = _name(first)
    text = "".join(json.loads(message.parts[3])["text"] for message in texts)
    for start in range(0, len(text), _STREAM_PORTION):
        content = {"name": name, "text": text[start : start + _STREAM_PORTION]}
        yield Outgoing("stream", first.parent_id, [*first.parts[:3], json.dumps(content).encode()])
