"""Comms (widgets): which kernel owns which, and messages to the owner."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any, Callable, Dict, Mapping, Optional

from gpu_provisioner.wire import SHELL
from kernel_magics.bridge.ipykernel_names import LocalKernel
from kernel_magics.bridge.pending import Reply, Wants
from kernel_magics.bridge.remote import Message, RemoteKernel, Subshells
from kernel_magics.bridge.turns import Turns

_IDLE_LIMIT_S = 5.0
"""How long a comm's handler waits for the remote ``idle``, so that a slow callback slows the slider down.
Some comms never get one: ipykernel 7.4 publishes no status for those that arrive during an async cell."""

_WIDGET_TARGETS = frozenset({"jupyter.widget", "jupyter.widget.control"})
"""While bridged, a front-end that opens one of these means the widgets of the cells it runs: remote ones."""

_COMM_INFO_LIMIT_S = 5.0
_IDLE = Wants(reply=False, idle=True)


class RemoteComm:
    """Stands in the local comm manager for a comm of the remote kernel.

    ipykernel looks every incoming comm up before any handler sees it, and prints "No such comm" into
    the notebook for one it does not know.
    """

    def __init__(self, comm_id: str, target_name: str) -> None:
        self.comm_id = comm_id
        self.target_name = target_name

    def _reply_subshell_for(self, _data: Any, default: Optional[str]) -> Optional[str]:
        """ipykernel 7.4's question which subshell gets a message: the one the front-end named."""
        return default


class RemoteComms:
    """The comms of the remote kernel, and the handlers of comm messages."""

    def __init__(self, kernel: LocalKernel, remote: RemoteKernel, subshells: Subshells, turns: Turns) -> None:
        self._kernel = kernel
        self._remote = remote
        self._subshells = subshells
        self._turns = turns
        self._manager = kernel.comm_manager

    # -- what the remote kernel says (in the Link's reading thread)

    def opened(self, comm_id: str, target_name: str) -> None:
        self._manager.comms[comm_id] = RemoteComm(comm_id, target_name)

    def closed(self, comm_id: str) -> None:
        if self._is_remote(comm_id):
            self._manager.comms.pop(comm_id, None)

    def learn(self, comm_info: Mapping[str, Mapping[str, Any]]) -> None:
        """Comms that a remote kernel had before this bridge (``%gpu_attach``)."""
        for comm_id, info in comm_info.items():
            self.opened(comm_id, str(info.get("target_name", "")))

    def close_all(self) -> None:
        """The remote kernel has gone: tell the front-end that its widgets have no owner any more."""
        for comm_id in [known for known in self._manager.comms if self._is_remote(known)]:
            self.closed(comm_id)
            self._kernel.publish("comm_close", {"comm_id": comm_id, "data": {}})

    # -- what the front-end says (handlers, in any thread)

    def handler(self, msg_type: str, run_here: Callable[..., Any]) -> Callable[..., Any]:
        """ipykernel's handler for ``comm_open``, ``comm_msg`` or ``comm_close``."""

        async def handle(stream: Any, ident: Any, message: Dict[str, Any]) -> None:
            content = message["content"]
            comm_id = content.get("comm_id", "")
            if msg_type == "comm_open" and self._opens_there(content.get("target_name")):
                self.opened(comm_id, content.get("target_name", ""))
            if not self._is_remote(comm_id):
                done = run_here(stream, ident, message)
                if asyncio.iscoroutine(done):
                    await done
                return
            await self._forward(message)
            if msg_type == "comm_close":
                self.closed(comm_id)

        return handle

    async def comm_info_request(self, stream: Any, ident: Any, message: Dict[str, Any]) -> None:
        """ipykernel's handler: the comms of both kernels."""
        wanted = message["content"].get("target_name")
        comms = {
            comm_id: {"target_name": comm.target_name}
            for comm_id, comm in list(self._manager.comms.items())
            if not self._is_remote(comm_id) and wanted in (None, comm.target_name)
        }
        with self._turns.wait():
            subshell = await self._subshells.remote_id(message)
            answer = await self._remote.answer_within(_COMM_INFO_LIMIT_S, SHELL, message, subshell=subshell)
        if answer is not None:
            comms.update(answer.content.get("comms", {}))
        self._kernel.reply(stream, "comm_info_reply", {"status": "ok", "comms": comms}, message, ident)

    async def _forward(self, message: Message) -> None:
        if self._turns.cell_runs:
            await self._post(message)
        elif self._kernel.is_beside:
            # Beside a cell no status is right. Beside a mere wait of ours the front-end would miss the idle
            # that lets it send the next change of a slider.
            self._kernel.publish("status", {"execution_state": "busy"}, message)
            await self._wait_for_idle(await self._post(message), message)
            self._kernel.publish("status", {"execution_state": "idle"}, message)
        else:
            with self._turns.wait() as watch:
                posted = await self._post(message)
                watch.sent = True
                await self._wait_for_idle(posted, message)

    async def _post(self, message: Message) -> Future[Reply]:
        subshell = await self._subshells.remote_id(message)
        return self._remote.forward(SHELL, message, subshell=subshell, wants=_IDLE)

    async def _wait_for_idle(self, posted: Future[Reply], message: Message) -> None:
        if not self._remote.is_up:
            return
        try:
            await asyncio.wait_for(asyncio.wrap_future(posted), _IDLE_LIMIT_S)
        except asyncio.TimeoutError:
            self._remote.forget(message)

    def _opens_there(self, target_name: Any) -> bool:
        return target_name in _WIDGET_TARGETS or target_name not in self._manager.targets

    def _is_remote(self, comm_id: str) -> bool:
        return isinstance(self._manager.comms.get(comm_id), RemoteComm)
