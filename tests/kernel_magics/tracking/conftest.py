"""Real kernels and the records their tracked cells left."""

from __future__ import annotations

import json
import os
import shutil
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

from kernel_magics.journal import reader
from kernel_magics.journal.format import Kind

ROOT = Path(__file__).resolve().parents[3]
PYTHON = os.environ.get("TRACKSIDE_TEST_PYTHON", sys.executable)
"""The interpreter kernels run with: the same tests serve older ipykernels."""

Message = tuple[str, dict[str, Any]]
_NO_OUTPUT = {"status", "execute_input", "iopub_welcome"}
_RECORD_ONLY = {"input_request", "input_done", "widget_state", "cut"}


def joined(messages: list[Message]) -> list[Message]:
    """The same messages with neighbouring text of one stream in one."""
    result: list[Message] = []
    for kind, content in messages:
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


def is_note(message: Message) -> bool:
    """Whether it is the line below a tracked cell that went well."""
    return message[0] == "display_data" and message[1]["metadata"].get("trackside") == "note"


@dataclass
class RecordedRun:
    """One run's journals, decoded."""

    path: Path
    frames: list[tuple[int, Any]]

    def of(self, kind: Kind) -> list[Any]:
        return [payload for one, payload in self.frames if one == kind]

    def merged(self, kind: Kind) -> dict[str, Any]:
        whole: dict[str, Any] = {}
        for part in self.of(kind):
            whole.update(part)
        return whole

    @property
    def id(self) -> str:
        return str(self.of(Kind.RUN)[0]["id"])

    @property
    def name(self) -> str:
        return str(self.merged(Kind.CHANGE).get("name", self.of(Kind.RUN)[0]["name"]))

    @property
    def status(self) -> str:
        return str(self.of(Kind.FINISH)[-1]["status"]) if self.of(Kind.FINISH) else "running"

    @property
    def error(self) -> dict[str, Any]:
        return dict(self.of(Kind.FINISH)[-1]["error"])

    @property
    def facts(self) -> dict[str, Any]:
        return self.merged(Kind.FACTS)

    @property
    def config(self) -> dict[str, Any]:
        return self.merged(Kind.CONFIG)

    @property
    def cell(self) -> dict[str, Any]:
        return self.merged(Kind.CELL)

    @property
    def events(self) -> list[dict[str, Any]]:
        return self.of(Kind.EVENT)

    @property
    def everything(self) -> list[Message]:
        return [(frame["type"], frame["content"]) for frame in self.of(Kind.OUTPUT)]

    @property
    def outputs(self) -> list[Message]:
        """What a client received as well, neighbouring text joined."""
        shown = [(kind.split(":")[-1], content) for kind, content in self.everything]
        return joined([message for message in shown if message[0] not in _RECORD_ONLY])

    @property
    def text(self) -> str:
        return "".join(content["text"] for kind, content in self.outputs if kind == "stream")

    def points(self, source: str) -> dict[str, list[tuple[int, float]]]:
        """``{metric: [(step, value)]}`` of one source."""
        names = {m["id"]: m["name"] for m in self.of(Kind.METRIC) if m["source"] == source}
        layouts = {layout["id"]: layout["metrics"] for layout in self.of(Kind.LAYOUT)}
        found: dict[str, list[tuple[int, float]]] = {}
        for payload in self.of(Kind.POINTS):
            layout, step, _time = struct.unpack_from("<Iqd", payload)
            values = struct.unpack_from(f"<{len(layouts[layout])}d", payload, 20)
            for metric, value in zip(layouts[layout], values, strict=True):
                if metric in names:
                    found.setdefault(names[metric], []).append((step, value))
        return found


def recorded_runs(data: Path) -> list[RecordedRun]:
    """Every run of a data folder, in the order they were begun."""
    runs = []
    for folder in (data / "runs").glob("*"):
        frames: list[tuple[int, Any]] = []
        for journal in sorted(folder.glob("*.journal")):
            for frame in reader.scan(journal.read_bytes()[16:]).frames:
                binary = frame.kind == Kind.POINTS
                frames.append((frame.kind, frame.payload if binary else json.loads(frame.payload)))
        if frames:
            runs.append(RecordedRun(folder, frames))
    return sorted(runs, key=lambda run: run.of(Kind.RUN)[0]["created"])


@dataclass
class Answer:
    """What a client received for a cell."""

    reply: dict[str, Any]
    messages: list[Message]
    request: str

    @property
    def status(self) -> str:
        return str(self.reply["status"])

    @property
    def outputs(self) -> list[Message]:
        return joined(self.messages)

    @property
    def text(self) -> str:
        return "".join(content["text"] for kind, content in self.messages if kind == "stream")

    @property
    def errors(self) -> list[dict[str, Any]]:
        return [content for kind, content in self.messages if kind == "error"]


@dataclass
class Notebook:
    """A front-end with a kernel of its own and the folders of one test."""

    home: Path
    manager: KernelManager
    client: Any
    seen: list[Any] = field(default_factory=list)

    @classmethod
    def start(cls, home: Path, **environment: str) -> Notebook:
        manager = KernelManager()
        manager.start_kernel(cwd=str(home), env=environment_of(home, **environment))
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        notebook = cls(home, manager, client)
        answer = notebook.run("%load_ext kernel_magics.magics.track")
        assert answer.status == "ok", answer.messages
        return notebook

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def runs(self) -> list[RecordedRun]:
        return recorded_runs(self.data)

    @property
    def last(self) -> RecordedRun:
        return self.runs[-1]

    def send(self, code: str, metadata: dict[str, Any] | None = None, **more: Any) -> str:
        """Ask for a cell without waiting; the request's id."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
        content.update(allow_stdin=False, stop_on_error=True, **more)
        message = self.client.session.msg("execute_request", content, metadata=metadata or {})
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def run(self, code: str, metadata: dict[str, Any] | None = None, **more: Any) -> Answer:
        """Run a cell to its end."""
        return self.wait(self.send(code, metadata, **more))

    def wait(self, request: str, timeout: float = 60) -> Answer:
        """The answer to a request, complete."""
        reply = None
        while reply is None or reply["parent_header"]["msg_id"] != request:
            reply = self.client.get_shell_msg(timeout=timeout)
        while not any(
            kind == "status" and content["execution_state"] == "idle" for kind, content in self.of(request)
        ):
            self.seen.append(self.client.get_iopub_msg(timeout=timeout))
        return Answer(reply["content"], self.shown(request), request)

    def drain(self) -> None:
        """Take what has arrived meanwhile."""
        while self.client.iopub_channel.msg_ready():
            self.seen.append(self.client.get_iopub_msg(timeout=1))

    def of(self, request: str) -> list[Message]:
        return [
            (message["msg_type"], message["content"])
            for message in self.seen
            if message["parent_header"].get("msg_id") == request
        ]

    def shown(self, request: str) -> list[Message]:
        """Its outputs, without the line of ours below them."""
        return [
            (kind, content)
            for kind, content in self.of(request)
            if kind not in _NO_OUTPUT and not is_note((kind, content))
        ]

    def notes(self, request: str) -> list[str]:
        """The lines of ours."""
        return [
            content["data"]["text/plain"] for kind, content in self.of(request) if is_note((kind, content))
        ]


def environment_of(home: Path, **more: str) -> dict[str, str]:
    """The environment of a process of the user's, with folders of its own under ``home``."""
    return {
        **os.environ,
        "HOME": str(home),
        "TRACKSIDE_DIR": str(home / "data"),
        "TRACKSIDE_CONFIG": str(home / "trackside.toml"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_DATA_DIR": str(home / "jupyter"),
        "MPLCONFIGDIR": str(home / "mpl"),
        "PYTHONPATH": str(payload(home) if os.environ.get("TRACKSIDE_TEST_PYTHON") else ROOT),
        **more,
    }


def payload(home: Path) -> Path:
    """What travels to a GPU machine, for an interpreter the whole of Trackside does not support."""
    target = home / "payload"
    if not target.exists():
        source = ROOT / "kernel_magics"
        for part in ("journal", "tracking"):
            shutil.copytree(source / part, target / "kernel_magics" / part)
        for name in (
            "__init__.py",
            "errors.py",
            "model.py",
            "paths.py",
            "magics/__init__.py",
            "magics/track.py",
        ):
            (target / "kernel_magics" / name).parent.mkdir(exist_ok=True)
            shutil.copy(source / name, target / "kernel_magics" / name)
    return target


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a process with folders of its own in ``tmp_path``."""
    return environment_of(tmp_path)


@pytest.fixture
def runs_in() -> Callable[[Path], list[RecordedRun]]:
    """See :func:`recorded_runs`."""
    return recorded_runs


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    """A kernel of the test's own."""
    monkeypatch.setattr(KernelManager, "format_kernel_cmd", _formatted)
    one = Notebook.start(tmp_path)
    yield one
    one.close()


@pytest.fixture(scope="module")
def shared_notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """One kernel for all the cells of a module."""
    patch = pytest.MonkeyPatch()
    patch.setattr(KernelManager, "format_kernel_cmd", _formatted)
    one = Notebook.start(tmp_path_factory.mktemp("notebook"))
    yield one
    one.close()
    patch.undo()


def _formatted(manager: KernelManager, extra_arguments: list[str] | None = None) -> list[str]:
    return [PYTHON, "-m", "ipykernel_launcher", "-f", manager.connection_file, *(extra_arguments or [])]
