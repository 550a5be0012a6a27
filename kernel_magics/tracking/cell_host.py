"""The notebook's kernel as far as tracking touches it: every private name of ipykernel is in this file.

Supported: ipykernel 6.31 to 7.x, IPython 8.18 to 9.x. Plain IPython is in
:mod:`kernel_magics.tracking.cell_terminal`.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from typing import Any, Callable, List, Mapping, NamedTuple, Optional, Protocol, Sequence, Tuple

_DELIMITER = b"<IDS|MSG>"
_MESSAGE_TYPE = re.compile(rb'"msg_type": ?"(\w+)"').search


class Message(NamedTuple):
    """One message on its way to the front-ends.

    Attributes:
        parent_id: ``msg_id`` of the request it answers.
        parent_type: that request's ``msg_type``.
        type: its own ``msg_type``.
        content: its content as JSON, undecoded.
        buffers: binary buffers.
    """

    parent_id: str
    parent_type: str
    type: str
    content: bytes
    buffers: Sequence[bytes] = ()


Sink = Callable[[Message], None]
Trouble = Callable[[BaseException], None]


class Host(Protocol):
    """Where cells run: an ipykernel, or IPython in a terminal."""

    waits_for_idle: bool
    """Whether a cell's last output comes before an ``idle`` message, rather than before ``post_run_cell``."""

    limits: Optional[str]
    """What cannot be recorded here, in a sentence, or ``None``."""

    def key(self) -> str:
        """Names the request that is running on this thread."""

    def metadata(self) -> Mapping[str, Any]:
        """What the front-end sent along with that request."""

    def session(self) -> Optional[str]:
        """The front-end's session: which page asked."""

    def kernel_id(self) -> Optional[str]:
        """The kernel's id, as the server knows it."""

    def tap(self, sink: Sink, trouble: Trouble) -> None:
        """Every message passes ``sink`` before it is sent; what ``sink`` raises goes to ``trouble``."""

    def untap(self) -> None:
        """Undo :meth:`tap`."""

    def cell_begins(self) -> None:
        """A tracked cell begins."""

    def cell_ends(self) -> None:
        """The tracked cell's code has ended."""

    def note(self, text: str, html: str) -> None:
        """Show a line of ours below what the cell showed, marked as ours (``metadata["trackside"]``)."""

    def display_failed(self) -> bool:
        """Whether showing the result failed, which makes the reply an error although the code ran."""


def host_of(shell: Any) -> Host:
    """The host of an IPython shell."""
    if getattr(shell, "kernel", None) is not None:
        return KernelHost(shell)
    from kernel_magics.tracking.cell_terminal import TerminalHost

    return TerminalHost(shell)


class KernelHost:
    """An ipykernel. All its output, forked children's included, passes ``iopub_thread.send_multipart``.

    Wrapping ``session.send`` would miss what forked children print; ``register_hook`` is thread-local and
    misses errors, comms and forks.
    """

    waits_for_idle: bool = True
    limits: Optional[str] = None

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._kernel = shell.kernel
        self._pid = os.getpid()
        self._undo: List[Callable[[], None]] = []
        self._parent_frame: Any = None
        self._parent_said: Tuple[Optional[str], str] = (None, "")

    def _parent(self) -> Mapping[str, Any]:
        return self._kernel.get_parent("shell") or {}

    def key(self) -> str:
        return str(self._parent().get("header", {}).get("msg_id", ""))

    def metadata(self) -> Mapping[str, Any]:
        return self._parent().get("metadata") or {}

    def session(self) -> Optional[str]:
        return self._parent().get("header", {}).get("session")

    def kernel_id(self) -> Optional[str]:
        path = getattr(getattr(self._kernel, "parent", None), "connection_file", "") or ""
        name = os.path.basename(path)  # noqa: PTH119 - a string that need not be a path at all
        return (
            name[len("kernel-") : -len(".json")]
            if name.startswith("kernel-") and name.endswith(".json")
            else None
        )

    def note(self, text: str, html: str) -> None:
        data = {"text/plain": text, "text/html": html}
        self._shell.display_pub.publish(data, metadata={"trackside": "note"})

    def display_failed(self) -> bool:
        return bool(getattr(self._shell, "_last_traceback_during_displayhook", False))

    def cell_begins(self) -> None:
        """Nothing to do: output is tapped all the time."""

    def cell_ends(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            flush = getattr(stream, "flush", None)
            if flush is not None:
                flush()

    def tap(self, sink: Sink, trouble: Trouble) -> None:
        self._tap_iopub(sink, trouble)
        self._tap_input(sink, trouble)

    def untap(self) -> None:
        while self._undo:
            self._undo.pop()()

    def _tap_iopub(self, sink: Sink, trouble: Trouble) -> None:
        thread, pid, getpid, decode = self._kernel.iopub_thread, self._pid, os.getpid, self._decode
        send = thread.send_multipart

        @functools.wraps(send)
        def send_multipart(frames: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
            if getpid() == pid:  # a forked child's messages pass here once more, in the kernel's own process
                try:
                    message = decode(frames)
                    if message is not None:
                        sink(message)
                except Exception as error:  # noqa: BLE001 - tracking never raises into the cell; trouble() tells
                    trouble(error)
            return send(frames, *args, **kwargs)

        thread.send_multipart = send_multipart
        self._undo.append(lambda: _restore(thread, "send_multipart", send_multipart))

    def _decode(self, frames: Sequence[Any]) -> Optional[Message]:
        at = frames.index(_DELIMITER)
        parent = frames[at + 3]
        if parent != self._parent_frame:  # the messages of one cell repeat their parent, byte for byte
            header = self._unpack(parent)
            self._parent_said = header.get("msg_id"), header.get("msg_type", "")
            self._parent_frame = parent
        parent_id, parent_type = self._parent_said
        if parent_id is None:
            return None
        found = _MESSAGE_TYPE(frames[at + 2])
        kind = found.group(1).decode() if found else self._unpack(frames[at + 2])["msg_type"]
        content = frames[at + 5]
        if content[:1] != b"{":  # a session with another packer
            content = json.dumps(self._kernel.session.unpack(content), default=repr).encode()
        return Message(parent_id, parent_type, kind, bytes(content), frames[at + 6 :])

    def _unpack(self, frame: Any) -> Any:
        try:
            return json.loads(frame)
        except ValueError:  # a session with another packer
            return self._kernel.session.unpack(frame)

    def _tap_input(self, sink: Sink, trouble: Trouble) -> None:
        """``input()`` travels to one client only, past iopub. The prompt is recorded, never the answer."""
        kernel = self._kernel
        ask = kernel._input_request

        def tell(parent: Mapping[str, Any], kind: str, **content: Any) -> None:
            try:
                header = parent["header"]
                text = json.dumps(content).encode()
                sink(Message(header["msg_id"], header.get("msg_type", ""), kind, text))
            except Exception as error:  # noqa: BLE001 - tracking never raises into the cell; trouble() tells
                trouble(error)

        @functools.wraps(ask)
        def _input_request(prompt: Any, ident: Any, parent: Any, password: bool = False) -> Any:
            tell(parent, "input_request", prompt=str(prompt), password=bool(password))
            try:
                return ask(prompt, ident, parent, password=password)
            finally:
                tell(parent, "input_done")

        kernel._input_request = _input_request
        self._undo.append(lambda: _restore(kernel, "_input_request", _input_request))


def _restore(owner: Any, name: str, ours: Any) -> None:
    """Remove our wrapper from an instance, unless somebody wrapped it in turn: then it stays, harmless."""
    if owner.__dict__.get(name) is ours:
        delattr(owner, name)


def silent_info() -> Any:
    """IPython's ``ExecutionInfo`` of the silent cell that is about to run, or ``None``.

    To be called from a ``pre_execute`` callback: IPython tells those nothing about the cell, and fires no
    ``pre_run_cell`` for a silent one, so its caller's variables are read.
    """
    frame = sys._getframe(1)
    for _ in range(4):
        if frame.f_back is None:
            return None
        frame = frame.f_back
        if frame.f_code.co_name == "run_cell_async":
            info = frame.f_locals.get("info")
            return info if getattr(info, "silent", False) else None
    return None
