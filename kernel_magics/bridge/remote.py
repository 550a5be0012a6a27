"""The remote kernel as the bridge sees it: somebody who takes Jupyter messages and answers."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Callable, Dict, List, Mapping, Optional, Protocol, Sequence

from gpu_provisioner.wire import CONTROL, Buffer
from kernel_magics.bridge.ipykernel_names import LocalKernel
from kernel_magics.bridge.pending import Pending, Reply, Wants
from kernel_magics.errors import KernelLost

Message = Mapping[str, Any]
_REPLY = Wants()


class Line(Protocol):
    """What the bridge needs of ``gpu_provisioner.Holder``."""

    @property
    def down_since(self) -> Optional[float]:
        """When the line went down, in seconds since the epoch; ``None`` while it is up."""

    def post(self, channel: int, parts: Sequence[Buffer]) -> int:
        """Queue a record; it is delivered once, also across a reconnect. Never waits. Returns the epoch of
        the kernel it is for; no other kernel gets it."""

    def command(self, type: str, **more: Any) -> Any:
        """Queue an event for the agent: ``interrupt``, ``restart``, ``stop``."""


def answer_of(
    asked: Future[Reply], machine: str, limit_s: float, moves: Callable[[], object], look_s: float = 0.5
) -> Reply:
    """Wait for an answer, which may stand behind hours of output: as long as something moves.

    Args:
        moves: what changes as long as something comes.

    Raises:
        KernelLost: nothing came for ``limit_s`` seconds.
    """
    state, moved_at = moves(), time.monotonic()
    while True:
        try:
            return asked.result(look_s)
        except FutureTimeout:
            if moves() != state:
                state, moved_at = moves(), time.monotonic()
            elif time.monotonic() - moved_at > limit_s:
                raise KernelLost(
                    f"The kernel on {machine} does not answer: nothing has come from it for {limit_s:.0f} s. "
                    "What it does goes on and is kept there.",
                    "%gpu_status, or %gpu_attach again",
                ) from None


class RemoteKernel:
    """Sends requests over the line and hands back futures of the answers. Callable from any thread."""

    def __init__(self, kernel: LocalKernel, pending: Pending, line: Line) -> None:
        self._session = kernel.session
        self._pending = pending
        self.line = line
        self.info: Mapping[str, Any] = {}

    @property
    def is_up(self) -> bool:
        return self.line.down_since is None

    @property
    def has_subshells(self) -> bool:
        return "kernel subshells" in self.info.get("supported_features", [])

    def forward(
        self,
        channel: int,
        request: Message,
        *,
        subshell: Optional[str] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        wants: Wants = _REPLY,
    ) -> Future[Reply]:
        """Send a front-end's request on, its header verbatim but for the subshell, which is mapped.

        Args:
            metadata: added to the request's metadata.
            wants: what the future waits for; for nothing, and it never ends.
        """
        header = {key: value for key, value in request["header"].items() if key != "subshell_id"}
        if subshell:
            header["subshell_id"] = subshell
        future: Future[Reply] = Future()
        if wants.reply or wants.idle:
            future = self._pending.expect(header["msg_id"], wants)
        pack = self._session.pack
        parts: List[Buffer] = [
            pack(header),
            pack(request.get("parent_header") or {}),
            pack({**(request.get("metadata") or {}), **(metadata or {})}),
            pack(request["content"]),
            *(memoryview(buffer).cast("B") for buffer in request.get("buffers") or ()),
        ]
        self._pending.posted(header["msg_id"], self.line.post(channel, parts))
        return future

    def ask(self, channel: int, msg_type: str, content: Optional[Message] = None) -> Future[Reply]:
        """A request of our own."""
        request = {"header": self._session.msg_header(msg_type), "content": dict(content or {})}
        return self.forward(channel, request)

    def forget(self, request: Message) -> None:
        """Nobody waits for this request any more."""
        self._pending.forget(request["header"]["msg_id"])

    async def answer_within(
        self, limit_s: float, channel: int, request: Message, **more: Any
    ) -> Optional[Reply]:
        """Forward and wait; ``None`` at once when the line is down, or when no answer came in time."""
        if not self.is_up:
            return None
        future = self.forward(channel, request, **more)
        try:
            reply = await asyncio.wait_for(asyncio.wrap_future(future), limit_s)
        except asyncio.TimeoutError:
            self.forget(request)
            return None
        return None if reply.lost else reply


class Subshells:
    """Which remote subshell stands for which local one; created there at its first use.

    JupyterLab reads once, at connect, whether the kernel has subshells, so the local kernel keeps
    advertising them. A remote kernel without subshells gets the message in its main shell.
    """

    def __init__(self, remote: RemoteKernel) -> None:
        self._remote = remote
        self._lock = threading.Lock()
        self._created: Dict[str, Future[Reply]] = {}

    async def remote_id(self, request: Message) -> Optional[str]:
        """The remote subshell a request belongs to; ``None`` for the main shell."""
        local_id = request["header"].get("subshell_id")
        if not local_id or not self._remote.has_subshells:
            return None
        with self._lock:
            if local_id not in self._created:
                self._created[local_id] = self._remote.ask(CONTROL, "create_subshell_request")
            created = self._created[local_id]
        return _created_id(await asyncio.wrap_future(created))

    def delete(self, local_id: str) -> None:
        """The front-end has deleted a subshell here: delete its counterpart."""
        with self._lock:
            created = self._created.pop(local_id, None)
        if created is not None:
            created.add_done_callback(lambda done: self._delete_remote(_created_id(done.result())))

    def forget_all(self) -> None:
        """The remote kernel is a new one."""
        with self._lock:
            self._created.clear()

    def _delete_remote(self, remote_id: Optional[str]) -> None:
        if remote_id:
            self._remote.ask(CONTROL, "delete_subshell_request", {"subshell_id": remote_id})


def _created_id(reply: Reply) -> Optional[str]:
    return None if reply.lost else (reply.content or {}).get("subshell_id")
