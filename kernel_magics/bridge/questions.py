"""Requests that only ask: completion, inspection, history, usage, the debugger.

They are answered by the remote kernel, and at once from here when the line is down: the control
channel and the main shell handle one message at a time, so a question that waited would hold up the
interrupt or the shutdown behind it.
"""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict, Mapping, Optional

from gpu_provisioner.wire import CONTROL, SHELL
from kernel_magics.bridge.ipykernel_names import LocalKernel
from kernel_magics.bridge.remote import Message, RemoteKernel, Subshells
from kernel_magics.bridge.turns import Turns

_SHELL_LIMIT_S = 10.0
_USAGE_LIMIT_S = 2.0
_DEBUG_LIMIT_S = 20.0

Handler = Callable[[Any, Any, Dict[str, Any]], Any]


class Questions:
    """Handlers of requests that change nothing."""

    def __init__(self, kernel: LocalKernel, remote: RemoteKernel, subshells: Subshells, turns: Turns) -> None:
        self._kernel = kernel
        self._remote = remote
        self._subshells = subshells
        self._turns = turns

    def on_shell(self, name: str, fallback: Handler) -> Handler:
        """The handler of ``<name>_request`` on the shell channel; ``fallback`` is ipykernel's own."""

        async def handle(stream: Any, ident: Any, message: Dict[str, Any]) -> None:
            with self._turns.wait():
                subshell = await self._subshells.remote_id(message)
                answer = await self._remote.answer_within(_SHELL_LIMIT_S, SHELL, message, subshell=subshell)
            if answer is None:
                await _call(fallback, stream, ident, message)
                return
            content = answer.content
            if name == "complete":
                content = await self._with_home_magics(message, content)
            self._kernel.reply(stream, answer.msg_type, content, message, ident)

        return handle

    def usage(self, fallback: Handler) -> Handler:
        """The handler of ``usage_request``: CPU and memory of the machine where the cells run."""

        async def handle(stream: Any, ident: Any, message: Dict[str, Any]) -> None:
            answer = await self._remote.answer_within(_USAGE_LIMIT_S, CONTROL, message)
            if answer is None:
                await _call(fallback, stream, ident, message)
            else:
                self._kernel.reply(stream, answer.msg_type, answer.content, message, ident)

        return handle

    async def debug(self, stream: Any, ident: Any, message: Dict[str, Any]) -> None:
        """The handler of ``debug_request``: the debugger of the kernel that runs the cells."""
        answer = await self._remote.answer_within(_DEBUG_LIMIT_S, CONTROL, message)
        content = answer.content if answer is not None else _no_debugger(message["content"])
        self._kernel.reply(stream, "debug_reply", content, message, ident)

    async def _with_home_magics(self, message: Message, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Completion of ``%gp…``: the remote kernel does not know the magics that work here."""
        code, cursor = message["content"]["code"], message["content"]["cursor_pos"]
        word = code[:cursor].split()[-1:] or [""]
        if not word[0].startswith("%"):
            return content
        _, mine = self._kernel.shell.complete(word[0], code[:cursor].splitlines()[-1])
        known = set(content.get("matches", ()))
        more = [name for name in mine if name.lstrip("%").startswith(("gpu_", "local", "runs", "compare"))]
        start = cursor - len(word[0])
        if content.get("matches") and content.get("cursor_start") != start:
            return content
        matches = [*content.get("matches", ()), *(name for name in more if name not in known)]
        return {**content, "matches": matches, "cursor_start": start, "cursor_end": cursor}


async def _call(handler: Handler, stream: Any, ident: Any, message: Dict[str, Any]) -> None:
    done: Optional[Any] = handler(stream, ident, message)
    if asyncio.iscoroutine(done) or isinstance(done, asyncio.Future):
        await done


def _no_debugger(request: Mapping[str, Any]) -> Dict[str, Any]:
    """A refusal as the Debug Adapter Protocol spells it."""
    return {
        "seq": 0,
        "type": "response",
        "request_seq": request.get("seq", 0),
        "success": False,
        "command": request.get("command", ""),
        "message": "The debugger of the remote kernel does not answer; the line may be down.",
        "body": {},
    }
