"""Stands in for the notebook: provisions, posts through a Holder, collects what comes home."""

from __future__ import annotations

import json
import os
import signal
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from gpu_provisioner import wire
from gpu_provisioner.gpus import parse
from gpu_provisioner.holder import Holder
from gpu_provisioner.model import Lease
from gpu_provisioner.providers.base import Target
from gpu_provisioner.provisioner import provision
from gpu_provisioner.wire import Record
from tests.waiting import wait_for

MARK = "TRACKSIDE_TEST_MARK"

MATRIX = {"3.9": "6.31.0", "3.10": "6.29.5", "3.13": "7.3.0"}
"""Python version → the ipykernel to try it with."""


def marked_processes(mark: str) -> list[psutil.Process]:
    """Living processes, besides this one, that inherited the test's mark."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            environ = Path(f"/proc/{process.pid}/environ").read_bytes()
            if f"{MARK}={mark}".encode() in environ and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (OSError, psutil.Error):
            continue
    return found


def files_with(secret: str, *roots: Path) -> list[Path]:
    """Files under these folders that hold ``secret``; programs may come and go meanwhile."""
    found = []
    for path in (path for root in roots for path in root.rglob("*")):
        try:
            if path.is_file() and secret.encode() in path.read_bytes():
                found.append(path)
        except FileNotFoundError:
            continue
    return found


@dataclass
class Place:
    """The folders of one test."""

    root: Path
    mark: str

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def cache(self) -> Path:
        return self.root / "cache" / "trackside"

    @property
    def agents(self) -> Path:
        return self.cache / "agents"

    @property
    def runtime(self) -> Path:
        return self.root / "run" / "trackside"

    def processes(self) -> list[psutil.Process]:
        return marked_processes(self.mark)


@dataclass
class Cell:
    """What one request brought back."""

    reply: dict[str, Any] | None = None
    outputs: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    buffers: list[bytes] = field(default_factory=list)
    idle: bool = False

    @property
    def text(self) -> str:
        return "".join(content["text"] for kind, content in self.outputs if kind == "stream")


class Front:
    """A front-end in place of the bridge: posts through a Holder, collects what comes home."""

    def __init__(self, lease: Lease, data_dir: Path) -> None:
        self.changed = threading.Condition()
        self.cells: dict[str, Cell] = {}
        self.events: list[dict[str, Any]] = []
        self.states: list[str] = []
        self.questions: list[dict[str, Any]] = []
        self.ends: list[int] = []
        self.holder = Holder(lease, data_dir, on_records=self._on_records, on_state=self._on_state)

    def _on_state(self, state: str) -> None:
        with self.changed:
            self.states.append(state)
            self.changed.notify_all()

    def _on_records(self, records: list[Record]) -> None:
        with self.changed:
            for end, channel, parts in records:
                self.ends.append(end)
                if channel == wire.EVENT:
                    self.events.append(json.loads(parts[0]))
                else:
                    self._on_message(channel, parts)
            self.changed.notify_all()

    def _on_message(self, channel: int, parts: list[bytes]) -> None:
        header, parent, content = json.loads(parts[0]), json.loads(parts[1]), json.loads(parts[3])
        cell = self.cells.setdefault(parent.get("msg_id", ""), Cell())
        if channel in (wire.SHELL, wire.CONTROL):
            cell.reply = content
            cell.buffers = parts[4:]
        elif channel == wire.STDIN:
            self.questions.append(content)
        elif header["msg_type"] == "status":
            cell.idle = cell.idle or content["execution_state"] == "idle"
        elif header["msg_type"] != "execute_input":
            cell.outputs.append((header["msg_type"], content))

    def send(
        self, channel: int, kind: str, content: dict[str, Any], metadata: dict[str, Any] | None = None
    ) -> str:
        header = {
            "msg_id": uuid.uuid4().hex,
            "msg_type": kind,
            "session": "test",
            "username": "test",
            "date": "2026-01-01T00:00:00+00:00",
            "version": "5.3",
        }
        self.holder.post(channel, [wire.to_json(part) for part in (header, {}, metadata or {}, content)])
        return str(header["msg_id"])

    def begin(self, code: str, count: int = 1, cell_id: str | None = None) -> str:
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": True,
            "stop_on_error": True,
        }
        metadata: dict[str, Any] = {"trackside": {"execution_count": count}}
        if cell_id is not None:
            metadata["cellId"] = cell_id
        return self.send(wire.SHELL, "execute_request", content, metadata)

    def finish(self, msg_id: str, timeout: float = 60.0) -> Cell:
        def done() -> bool:
            cell = self.cells.get(msg_id)
            return cell is not None and cell.reply is not None and cell.idle

        self.wait(done, "reply and idle", timeout)
        return self.cells[msg_id]

    def execute(self, code: str, count: int = 1, timeout: float = 60.0) -> Cell:
        return self.finish(self.begin(code, count), timeout)

    def wait(self, condition: Callable[[], Any], what: str, timeout: float = 30.0) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, timeout), f"not within {timeout:.0f} s: {what}"

    def wait_event(self, kind: str, timeout: float = 30.0) -> dict[str, Any]:
        """The first event of that kind."""
        self.wait(lambda: any(event["type"] == kind for event in self.events), f"event {kind}", timeout)
        return next(event for event in self.events if event["type"] == kind)

    def carrier(self) -> psutil.Process | None:
        """The living carrier: a child of ours that runs the bare stub, here or at the end of an ssh."""
        for child in psutil.Process().children():
            try:
                if child.status() != psutil.STATUS_ZOMBIE and " -I -S -c " in " ".join(child.cmdline()):
                    return child
            except psutil.Error:
                continue
        return None

    def kill_carrier(self) -> None:
        carrier: psutil.Process = wait_for(self.carrier, "a carrier runs")
        carrier.send_signal(signal.SIGKILL)


class Lab:
    """Provisions on one target, this machine, with or without options of the target."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.fronts: list[Front] = []
        self.progress: list[tuple[str, str]] = []

    def target(self, **options: Any) -> Target:
        return Target("local", "local", options)

    def provision(self, *specs: str, **options: Any) -> Lease:
        return provision(
            [parse(spec) for spec in specs or ("cpu",)],
            targets=[self.target(**options)],
            data_dir=self.place.data,
            on_progress=lambda stage, text: self.progress.append((stage, text)),
        )

    def front(self, lease: Lease, start: bool = True) -> Front:
        front = Front(lease, self.place.data)
        self.fronts.append(front)
        if start:
            front.holder.start(60)
        return front

    def close(self) -> None:
        for front in self.fronts:
            front.holder.release("the test")

    def kernel(self, **options: Any) -> Front:
        """A kernel that is ready, and a front-end that holds it."""
        return self.front(self.provision(**options))

    def agent_facts(self, front: Front) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(
            (self.place.agents / front.holder.lease.id / "agent.json").read_text()
        )
        return facts

    def take_no_pipes(self, front: Front) -> None:
        """From now on the agent is one of an older version: what crosses is copied by who attaches."""
        facts = self.agent_facts(front)
        del facts["pipes"]
        (self.place.agents / front.holder.lease.id / "agent.json").write_text(json.dumps(facts))
        self.reconnect(front)

    def reconnect(self, front: Front) -> None:
        """Kill the carrier, and wait for the next one."""
        ups = front.states.count("up")
        front.kill_carrier()
        front.wait(lambda: front.states.count("up") > ups, "the line is up again")
