"""A carrier: the subprocess whose stdin and stdout reach the agent (``ssh``, ``srun``, or simply Python)."""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import List, Optional, Sequence

import psutil

from gpu_provisioner import calling_off
from gpu_provisioner.agent.attach import widen_pipe
from gpu_provisioner.birth import born
from gpu_provisioner.plain import plain
from gpu_provisioner.wire import Buffer

_PIECE = 1 << 20
_STDERR_KEPT = 4000


class Carrier:
    """A running carrier. Its exit code is never believed: some tools exit 0 when a line breaks.

    Args:
        argv: program and arguments; never a shell string.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        # A file, not a pipe: nobody reads it while things go well, and a full pipe would stop the carrier.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._program = argv[0]
        self._process = born(
            lambda: subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                bufsize=0,
                start_new_session=True,
            )
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in = self._process.stdin.fileno()
        self._out = self._process.stdout.fileno()
        self._ended, self._end = os.pipe()
        """Readable once :meth:`kill` was called. The process' end alone does not end its stdout: a shared
        ssh connection holds that too, and it may hang in a dead network."""
        self._closing = threading.Lock()
        self._closed = False
        os.set_blocking(self._in, False)
        widen_pipe(self._in)
        widen_pipe(self._out)
        self._call_off = calling_off.current()
        if self._call_off is not None:
            self._call_off.add(self.kill)

    @property
    def pid(self) -> int:
        return self._process.pid

    def read(self) -> bytes:
        """Whatever has arrived; waits for the first byte. ``b""`` is the end."""
        return self._read(None)

    def read_until(self, deadline: float) -> bytes:
        """As :meth:`read`, but raises ``TimeoutError`` once ``time.monotonic()`` has reached ``deadline``."""
        return self._read(max(0.0, deadline - time.monotonic()))

    def _read(self, seconds: Optional[float]) -> bytes:
        ready = select.poll()
        ready.register(self._out, select.POLLIN)
        ready.register(self._ended, select.POLLIN)
        found = {handle for handle, _ in ready.poll(None if seconds is None else math.ceil(seconds * 1000))}
        if not found:
            raise TimeoutError
        if self._ended in found:
            return b""
        try:
            return os.read(self._out, _PIECE)
        except OSError:
            return b""

    def write(self, pieces: Sequence[Buffer]) -> int:
        """Write what fits now without waiting; how many bytes that was. ``OSError`` once it has ended."""
        try:
            return os.writev(self._in, pieces)
        except BlockingIOError:
            return 0

    def write_all(self, data: bytes, deadline: float) -> None:
        """Write everything; ``TimeoutError`` at the deadline, ``OSError`` once it has ended."""
        view = memoryview(data)
        while view:
            view = view[self.write([view[:_PIECE]]) :]
            if view and not self.wait_writable(max(0.0, deadline - time.monotonic())):
                raise TimeoutError

    def wait_writable(self, seconds: float) -> bool:
        try:
            ready = select.poll()
            ready.register(self._in, select.POLLOUT)
            return bool(ready.poll(math.ceil(seconds * 1000)))
        except (OSError, ValueError):
            return False

    def complaint(self) -> str:
        """The end of what it wrote to stderr, fit to be shown."""
        try:
            size = self._stderr.seek(0, os.SEEK_END)
            self._stderr.seek(max(0, size - _STDERR_KEPT))
            return plain(self._stderr.read().decode(errors="replace")).strip()
        except (OSError, ValueError):
            return ""

    def exit_status(self, patience_s: float) -> Optional[int]:
        """Its exit status, for a message and nothing else; ``None`` when it has not ended in time."""
        try:
            return self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it at once; :meth:`read` in another thread returns. May be called again."""
        with self._closing:
            if not self._closed:
                self._end_process()
                os.write(self._end, b"\0")

    def _end_process(self) -> None:
        """Of ``ssh`` only the process itself: what it left in the background is the connection that others
        share. Anything else may be a wrapper, whose program would live on without it.
        """
        if Path(self._program).name == "ssh":
            self._process.kill()
            return
        members = group_members(self._process.pid)
        self._process.kill()
        for member in members:
            with contextlib.suppress(OSError):
                os.kill(member, signal.SIGKILL)

    def close(self) -> None:
        """End it, wait for it, give its descriptors back. Only the thread that reads may call this."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        if self._call_off is not None:
            self._call_off.remove(self.kill)
        self._end_process()
        self._process.wait()
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._stderr.close()
        os.close(self._ended)
        os.close(self._end)


def group_members(group: int) -> List[int]:
    """Living processes of a group besides its leader, without connections that ``ssh`` shares."""
    found = []
    for process in psutil.process_iter():
        try:
            in_group = process.pid != group and os.getpgid(process.pid) == group
            if in_group and not " ".join(process.cmdline()).rstrip().endswith("[mux]"):
                found.append(process.pid)
        except (OSError, psutil.Error):
            continue
    return found
