"""A notebook without a browser: a real ipykernel, driven by a real client, and what comes back.

Used by the tests of the bridge, the contracts and the benchmark.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import zmq
from jupyter_client.manager import KernelManager

from tests.waiting import eventually, wait_for

CHANNELS = ("iopub", "shell", "control", "stdin")


@dataclass
class Cell:
    """One execution, as a front-end saw it."""

    msg_id: str
    reply: dict[str, Any] = field(default_factory=dict)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    """The iopub messages whose parent is this request, without ``status``."""
    states: list[str] = field(default_factory=list)
    prompts: list[dict[str, Any]] = field(default_factory=list)
    reply_before_idle: bool = False

    @property
    def done(self) -> bool:
        return bool(self.reply) and "idle" in self.states

    @property
    def status(self) -> str:
        return str(self.reply["content"]["status"])

    @property
    def count(self) -> int:
        return int(self.reply["content"]["execution_count"])

    def text(self, name: str = "stdout") -> str:
        return "".join(
            message["content"]["text"]
            for message in self.outputs
            if message["msg_type"] == "stream" and message["content"]["name"] == name
        )

    def of_type(self, msg_type: str) -> list[dict[str, Any]]:
        return [message for message in self.outputs if message["msg_type"] == msg_type]

    @property
    def result(self) -> str:
        """``text/plain`` of the execute_result."""
        (message,) = self.of_type("execute_result")
        return str(message["content"]["data"]["text/plain"])

    @property
    def error(self) -> str:
        (message,) = self.of_type("error")
        return "\n".join(message["content"]["traceback"])

    @property
    def all_text(self) -> str:
        """Everything a person could read, for messages of assertions."""
        shown = [self.text("stdout"), self.text("stderr")]
        for message in self.outputs:
            shown.append(str(message["content"].get("data", {}).get("text/plain", "")))
            shown.extend(message["content"].get("traceback", []))
        return "\n".join(part for part in shown if part)


class Notebook:
    """A kernel and the client of a front-end."""

    def __init__(self, env: dict[str, str], cwd: Path, arguments: Sequence[str] = (), **manager: Any) -> None:
        self.env, self.cwd = env, cwd
        self.manager = KernelManager(**manager)
        self.manager.shutdown_wait_time = 10.0
        self.manager.start_kernel(env=env, cwd=str(cwd), extra_arguments=list(arguments))
        self.client: Any = None
        self.connect()

    def connect(self, timeout: float = 60.0) -> None:
        self.client = self.manager.client()
        self.client.start_channels(hb=False)
        self.client.wait_for_ready(timeout=timeout)
        self.cells: dict[str, Cell] = {}
        self.stray: list[dict[str, Any]] = []
        """Messages that belong to no cell of ours."""
        self.replies: dict[str, dict[str, Any]] = {}
        """Answers to :meth:`send`, by the request's id; with ``"idle"`` when that has come too."""
        self.idle: set[str] = set()

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.pid)

    # -- cells

    def execute(self, code: str, **more: Any) -> Cell:
        """Send a cell and come back at once."""
        more.setdefault("allow_stdin", True)
        subshell, metadata = more.pop("subshell_id", None), more.pop("metadata", {})
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "stop_on_error": True,
            **more,
        }
        msg_id = self.send("execute_request", content, subshell_id=subshell, metadata=metadata)
        cell = self.cells[msg_id] = Cell(msg_id)
        return cell

    def run(self, code: str, answers: Sequence[str] = (), timeout: float = 60.0, **more: Any) -> Cell:
        """Send a cell and read until it is done, answering its prompts."""
        cell = self.execute(code, **more)
        left = list(answers)
        self.pump(lambda: cell.done, timeout, cell, lambda _prompt: left.pop(0))
        return cell

    def must(self, code: str, **more: Any) -> Cell:
        """Run a cell that has to succeed."""
        cell = self.run(code, **more)
        assert cell.status == "ok", cell.all_text
        return cell

    def value(self, expression: str) -> Any:
        """The value of a literal expression, where cells run."""
        return eval(self.must(f"print(repr({expression}))").text())

    # -- anything else

    def send(
        self,
        msg_type: str,
        content: dict[str, Any],
        channel: str = "shell",
        *,
        subshell_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        buffers: Sequence[bytes] = (),
    ) -> str:
        session = self.client.session
        message = session.msg(msg_type, content, metadata=metadata or {})
        if subshell_id is not None:
            message["header"]["subshell_id"] = subshell_id
        socket = getattr(self.client, f"{channel}_channel").socket
        session.send(socket, message, buffers=list(buffers))
        return str(message["header"]["msg_id"])

    def ask(
        self,
        msg_type: str,
        content: dict[str, Any],
        channel: str = "shell",
        timeout: float = 30.0,
        **more: Any,
    ) -> dict[str, Any]:
        """Send a request and read until its reply; the reply's content."""
        msg_id = self.send(msg_type, content, channel, **more)
        self.pump(lambda: msg_id in self.replies, timeout)
        return dict(self.replies[msg_id]["content"])

    def pump(
        self,
        until: Callable[[], Any],
        timeout: float = 60.0,
        cell: Cell | None = None,
        answer: Callable[[dict[str, Any]], str] | None = None,
    ) -> None:
        """Read all channels until a condition holds."""
        poller = zmq.Poller()
        sockets = {getattr(self.client, f"{name}_channel").socket: name for name in CHANNELS}
        for socket in sockets:
            poller.register(socket, zmq.POLLIN)
        deadline = time.monotonic() + timeout
        while not until():
            left = deadline - time.monotonic()
            if left <= 0:
                so_far = cell.all_text[-2000:] if cell else self.stray[-5:]
                raise AssertionError(f"not within {timeout:.0f} s; so far: {so_far}")
            for socket, _ in poller.poll(min(left, 0.2) * 1000):
                while socket.poll(0):
                    _, message = self.client.session.recv(socket, mode=0)
                    self._sort(sockets[socket], message, answer)

    def _sort(self, channel: str, message: dict[str, Any], answer: Any) -> None:
        parent = message["parent_header"].get("msg_id", "")
        cell = self.cells.get(parent)
        if channel == "stdin":
            assert cell is not None, message
            cell.prompts.append(message["content"])
            if answer is not None:
                self.client.input(answer(message["content"]))
        elif channel != "iopub":
            self.replies[parent] = message
            if cell is not None:
                cell.reply = message
                cell.reply_before_idle = "idle" not in cell.states
        elif message["msg_type"] == "status":
            state = message["content"]["execution_state"]
            if state == "idle":
                self.idle.add(parent)
            if cell is not None:
                cell.states.append(state)
        elif cell is not None:
            cell.outputs.append(message)
        else:
            self.stray.append(message)

    # -- life and death

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def restart(self) -> None:
        self.client.stop_channels()
        self.manager.restart_kernel()
        self.connect()

    def kill(self) -> None:
        """``kill -9`` of the notebook's kernel."""
        os.kill(self.pid, signal.SIGKILL)
        wait_for(lambda: not self.manager.is_alive(), what="the kernel is dead")
        self.client.stop_channels()

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel()


def processes_of(marker: str) -> list[psutil.Process]:
    """Living processes (of this user) that carry ``marker`` in their environment or arguments."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if any(marker in word for word in process.cmdline()) or marker in str(process.environ()):
                found.append(process)
    return found


@contextlib.contextmanager
def no_orphans(marker: str, timeout: float = 20.0) -> Iterator[None]:
    """Fails when processes that carry ``marker`` are still there afterwards; ends them in any case."""
    try:
        yield
    finally:
        eventually(lambda: not processes_of(marker), timeout)
        left = processes_of(marker)
        names = [f"{process.pid}: {' '.join(process.cmdline())[:200]}" for process in left]
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        assert not left, f"orphan processes: {names}"


def merged(messages: Sequence[dict[str, Any]]) -> list[tuple[str, Any]]:
    """Type and content of messages, adjacent text of one stream joined."""
    result: list[tuple[str, Any]] = []
    for message in messages:
        kind, content = message["msg_type"], message["content"]
        if (
            kind == "stream"
            and result
            and result[-1][0] == "stream"
            and result[-1][1]["name"] == content["name"]
        ):
            result[-1] = (kind, {**content, "text": result[-1][1]["text"] + content["text"]})
        else:
            result.append((kind, content))
    return result


def release_all(environ: dict[str, str]) -> None:
    """Give every live lease of a data folder back, as its owner would from a terminal."""
    code = (
        "from pathlib import Path; import os\n"
        "from gpu_provisioner.leases import LeaseBook\n"
        "from gpu_provisioner.provisioner import release\n"
        "data = Path(os.environ['TRACKSIDE_DIR'])\n"
        "for lease in LeaseBook(data).live(): release(lease, data, 'the test')\n"
    )
    subprocess.run([sys.executable, "-c", code], env=environ, check=True, timeout=60)
