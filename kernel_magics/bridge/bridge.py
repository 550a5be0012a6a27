"""The notebook's kernel speaks for a remote one.

Installed, some entries of ipykernel's handler tables are ours: requests of the front-end travel to the
remote kernel with their header verbatim, and its messages come back as this kernel's own. Works
wherever ipykernel does (JupyterLab, Notebook, VS Code, nbclient, papermill), and restoring it is
putting the entries back.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import Any, Callable, Dict, Mapping, Optional, Protocol, Sequence

from gpu_provisioner.obituary import stopped, told_by_heir
from gpu_provisioner.wire import CONTROL, SHELL
from kernel_magics.bridge.comms import RemoteComms
from kernel_magics.bridge.execute import CellRunner, FactsOfHome
from kernel_magics.bridge.homecoming import Absence, show
from kernel_magics.bridge.interrupts import Interrupts
from kernel_magics.bridge.ipykernel_names import LocalKernel
from kernel_magics.bridge.last_words import obituary_of, sentence
from kernel_magics.bridge.outbox import Outbox
from kernel_magics.bridge.pending import Pending
from kernel_magics.bridge.questions import Questions
from kernel_magics.bridge.relay import Record, Relay
from kernel_magics.bridge.remote import Line, RemoteKernel, Subshells, answer_of
from kernel_magics.bridge.turns import Turns
from kernel_magics.errors import KernelLost

_RESTART_LIMIT_S = 60.0
_LAST_WORDS_S = 1.0
"""How long a local kernel that is restarted waits to see that the remote one has been told."""


class Holder(Line, Protocol):
    """What the bridge needs of ``gpu_provisioner.Holder``."""

    @property
    def detail(self) -> str: ...
    @property
    def home_end(self) -> int: ...
    def start(self, timeout: float) -> Any: ...
    def hurry(self) -> None: ...
    def detach(self) -> None: ...
    def wait_let_go(self, timeout: float) -> bool: ...
    def release(self, by: str = ...) -> Any: ...


MakeHolder = Callable[[Callable[[Sequence[Record]], None], Callable[[str], None]], Holder]
"""Called with ``on_records`` and ``on_state``."""


class Bridge:
    """Joins one local kernel to one remote kernel, until it is released, detached or lost.

    Args:
        kernel: the local kernel.
        make_holder: makes the holder of the lease with our callbacks.
        machine: what the user calls the other machine, for messages.
        paced: whether a Jupyter Server stands between this kernel and the front-end.
    """

    def __init__(
        self, kernel: LocalKernel, make_holder: MakeHolder, machine: str, paced: bool = False
    ) -> None:
        self._kernel = kernel
        self._pending = Pending()
        self.holder = make_holder(self._on_records, self._on_state)
        self.remote = RemoteKernel(kernel, self._pending, self.holder)
        self._subshells = Subshells(self.remote)
        self._interrupts = Interrupts(lambda: self.holder.command("interrupt"))
        self._turns = Turns(self._interrupts)
        self._comms = RemoteComms(kernel, self.remote, self._subshells, self._turns)
        self._cells = CellRunner(kernel, self.remote, self._subshells, self._turns)
        self._cells.hint.machine = self._cells.notices.machine = machine
        self._outbox = Outbox(kernel, paced)
        self._relay = Relay(self._outbox, self._pending, self._comms, self._cells.hint, self._on_event)
        self._originals: Dict[str, Dict[str, Any]] = {}
        self._died, self._restarted = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._joined_at = 0
        """Offset in the home journal: an order to let go before it was for a former holder."""
        self.ended: Optional[str] = None
        """Why the remote kernel is gone for good, once it is."""

    @property
    def installed(self) -> bool:
        return bool(self._originals)

    @property
    def machine(self) -> str:
        return self._cells.hint.machine

    def set_facts(self, facts: FactsOfHome) -> None:
        """What travels with every cell besides its execution count."""
        self._cells.facts = facts

    def say(self, text: str) -> None:
        """A notice in the running cell, or in the next one. Callable from any thread."""
        self._cells.notices.say(text)

    def show_missed(self, missed: Absence) -> threading.Event:
        """Show in the running cell what this notebook missed, and what follows of it. Before :meth:`connect`.

        The event is set when all that was missed is sent.
        """
        return show(missed, self._kernel, self._outbox, self._relay)

    def connect(self, timeout_s: float) -> Any:
        """Reach the remote kernel; cells still run where they ran. Returns the welcome.

        Raises:
            BootstrapError: it did not come up.
            KernelLost: it does not answer.
        """
        welcome = self.holder.start(timeout_s)
        self._joined_at = int(welcome.end)
        answer_of(self._ask_who_it_is(), self.machine, timeout_s, self._how_far_it_is)
        return welcome

    def _how_far_it_is(self) -> object:
        """Another at each look, as long as something comes or waits for its turn."""
        return self.holder.home_end, self._outbox.backlog

    def restart(self) -> None:
        """A fresh remote kernel on the same lease; waits until it runs."""
        self._restarted.clear()
        self.holder.command("restart", by="notebook")
        if not self._restarted.wait(_RESTART_LIMIT_S):
            raise KernelLost(
                f"The kernel on {self.machine} has not come back within {_RESTART_LIMIT_S:.0f} s.",
                "%gpu_status",
            )

    def release(self) -> None:
        """Give the machine back; cells run here again."""
        self._end("It was released.")
        self.holder.release()

    def detach(self) -> None:
        """Leave the remote kernel alone and running; cells run here again."""
        self._end("This notebook let go of it; it goes on there.")
        self.holder.detach()

    def install(self) -> None:
        """Speak for the remote kernel from the next request on."""
        comms = self.remote.ask(SHELL, "comm_info_request")
        comms.add_done_callback(lambda done: self._learn_comms(done.result()))
        shell, control = self._kernel.shell_handlers, self._kernel.control_handlers
        questions = Questions(self._kernel, self.remote, self._subshells, self._turns)
        self._cells.run_here = shell["execute_request"]
        ours: Dict[str, Any] = {
            "execute_request": self._cells.execute_request,
            "comm_info_request": self._comms.comm_info_request,
        }
        for name in ("complete", "inspect", "is_complete", "history"):
            ours[f"{name}_request"] = questions.on_shell(name, shell[f"{name}_request"])
        for name in ("comm_open", "comm_msg", "comm_close"):
            ours[name] = self._comms.handler(name, shell[name])
        ours_on_control: Dict[str, Any] = {
            "shutdown_request": self._shutdown_after(control["shutdown_request"]),
            "debug_request": questions.debug,
            "usage_request": questions.usage(control["usage_request"]),
        }
        if "delete_subshell_request" in control:
            ours_on_control["delete_subshell_request"] = self._delete_after(
                control["delete_subshell_request"]
            )
        self._originals = {
            "shell": {name: shell[name] for name in ours},
            "control": {name: control[name] for name in ours_on_control},
        }
        self._kernel.unbounded_iopub()
        self._kernel.watch_dispatch(True)
        shell.update({name: self._kernel.keeps_its_parent(handler) for name, handler in ours.items()})
        control.update(ours_on_control)

    def _restore(self) -> None:
        with self._lock:
            originals, self._originals = self._originals, {}
        if originals:
            self._kernel.shell_handlers.update(originals["shell"])
            self._kernel.control_handlers.update(originals["control"])
            self._kernel.watch_dispatch(False)

    def _end(self, why: str) -> None:
        """Cells run here again; whoever waits for the remote kernel learns why. Callable from any thread."""
        self.ended = self.ended or why
        self._restore()
        self._cells.notices.line_is_up()
        self._comms.close_all()
        self._pending.fail(f"The kernel on {self.machine} is gone. {self.ended} Cells run here again.")

    def _announce(self, text: str) -> None:
        """News of cells moving back: none moved while the bridge was not installed yet."""
        if self.installed:
            self._cells.notices.say(text)

    # -- what the holder says (in the Link's reading thread)

    def _on_records(self, records: Sequence[Record]) -> None:
        self._relay.on_records(records)

    def _on_state(self, state: str) -> None:
        if state == "up":
            self._cells.notices.line_is_up()
            self._outbox.catch_up()
        elif state == "down":
            self._cells.notices.line_is_down()
        elif state in ("gone", "released") and self.ended is None:
            why = sentence(self.holder.detail or "nobody saw why")
            self._announce(f"{self.machine} is gone. {why} Cells run here again.")
            self._end(f"{why} What it printed and recorded before is kept in this notebook and its runs.")
            self.holder.detach()

    def _on_event(self, event: Mapping[str, Any], end: int) -> None:
        kind = event.get("type")
        if kind == "kernel-died":
            self._subshells.forget_all()
            self._comms.close_all()
            obituary = obituary_of(event, self.machine)
            if not self._cells.notices.cell_runs and str(event.get("reason", "")).startswith("killed"):
                self._cells.notices.say(obituary)
            self._pending.fail(obituary, event.get("epoch"))
            self._died.set()
        elif kind == "kernel-started":
            self._ask_who_it_is()
            self._restarted.set()
        elif kind == "stopping" and self.ended is None:
            how = stopped(event.get("by") or "the agent")
            self._announce(f"{self.machine} was {how}. Cells run here again.")
            self._end(f"It was {how}.")
        elif kind == "hand-over" and end > self._joined_at:
            self._let_go_for(str(event.get("by")))
        elif kind == "agent-died":
            told = told_by_heir(event)
            self._announce(f"{self.machine} is gone. {told} Cells run here again; %gpu_status says more.")
            self._end(told)
            threading.Thread(target=self.holder.release, args=("its agent's death",), daemon=True).start()
        elif kind == "notice":
            self._cells.notices.say(str(event.get("text", "")))

    def _let_go_for(self, by: str) -> None:
        self._cells.notices.say(f"{self.machine} was taken over by {by}. Cells run here again.")
        self._end(f"It was taken over by {by}; a cell that runs there goes on.")
        threading.Thread(target=self.holder.detach, daemon=True).start()

    def _ask_who_it_is(self) -> Any:
        """Kernel info, on control: it also makes ipykernel's iopub known to the agent (no welcome is sent
        to a second subscriber)."""
        asked = self.remote.ask(CONTROL, "kernel_info_request")

        def remember(done: Any) -> None:
            if not done.result().lost:
                self.remote.info = done.result().content

        asked.add_done_callback(remember)
        return asked

    def _learn_comms(self, answer: Any) -> None:
        if not answer.lost:
            self._comms.learn(answer.content.get("comms", {}))

    # -- handlers of the control channel

    def _shutdown_after(self, shutdown: Callable[..., Any]) -> Callable[..., Any]:
        async def handle(stream: Any, ident: Any, message: Dict[str, Any]) -> None:
            """Shutdown leaves the remote kernel running; restart restarts it too, on the same lease."""
            self._interrupts.shutting_down = True
            again = bool(message["content"].get("restart", False))
            await asyncio.get_running_loop().run_in_executor(None, self._leave, again)
            await _maybe_await(shutdown(stream, ident, message))

        return handle

    def _leave(self, again: bool) -> None:
        if again:
            self._died.clear()
            self.holder.command("restart", by="notebook")
            self._died.wait(_LAST_WORDS_S)
        self.holder.detach()

    def _delete_after(self, delete: Callable[..., Any]) -> Callable[..., Any]:
        async def handle(stream: Any, ident: Any, message: Dict[str, Any]) -> None:
            self._subshells.delete(message["content"].get("subshell_id", ""))
            await _maybe_await(delete(stream, ident, message))

        return handle


async def _maybe_await(done: Any) -> None:
    if inspect.isawaitable(done):
        await done
