"""Running a cell: the ``execute_request`` handler of a bridged kernel."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Awaitable, Callable, Dict, Mapping, Optional

from IPython.core.inputtransformer2 import TransformerManager

from gpu_provisioner.wire import SHELL
from kernel_magics.bridge.cells import Place, place
from kernel_magics.bridge.ipykernel_names import LocalKernel
from kernel_magics.bridge.namehint import NameHint
from kernel_magics.bridge.notices import Notices
from kernel_magics.bridge.pending import Wants
from kernel_magics.bridge.remote import RemoteKernel, Subshells
from kernel_magics.bridge.turns import Turns
from kernel_magics.bridge.userinput import UserInput
from kernel_magics.errors import KernelLost, TracksideError, UsageMistake

Handler = Callable[[Any, Any, Dict[str, Any]], Any]
FactsOfHome = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""What travels in ``metadata["trackside"]`` of a request, besides the execution count."""


@dataclass(frozen=True)
class Request:
    """One execute request of a front-end."""

    stream: Any
    ident: Any
    message: Dict[str, Any]

    @property
    def code(self) -> str:
        return str(self.message["content"]["code"])

    @property
    def silent(self) -> bool:
        return bool(self.message["content"].get("silent", False))

    @property
    def counts(self) -> bool:
        """Whether the cell gets a number and a place in the history; IPython gives an empty one none."""
        wanted = not self.silent and bool(self.message["content"].get("store_history", True))
        return wanted and bool(self.code.strip())

    @property
    def aborts_others(self) -> bool:
        """Whether an error in it makes the cells behind it wait for nothing (Run All stops)."""
        return not self.silent and bool(self.message["content"].get("stop_on_error", True))


class CellRunner:
    """Runs cells on the remote kernel, or here where they belong here."""

    def __init__(self, kernel: LocalKernel, remote: RemoteKernel, subshells: Subshells, turns: Turns) -> None:
        self._kernel = kernel
        self._remote = remote
        self._subshells = subshells
        self._turns = turns
        self._user_input = UserInput(kernel, remote)
        self.run_here: Optional[Handler] = None
        self.facts: Optional[FactsOfHome] = None
        self.hint = NameHint(kernel.shell, "the other machine")
        self.notices = Notices(kernel)

    async def execute_request(self, stream: Any, ident: Any, message: Dict[str, Any]) -> None:
        """ipykernel's handler for ``execute_request``."""
        request = Request(stream, ident, message)
        where = place(request.code, self._kernel.shell)
        if where is Place.HERE:
            assert self.run_here is not None
            with self._turns.cell():
                await self.run_here(stream, ident, message)
        elif where is Place.MIXED:
            self._refuse(request, _mixed_cell())
        else:
            await self._run_there(request)

    async def _run_there(self, request: Request) -> None:
        number = self._number(request)
        with self._turns.cell(), self._turns.wait() as watch:
            async with self._user_input.of(request.message, request.ident) as ask_user:
                subshell = await self._subshells.remote_id(request.message)
                facts = await self.facts(request.message) if self.facts is not None else {}
                future = self._remote.forward(
                    SHELL,
                    request.message,
                    subshell=subshell,
                    metadata={"trackside": {**facts, "execution_count": number}},
                    wants=Wants(idle=True, ask_user=ask_user),
                )
                watch.sent = True
                self._remember_input(request, number)
                with self.notices.during(request.message):
                    reply = await asyncio.wrap_future(future)
        if reply.lost is not None:
            self._end_with_error(request, number, KernelLost(reply.lost))
        else:
            self._answer(request, self.hint.add_to(reply.content), reply.metadata)

    def _number(self, request: Request) -> int:
        """The cell's number. Taken at once: a cell on a subshell may begin before this one ends."""
        shell = self._kernel.shell
        number = int(shell.execution_count)
        if request.counts:
            shell.execution_count = number + 1
        return number

    def _remember_input(self, request: Request, number: int) -> None:
        """The cell's source at its number in the local ``In``, so that ``In[7]`` is cell 7 on both sides."""
        if not request.counts:
            return
        try:
            python = TransformerManager().transform_cell(request.code)
        except Exception:  # noqa: BLE001 - the cell runs elsewhere already; here it is only written down
            python = request.code
        self._kernel.shell.history_manager.store_inputs(number, python, request.code)

    def _refuse(self, request: Request, error: TracksideError) -> None:
        """The cell is not run at all."""
        number = self._number(request)
        if not request.silent:
            content = {"code": request.code, "execution_count": number}
            self._kernel.publish("execute_input", content, request.message)
        self._remember_input(request, number)
        self._end_with_error(request, number, error)

    def _end_with_error(self, request: Request, number: int, error: TracksideError) -> None:
        """The cell ends with an error of ours instead of an answer from there."""
        shown = {
            "ename": type(error).__name__,
            "evalue": str(error),
            "traceback": error._render_traceback_(),
        }
        if not request.silent:
            self._kernel.publish("error", shown, request.message)
        content = {
            **shown,
            "status": "error",
            "execution_count": number,
            "user_expressions": {},
            "payload": [],
        }
        self._answer(request, content, {"status": "error"})

    def _answer(self, request: Request, content: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        message = request.message
        self._kernel.reply(
            request.stream, "execute_reply", content, message, request.ident, metadata=dict(metadata)
        )
        if content.get("status") == "error" and request.aborts_others:
            self._kernel.abort_queued(message["header"].get("subshell_id"))


def _mixed_cell() -> UsageMistake:
    return UsageMistake(
        "This cell mixes a Trackside magic, which works here, with code that would run on the GPU machine."
        " Nothing of it was run.",
        "the magic in a cell of its own, or %%local as first line to run the whole cell here",
    )
