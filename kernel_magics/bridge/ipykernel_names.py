"""Every private or changing name of ipykernel that the bridge uses, in this one file.

Supported: ipykernel 6.31 to 7.x. What differs between them is decided here; what is missing is said
in a sentence when the bridge is installed, not in the middle of a cell.
"""

from __future__ import annotations

import inspect
import threading
from contextvars import ContextVar
from typing import Any, Awaitable, Callable, Dict, Iterator, List, Mapping, Optional, Sequence

import zmq
from jupyter_client.session import DELIM
from tornado.ioloop import IOLoop

from kernel_magics.errors import TracksideError

_NAMES = (
    "session",
    "shell",
    "shell_handlers",
    "control_handlers",
    "comm_manager",
    "iopub_socket",
    "iopub_thread",
    "stdin_socket",
    "_abort_queues",
    "_topic",
    "dispatch_shell",
    "get_parent",
    "set_parent",
)
_THREAD_NAMES = ("schedule", "socket")
_SNDHWM: int = zmq.SNDHWM  # type: ignore[attr-defined]  # pyzmq fills its names in at import
_ENOTSOCK: int = zmq.ENOTSOCK  # type: ignore[attr-defined]
_ZERO_COPY_BYTES = 1 << 16

Frames = List[bytes]
Handler = Callable[[Any, Any, Dict[str, Any]], Awaitable[None]]

_beside: ContextVar[bool] = ContextVar("trackside_dispatched_beside", default=False)


class UnsupportedKernel(TracksideError):
    """This notebook kernel cannot speak for another one. Nothing was rented."""


class LocalKernel:
    """The notebook's own ipykernel, as far as the bridge touches it."""

    def __init__(self, kernel: Any) -> None:
        _check(kernel)
        self._kernel = kernel
        self.session = kernel.session
        self.shell = kernel.shell
        self.shell_handlers: Dict[str, Any] = kernel.shell_handlers
        self.control_handlers: Dict[str, Any] = kernel.control_handlers
        self.comm_manager = kernel.comm_manager
        self.stdin_socket = kernel.stdin_socket
        self.stdin_lock = threading.Lock()
        # A kernel that still executes its start-up lines has none yet; its main thread will run this one.
        self._loop: IOLoop = getattr(kernel, "io_loop", None) or IOLoop.current()
        self._subshells = getattr(kernel, "shell_channel_thread", None) is not None
        self._unbounded = False

    def running_request(self) -> Mapping[str, Any]:
        """The message of the cell that runs in this thread."""
        request: Mapping[str, Any] = self._kernel.get_parent("shell")
        return request

    def current_request(self) -> Optional[Mapping[str, Any]]:
        """The front-end's request that runs now, if one does."""
        return self._kernel.get_parent("shell") or None

    def reply(
        self, stream: Any, msg_type: str, content: Any, parent: Mapping[str, Any], ident: Any, **more: Any
    ) -> None:
        """Answer a request on the channel it came from; ``more``: ``metadata``, ``buffers``."""
        self.session.send(stream, msg_type, content, parent, ident=ident, **more)

    def publish(
        self, msg_type: str, content: Mapping[str, Any], parent: Optional[Mapping[str, Any]] = None
    ) -> None:
        """Send a message of our own on iopub. Callable from any thread."""
        topic = self._kernel._topic(msg_type)
        self.session.send(self._kernel.iopub_socket, msg_type, dict(content), parent, ident=topic)

    def soon(self, callback: Callable[[], None]) -> None:
        """Call back in the main thread, as soon as no cell keeps it busy. Callable from any thread."""
        self._loop.add_callback(callback)

    def frames(self, msg_type: str, parts: Sequence[bytes]) -> Frames:
        """The wire frames of a message whose parts came from elsewhere, signed with this kernel's key."""
        return [self._kernel._topic(msg_type), DELIM, self.session.sign(list(parts[:4])), *parts]

    def send(self, batch: Sequence[Frames]) -> None:
        """Send messages on iopub, in order, with one wake-up of its thread. Callable from any thread."""
        self._kernel.iopub_thread.schedule(lambda: self._really_send(batch))

    def unbounded_iopub(self) -> None:
        """Let iopub queue for a stalled front-end without limit, from now on.

        The option reaches only the peers connected when it is set, so :meth:`send` sets it again. It is never
        lowered: a peer that was connected without a limit does not report what it has read, so libzmq
        would hold its queue for full after that many messages, for ever, and the kernel would be mute.
        """

        def set_mark() -> None:
            socket = self._kernel.iopub_thread.socket
            if socket is not None:
                self._unbounded = True
                socket.setsockopt(_SNDHWM, 0)

        self._kernel.iopub_thread.schedule(set_mark)

    @property
    def is_beside(self) -> bool:
        """Whether ipykernel dispatched the message being handled beside another one.

        ipykernel 7.4 does that with comm messages that come while a handler awaits, and publishes no status
        for them. It decides before the handler's task begins, so no state of ours can tell.
        """
        return _beside.get()

    def keeps_its_parent(self, handler: Handler) -> Handler:
        """A shell handler whose ``idle`` names the message it handled, whatever came beside it.

        After a comm message beside handler A, ipykernel 7.4 makes A's message the parent again, even when
        A has ended and B waits meanwhile; B's ``idle``, published right after its handler, would be A's.
        """

        async def handle(stream: Any, ident: Any, message: Dict[str, Any]) -> None:
            try:
                await handler(stream, ident, message)
            finally:
                if not self.is_beside:
                    self._kernel.set_parent(ident, message, channel="shell")

        return handle

    def watch_dispatch(self, wanted: bool) -> None:
        """Let :attr:`is_beside` be known, or as before."""
        if not wanted:
            self._kernel.__dict__.pop("dispatch_shell", None)
            return
        dispatch = self._kernel.dispatch_shell
        if "concurrent" not in inspect.signature(dispatch).parameters:
            return  # before 7.4 comm messages wait like any other

        async def dispatch_shell(msg: Any, /, subshell_id: Any = None, *, concurrent: bool = False) -> None:
            _beside.set(concurrent)
            await dispatch(msg, subshell_id=subshell_id, concurrent=concurrent)

        self._kernel.dispatch_shell = dispatch_shell

    def abort_queued(self, subshell_id: Optional[str]) -> None:
        """Answer the execute requests that already wait with ``aborted``, as after any error."""
        if self._subshells:
            self._kernel._abort_queues(subshell_id)
        else:
            self._kernel._abort_queues()

    def _really_send(self, batch: Sequence[Frames]) -> None:
        socket = self._kernel.iopub_thread.socket
        if socket is None:
            return
        if self._unbounded:
            socket.setsockopt(_SNDHWM, 0)
        for frames in batch:
            try:
                socket.send_multipart(frames, copy=max(map(len, frames)) < _ZERO_COPY_BYTES)
            except zmq.ZMQError as error:  # type: ignore[attr-defined]
                if error.errno == _ENOTSOCK:  # the kernel is shutting down
                    return
                raise


def _check(kernel: Any) -> None:
    missing = [*_missing(kernel, _NAMES), *_missing(getattr(kernel, "iopub_thread", None), _THREAD_NAMES)]
    if missing:
        raise UnsupportedKernel(
            f"This notebook's kernel ({type(kernel).__module__}) lacks {', '.join(missing)}, which Trackside"
            " needs to run cells elsewhere. Nothing was rented.",
            "a Python kernel with ipykernel 6.31 to 7.x",
        )
    if kernel.session.packer != "json":
        raise UnsupportedKernel(
            f"This kernel packs its messages with {kernel.session.packer!r}; Trackside needs JSON.",
            "remove Session.packer from the Jupyter configuration",
        )


def _missing(owner: Any, names: Sequence[str]) -> Iterator[str]:
    return (name for name in names if not hasattr(owner, name))
