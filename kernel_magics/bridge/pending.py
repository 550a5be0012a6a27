"""Who waits for which answer of the remote kernel."""

from __future__ import annotations

import math
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Mapping, Optional, Sequence


@dataclass(frozen=True)
class Reply:
    """An answer of the remote kernel, or the news that none will come.

    Attributes:
        msg_type: as the remote kernel named it; "" when ``lost``.
        lost: a sentence saying why there is no answer, else ``None``.
    """

    msg_type: str = ""
    content: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    buffers: Sequence[bytes] = ()
    lost: Optional[str] = None


AskUser = Callable[[Mapping[str, Any]], None]
"""Called with the content of an ``input_request``, in the Link's reading thread."""


@dataclass(frozen=True)
class Wants:
    """What a sender waits for.

    Attributes:
        reply: the answer on the channel of the request.
        idle: the remote ``idle``: everything that belongs to the request has been published.
        ask_user: takes the prompts of the remote kernel meanwhile.
    """

    reply: bool = True
    idle: bool = False
    ask_user: Optional[AskUser] = None


@dataclass
class _Expected:
    future: Future[Reply]
    wants: Wants
    needs_reply: bool
    needs_idle: bool
    epoch: Optional[int] = None
    reply: Reply = Reply()


class Pending:
    """Requests under way, by the id of the request. Callable from any thread.

    An answer is complete when the reply **and**, where it was asked for, the remote ``idle`` have
    arrived: outputs may follow the reply, and none may follow our own ``idle``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expected: Dict[str, _Expected] = {}
        self._dead = 0.0
        self._obituary = ""

    def expect(self, msg_id: str, wants: Wants) -> Future[Reply]:
        """Begin to wait. Call before the request is sent, and :meth:`posted` after."""
        future: Future[Reply] = Future()
        with self._lock:
            self._expected[msg_id] = _Expected(future, wants, wants.reply, wants.idle)
        return future

    def posted(self, msg_id: str, epoch: int) -> None:
        """The request was sent to the kernel of ``epoch``, which may have died meanwhile."""
        with self._lock:
            expected = self._expected.get(msg_id)
            if expected is not None:
                expected.epoch = epoch
        if epoch <= self._dead:
            self.fail(self._obituary, epoch)

    def forget(self, msg_id: str) -> None:
        """Stop waiting; a later answer is dropped."""
        with self._lock:
            self._expected.pop(msg_id, None)

    def replied(self, msg_id: str, reply: Reply) -> None:
        """The reply to a request has arrived."""
        with self._lock:
            expected = self._expected.get(msg_id)
            if expected is None or not expected.needs_reply:
                return
            expected.reply, expected.needs_reply = reply, False
        self._finish_if_complete(msg_id)

    def idle(self, msg_id: str) -> None:
        """The remote kernel has published everything that belongs to a request."""
        with self._lock:
            expected = self._expected.get(msg_id)
            if expected is None or not expected.needs_idle:
                return
            expected.needs_idle = False
        self._finish_if_complete(msg_id)

    def waits(self, msg_id: str) -> bool:
        """Whether somebody waits for this request."""
        return msg_id in self._expected

    def ask_user(self, msg_id: str, content: Mapping[str, Any]) -> None:
        """The remote kernel wants a line from the user who sent the request."""
        expected = self._expected.get(msg_id)
        if expected is not None and expected.wants.ask_user is not None:
            expected.wants.ask_user(content)

    def fail(self, why: str, epoch: Optional[int] = None) -> None:
        """No answer will come from the kernels up to ``epoch``: they have gone. ``None``: from any, nor from
        any that will be asked yet.
        """
        with self._lock:
            self._dead, self._obituary = max(self._dead, math.inf if epoch is None else epoch), why
            lost = [
                (msg_id, expected)
                for msg_id, expected in self._expected.items()
                if epoch is None or (expected.epoch is not None and expected.epoch <= epoch)
            ]
            for msg_id, _ in lost:
                del self._expected[msg_id]
        for _, expected in lost:
            _resolve(expected.future, Reply(lost=why))

    def _finish_if_complete(self, msg_id: str) -> None:
        with self._lock:
            expected = self._expected.get(msg_id)
            if expected is None or expected.needs_reply or expected.needs_idle:
                return
            del self._expected[msg_id]
        _resolve(expected.future, expected.reply)


def _resolve(future: Future[Reply], reply: Reply) -> None:
    if future.set_running_or_notify_cancel():
        future.set_result(reply)
