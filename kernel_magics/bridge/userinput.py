"""``input()`` and ``getpass()`` of a remote cell, asked of the user who ran the cell."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, AsyncIterator, Mapping

from gpu_provisioner.wire import STDIN
from kernel_magics.bridge.ipykernel_names import LocalKernel
from kernel_magics.bridge.pending import AskUser, Wants
from kernel_magics.bridge.remote import RemoteKernel

_NOTHING = Wants(reply=False)
_POLL_S = 0.01
"""As often as ipykernel itself looks for the answer; only while a prompt is open."""


class UserInput:
    """Carries prompts to the front-end and answers back, for one cell at a time."""

    def __init__(self, kernel: LocalKernel, remote: RemoteKernel) -> None:
        self._kernel = kernel
        self._remote = remote

    @contextlib.asynccontextmanager
    async def of(self, request: Mapping[str, Any], ident: Any) -> AsyncIterator[AskUser]:
        """While the cell of ``request`` runs: a function that shows a prompt (callable from any thread)."""
        loop = asyncio.get_running_loop()
        prompts: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        asking = asyncio.ensure_future(self._ask_one_by_one(prompts, request, ident))
        try:
            yield lambda content: _call(loop, prompts, content)
        finally:
            asking.cancel()

    async def _ask_one_by_one(
        self, prompts: asyncio.Queue[Mapping[str, Any]], request: Mapping[str, Any], ident: Any
    ) -> None:
        while True:
            answer = await self._ask(await prompts.get(), request, ident)
            self._remote.forward(STDIN, answer, wants=_NOTHING)

    async def _ask(self, prompt: Mapping[str, Any], request: Mapping[str, Any], ident: Any) -> Any:
        socket, session = self._kernel.stdin_socket, self._kernel.session
        with self._kernel.stdin_lock:
            while socket.poll(0):  # what is there already answers an earlier prompt
                socket.recv_multipart()
            session.send(socket, "input_request", dict(prompt), request, ident=ident)
        while True:
            with self._kernel.stdin_lock:
                if socket.poll(0):
                    _, answer = session.recv(socket)
                    if answer is not None:
                        return answer
            await asyncio.sleep(_POLL_S)


def _call(
    loop: asyncio.AbstractEventLoop, prompts: asyncio.Queue[Mapping[str, Any]], content: Mapping[str, Any]
) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has closed: the kernel is shutting down
        loop.call_soon_threadsafe(prompts.put_nowait, content)
