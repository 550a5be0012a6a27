"""What a tracked cell shows, onto its run's record: in order, as it was sent, up to a cap.

The cap keeps a head and a tail. The head goes to the journal at once. What comes later waits in
memory, the oldest is let go, and the tail follows when the cell ends, after a ``cut`` that says how
much is missing.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any, Callable, Deque, Dict, List, Optional, Protocol, Sequence, Tuple

from kernel_magics.model import counted
from kernel_magics.tracking.cell_host import Message

LIMIT_BYTES = 32 * 1024 * 1024
"""How much of a cell's output is kept, in bytes of messages."""

_PIECE_CHARS = 64 * 1024
_SHOWN = frozenset(("stream", "display_data", "execute_result", "error", "clear_output"))
_NEVER_CUT = frozenset(("error", "execute_result", "input_request", "input_done"))
_NO_OUTPUT = frozenset(("status", "execute_input", "iopub_welcome", "debug_event", "shutdown_reply"))


class OutputRun(Protocol):
    """The part of a ``Run`` that outputs need."""

    def record_output(
        self, cell_key: str, msg_type: str, content: bytes, buffers: Sequence[bytes] = ()
    ) -> Any: ...

    def record_event(self, name: str, level: str = "info", detail: str = "", **more: Any) -> Any: ...


@dataclass
class _Waiting:
    kind: str
    content: bytes
    buffers: Sequence[bytes]

    @property
    def size(self) -> int:
        return _size(self.content, self.buffers)


class OutputRecorder:
    """Records one cell's messages. Called from several threads.

    Args:
        run: where to.
        key: the cell's key on the record.
        limit: bytes kept, three quarters of them as the head.
        on_text: gets every piece of the cell's stream text, ``(stream name, text)``.
        record: ``False`` keeps outputs off the record; errors and ``on_text`` still work.
    """

    def __init__(
        self,
        run: OutputRun,
        key: str,
        *,
        limit: int = LIMIT_BYTES,
        on_text: Optional[Callable[[str, str], None]] = None,
        record: bool = True,
    ) -> None:
        self._run, self._key, self._record, self._on_text = run, key, record, on_text
        self._limit = limit
        self._head_left = limit - limit // 4
        self._tail: Deque[_Waiting] = deque()
        self._tail_room = limit // 4
        self._tail_size = 0
        self._cut_messages = self._cut_bytes = 0
        self._capped = self._closed = False
        self._lock = threading.RLock()  # re-entrant: a widget's __del__ may send while we hold it
        self.last_error: Optional[Dict[str, Any]] = None
        self.views: Dict[str, None] = {}

    def seen(self, message: Message, into: Optional[str] = None) -> None:
        """One message of the cell; ``into`` names the ``Output`` widget that shows it instead of the cell."""
        kind = message.type
        if kind in _NO_OUTPUT:
            return
        with self._lock:
            self._look_inside(kind, message.content)
            if not self._record:
                return
            name = f"in:{into}:{kind}" if into is not None and kind in _SHOWN else kind
            size = _size(message.content, message.buffers)
            if kind == "stream" and size > max(_PIECE_CHARS, self._head_left) and not self._closed:
                for piece in _pieces(message.content):
                    self._take(name, piece, ())
            else:
                self._take(name, message.content, message.buffers)

    def close(self) -> None:
        """The cell has ended: write the tail. What comes later is recorded at once, up to an eighth."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._cut_messages:
                self._state_cut()
            while self._tail:
                self._write(self._tail.popleft())
            self._head_left = self._limit // 8

    def _look_inside(self, kind: str, content: bytes) -> None:
        if kind == "stream":
            if self._on_text is not None:
                stream = json.loads(content)
                self._on_text(stream.get("name", "stdout"), stream.get("text", ""))
        elif kind == "error":
            error = json.loads(content)
            self.last_error = {name: error.get(name) for name in ("ename", "evalue", "traceback")}
        elif kind == "display_data" and b"application/vnd.jupyter.widget-view+json" in content:
            view = json.loads(content)["data"]["application/vnd.jupyter.widget-view+json"]
            self.views.setdefault(view.get("model_id", ""), None)

    def _take(self, kind: str, content: bytes, buffers: Sequence[bytes]) -> None:
        size = _size(content, buffers)
        if not self._capped and size <= self._head_left:
            self._head_left -= size
            self._run.record_output(self._key, kind, content, buffers)
            return
        if not self._capped:
            self._capped = True
            self._tell_cap()
        if not self._closed:
            self._keep_tail(_Waiting(kind, content, buffers), size)

    def _keep_tail(self, waiting: _Waiting, size: int) -> None:
        self._tail.append(waiting)
        self._tail_size += size
        while self._tail_size > self._tail_room and self._tail:
            oldest = self._tail.popleft()
            self._tail_size -= oldest.size
            if oldest.kind in _NEVER_CUT and oldest.size <= self._limit:
                self._write(oldest)
            else:
                self._cut_messages += 1
                self._cut_bytes += oldest.size

    def _write(self, waiting: _Waiting) -> None:
        self._run.record_output(self._key, waiting.kind, waiting.content, waiting.buffers)

    def _state_cut(self) -> None:
        cut = {"messages": self._cut_messages, "bytes": self._cut_bytes, "limit": self._limit}
        self._run.record_output(self._key, "cut", json.dumps(cut).encode())
        messages = counted(self._cut_messages, "message")
        detail = f"Left out of the middle: {counted(self._cut_bytes, 'byte')} in {messages}."
        self._run.record_event("output-cut", level="warning", detail=detail, **cut)

    def _tell_cap(self) -> None:
        if self._closed:
            detail = "What a thread printed after its cell had ended is no longer recorded: it was too much."
        else:
            detail = (
                f"The cell's output passed {self._limit - self._limit // 4:,} bytes. From here on only the "
                f"last {self._tail_room:,} are kept; they are written when the cell ends."
            )
        self._run.record_event("output-cap", level="warning", detail=detail)


def _size(content: bytes, buffers: Sequence[Any]) -> int:
    return len(content) + sum(memoryview(buffer).nbytes for buffer in buffers)


def _pieces(content: bytes) -> List[bytes]:
    """A big stream message as several small ones, so that the cap can cut within it."""
    stream = json.loads(content)
    text = stream["text"]
    return [
        json.dumps({**stream, "text": text[start : start + _PIECE_CHARS]}).encode()
        for start in range(0, len(text), _PIECE_CHARS)
    ]


class OutputWidgets:
    """Which ``ipywidgets.Output`` shows a request's output instead of its cell, and what it shows.

    ``with Output():`` sends a ``comm_msg`` whose state names the request's ``msg_id``, and an empty one
    at its end.
    """

    def __init__(self) -> None:
        self._into: Dict[str, List[str]] = {}

    def watch(self, message: Message) -> None:
        """Look at a ``comm_msg`` or a ``comm_close``."""
        if message.type == "comm_close":
            self._leave(json.loads(message.content).get("comm_id", ""))
        elif message.type == "comm_msg" and b'"msg_id"' in message.content:
            comm_id, msg_id = _redirection(message.content)
            if msg_id is not None:
                self._leave(comm_id)
                if msg_id:
                    self._into.setdefault(msg_id, []).append(comm_id)

    def target(self, msg_id: str) -> Optional[str]:
        """The widget that shows that request's output now, or ``None``."""
        into = self._into.get(msg_id)
        return into[-1] if into else None

    def _leave(self, comm_id: str) -> None:
        for msg_id, into in list(self._into.items()):
            if comm_id in into:
                into.remove(comm_id)
            if not into:
                del self._into[msg_id]


def _redirection(content: bytes) -> Tuple[str, Optional[str]]:
    message = json.loads(content)
    state = message.get("data", {}).get("state")
    msg_id = state.get("msg_id") if isinstance(state, dict) else None
    return message.get("comm_id", ""), msg_id if isinstance(msg_id, str) else None
