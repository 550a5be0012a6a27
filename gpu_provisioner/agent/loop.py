"""The agent's loop: everything its kernel says goes to the spool, whatever the spool holds goes home."""

from __future__ import annotations

import importlib
import json
import os
import platform
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import zmq

from gpu_provisioner import wire
from gpu_provisioner.agent.channels import KernelChannels
from gpu_provisioner.agent.connection import Connection
from gpu_provisioner.agent.files import FileTail
from gpu_provisioner.agent.places import private_folder, process_birth, read_json, write_private
from gpu_provisioner.agent.process import AgentConfig, KernelProcess
from gpu_provisioner.agent.spool import Spool

_ACTIVE_POLL_S = 0.1
_IDLE_POLL_S = 0.5
_ACTIVE_FOR_S = 3.0
_HOUSEKEEPING_S = 1.0
_BLOB_BYTES_A_TURN = 8 << 20
_LAST_ACK_S = 15.0
_SALVAGE_ALONE_S = 120.0
_BOOT_DEATHS = 2
_CLIENTS_REMEMBERED = 64


class Agent:
    """One kernel's keeper. Single-threaded; :meth:`run` returns when it has been stopped.

    Args:
        folder: the agent's folder.
        runtime: the folder of its sockets.
        kernel: the first kernel, already started; ``None`` when this agent only brings home what a dead one left.
        wakeup: file descriptor that becomes readable when a signal arrived, with its number.
        on_kernel: told the process group of every kernel that starts, for the supervisor.
    """

    def __init__(
        self,
        config: AgentConfig,
        folder: Path,
        runtime: Path,
        kernel: Optional[KernelProcess],
        wakeup: int,
        on_kernel: Callable[[int], None],
    ) -> None:
        self._config, self._folder, self._runtime = config, folder, runtime
        self._wakeup, self._on_kernel = wakeup, on_kernel
        self._context: zmq.Context[Any] = zmq.Context()
        self._poller = zmq.Poller()
        self._spool = Spool(folder / "spool")
        state = read_json(folder / "state.json") or {}
        self._files = FileTail(folder / "data", state.get("files"))
        self._state_saved = dict(self._files.positions)
        self._epoch = kernel.epoch if kernel else int(state.get("epoch", 1))
        self._kernel = kernel
        self._channels: Optional[KernelChannels] = None
        self._held: List[Tuple[int, Sequence[bytes]]] = []
        """Messages for a kernel that is still starting."""
        self._unspooled: List[bytes] = []
        """Records the disk did not take; while there are any, iopub is not read and the kernel waits."""
        self._full = False
        self._received: Dict[str, int] = {}
        """Highest number received from each Link client: a message sent twice is not done twice."""
        self._connections: Dict[int, Connection] = {}
        self._machine: Optional[Dict[str, Any]] = None
        self._boot_deaths = 0
        self._restart = False
        self._stopping_by = ""
        self._interrupt_at_ready = False
        self._stop_deadline: Optional[float] = None
        self._lonely_since = time.monotonic()
        self._active_at = time.monotonic()
        self._scanned = self._kept = 0.0
        if kernel is not None:
            self._channels = KernelChannels(self._context, self._poller, kernel.connection)
        self._poller.register(wakeup, zmq.POLLIN)
        self._listener = self._listen()

    def report_predecessor(self, died: Dict[str, Any]) -> None:
        """Say in the spool that the former agent has died (``died.json`` of its supervisor), and bring the rest."""
        how = died.get("reason") or "the machine was restarted, or its supervisor was killed as well"
        reason = f"the agent on the machine died ({how}), and its kernel was ended with it"
        self._close_runs(None, reason)
        self._report_death(None, reason)
        self._keep(wire.encode_event("agent-died", reason=reason, time=died.get("time")))

    # ------------------------------------------------------------------ the loop

    def run(self) -> None:
        try:
            while not self._done():
                self._turn()
        finally:
            self._listener.close()
            for connection in self._connections.values():
                connection.close()

    def _turn(self) -> None:
        for connection in self._connections.values():
            wants = connection.wants_to_write(self._spool.end)
            self._poller.modify(connection.fileno(), zmq.POLLIN | (zmq.POLLOUT if wants else 0))
        now = time.monotonic()
        pause = _ACTIVE_POLL_S if now - self._active_at < _ACTIVE_FOR_S else _IDLE_POLL_S
        if self._files.has_blobs_waiting and not self._full:
            pause = 0.0
        events = dict(self._poller.poll(int(pause * 1000)))
        self._from_kernel(events)
        if self._wakeup in events:
            self._on_signals(os.read(self._wakeup, 4096))
        self._watch_kernel()
        if self._listener.fileno() in events:
            self._accept()
        for connection in list(self._connections.values()):
            if events.get(connection.fileno(), 0) & ~zmq.POLLOUT:
                self._from_client(connection)
        now = time.monotonic()
        if now - self._scanned >= pause:
            self._scan_files()
        if now - self._kept >= _HOUSEKEEPING_S:
            self._keep_house()
        for connection in list(self._connections.values()):
            connection.flush(self._spool)
            if connection.closed:
                self._drop(connection)

    def _done(self) -> bool:
        if self._kernel is not None:
            return False
        if self._stop_deadline is not None:
            holder = self._holder()
            if holder is None or time.monotonic() > self._stop_deadline:
                return True
            if holder.acked >= self._spool.end and not holder.closing:
                holder.put(wire.REFUSAL, wire.to_json({"reason": "stopped", "by": self._stopping_by}))
                holder.closing = True
            return holder.closed
        alone = self._holder() is None and not self._restartable
        return alone and time.monotonic() - self._lonely_since > _SALVAGE_ALONE_S

    @property
    def _restartable(self) -> bool:
        """Whether a command may still bring a kernel to life here (an agent that only salvages may not)."""
        return self._channels is not None or self._boot_deaths > 0

    @property
    def is_all_home(self) -> bool:
        """Whether every byte of the spool has been acknowledged."""
        return self._acked >= self._spool.end

    _acked = 0

    # ------------------------------------------------------------------ from the kernel

    def _from_kernel(self, events: Dict[Any, int]) -> None:
        channels = self._channels
        if channels is None:
            return
        was_ready = channels.ready
        records, settles = channels.receive(events, iopub=not self._full)
        if channels.ready and not was_ready:
            self._kernel_ready(channels)
        if records:
            self._active_at = time.monotonic()
            if settles:
                self._scan_files()
            self._keep(b"".join(records))

    def _kernel_ready(self, channels: KernelChannels) -> None:
        assert self._kernel is not None
        self._boot_deaths = 0
        version = platform.python_version()
        self._keep(
            wire.encode_event("kernel-started", epoch=self._epoch, pid=self._kernel.pid, python=version)
        )
        held, self._held = self._held, []
        for channel, parts in held:
            channels.send(channel, parts)
        if self._interrupt_at_ready:
            self._interrupt_at_ready = False
            self._kernel.interrupt()

    def _watch_kernel(self) -> None:
        kernel = self._kernel
        if kernel is None:
            return
        kernel.push_end()
        if kernel.poll() is None:
            return
        self._drain()
        kernel.sweep()
        ready = self._channels is not None and self._channels.ready
        reason = kernel.reason()
        if self._restart:
            reason = f"restarted ({reason})"
        elif self._stopping_by:
            reason = f"released by {self._stopping_by}"
        self._close_runs(kernel.process.returncode, reason)
        self._report_death(kernel.process.returncode, reason)
        if self._channels is not None:
            self._channels.close()
            self._channels = None
        self._kernel = None
        self._boot_deaths = 0 if ready else self._boot_deaths + 1
        if self._stopping_by:
            self._stop_deadline = time.monotonic() + _LAST_ACK_S
        elif self._restart or self._boot_deaths < _BOOT_DEATHS:
            self._start_kernel()
        else:
            self._notice("The kernel ends before it can start; it is not tried again until you restart it.")

    def _drain(self) -> None:
        """Take what the dead kernel's sockets still hold: until nothing has come for 50 ms."""
        channels = self._channels
        if channels is None:
            return
        deadline = time.monotonic() + 2.0
        quiet_since = time.monotonic()
        while time.monotonic() < deadline and time.monotonic() - quiet_since < 0.05:
            records, _ = channels.receive(dict(self._poller.poll(10)), iopub=True)
            if records:
                quiet_since = time.monotonic()
                self._keep(b"".join(records))

    def _report_death(self, returncode: Optional[int], reason: str) -> None:
        self._scan_files(thorough=True)
        number = -returncode if returncode is not None and returncode < 0 else None
        self._keep(
            wire.encode_event(
                "kernel-died", epoch=self._epoch, returncode=returncode, signal=number, reason=reason
            )
        )

    def _close_runs(self, returncode: Optional[int], reason: str) -> None:
        """Give the tracker's hook the last word on runs whose process ended. It must not end the agent."""
        module, _, name = self._config.hook.partition(":")
        if not module:
            return
        number = -returncode if returncode is not None and returncode < 0 else None
        report = {
            "time": time.time(),
            "host": socket.gethostname(),
            "lease": self._config.lease,
            "epoch": self._epoch,
            "returncode": returncode,
            "signal": number,
            "reason": reason,
        }
        try:
            getattr(importlib.import_module(module), name)(self._folder / "data", report)
        except Exception as error:  # noqa: BLE001 - a hook of another package; the agent goes on and says so
            traceback.print_exc()
            self._notice(f"Runs of the ended kernel could not be closed: {error}")

    def _start_kernel(self) -> None:
        self._restart = False
        self._held.clear()
        self._epoch += 1
        self._kernel = KernelProcess.start(self._config, self._folder, self._runtime, self._epoch)
        self._on_kernel(self._kernel.pid)
        self._channels = KernelChannels(self._context, self._poller, self._kernel.connection)
        if self._full:
            self._channels.quiet_iopub(True)
        self._write_facts()

    # ------------------------------------------------------------------ from clients

    def _listen(self) -> socket.socket:
        """Bind the attach socket. Under another name first: a socket that exists answers."""
        private_folder(self._runtime)
        path = self._runtime / "attach"
        temporary = self._runtime / "attach.new"
        temporary.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(temporary))
        temporary.chmod(0o600)
        listener.listen(8)
        listener.setblocking(False)
        temporary.rename(path)
        self._poller.register(listener.fileno(), zmq.POLLIN)
        self._write_facts(str(path))
        return listener

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        connection = Connection(sock)
        self._connections[connection.fileno()] = connection
        self._poller.register(connection.fileno(), zmq.POLLIN)

    def _drop(self, connection: Connection) -> None:
        handle = connection.fileno()
        if self._connections.pop(handle, None) is not None:
            self._poller.unregister(handle)
            connection.close()
            self._lonely_since = time.monotonic()

    def _holder(self) -> Optional[Connection]:
        return next((each for each in self._connections.values() if each.is_holder), None)

    def _from_client(self, connection: Connection) -> None:
        try:
            for tag, body in connection.receive():
                self._on_frame(connection, tag, body)
        except (wire.WireError, KeyError, TypeError, ValueError) as error:
            print(f"a client sent something else: {error}", file=sys.stderr, flush=True)
            connection.closed = True

    def _on_frame(self, connection: Connection, tag: bytes, body: bytes) -> None:
        if tag == wire.HELLO:
            self._on_hello(connection, wire.from_json(body))
        elif tag == wire.MESSAGE:
            self._on_message(connection, body)
        elif tag == wire.ACK:
            connection.acked = min(wire.decode_offset(body), self._spool.end)
            self._acked = max(self._acked, connection.acked)
            self._spool.free(self._acked)
        elif tag == wire.PING:
            connection.put(wire.PONG, body)

    def _on_hello(self, connection: Connection, hello: Dict[str, Any]) -> None:
        connection.client = str(hello["client"])
        offset = int(hello.get("offset", 0))
        if hello.get("role", "holder") == "holder":
            for other in list(self._connections.values()):
                # The newest wins: the older one may be half open, and nobody would ever close it.
                if other is not connection and other.is_holder:
                    self._drop(other)
            offset = min(max(offset, self._spool.start), self._spool.end)
            connection.offset = connection.acked = offset
        ready = self._channels is not None and self._channels.ready
        welcome = {
            "epoch": self._epoch,
            "up": self._received.get(connection.client, 0),
            "offset": offset,
            "end": self._spool.end,
            "pid": self._kernel.pid if self._kernel else None,
            "ready": ready,
            "machine": self._describe_machine(),
        }
        connection.put(wire.WELCOME, wire.to_json(welcome))

    def _on_message(self, connection: Connection, body: bytes) -> None:
        sequence, epoch, channel, parts = wire.decode_message(body)
        if sequence <= self._received.get(connection.client, 0):
            return
        self._received[connection.client] = sequence
        while len(self._received) > _CLIENTS_REMEMBERED:
            del self._received[next(iter(self._received))]
        connection.put(wire.RECEIPT, sequence.to_bytes(8, "big"))
        self._active_at = time.monotonic()
        if channel == wire.EVENT:
            self._on_command(wire.from_json(parts[0]))
        elif epoch == self._epoch and self._channels is not None and channel in wire.CHANNEL_NAMES_UP:
            if self._channels.ready:
                self._channels.send(channel, parts)
            else:
                self._held.append((channel, parts))

    def _on_command(self, command: Dict[str, Any]) -> None:
        kind = command.get("type")
        if kind == "stop":
            self._stop(str(command.get("by") or "the user"))
        elif kind == "restart" and not self._stopping_by:
            self._restart = True
            if self._kernel is None:
                self._start_kernel()
            else:
                self._end_kernel()
        elif kind == "interrupt" and self._kernel is not None:
            if self._channels is not None and self._channels.ready:
                self._kernel.interrupt()
            else:
                self._interrupt_at_ready = True

    def _stop(self, by: str) -> None:
        if self._stopping_by:
            return
        self._stopping_by = by
        self._keep(wire.encode_event("stopping", by=by))
        if self._kernel is None:
            self._stop_deadline = time.monotonic() + _LAST_ACK_S
        else:
            self._end_kernel()

    def _end_kernel(self) -> None:
        assert self._kernel is not None
        self._kernel.end()
        if self._channels is not None and self._channels.ready:
            self._channels.request(wire.CONTROL, "shutdown_request", {"restart": self._restart})

    # ------------------------------------------------------------------ keeping

    def _keep(self, records: bytes) -> None:
        """Put records into the spool; when the disk does not take them, hold them and let the kernel wait."""
        if self._unspooled:
            self._unspooled.append(records)
            return
        try:
            self._spool.append(records)
        except OSError as error:
            print(f"the spool cannot be written: {error}", file=sys.stderr, flush=True)
            self._unspooled.append(records)
            self._set_full(True)
            return
        if not self._full and self._spool.held_bytes > self._config.quota_bytes:
            self._set_full(True)
            self._notice(
                f"{self._spool.held_bytes / 2**30:.1f} GiB of output wait here and nobody fetches them; "
                "the kernel pauses at its next output until somebody does."
            )

    def _set_full(self, full: bool) -> None:
        if self._full != full:
            self._full = full
            if self._channels is not None:
                self._channels.quiet_iopub(full)

    def _retry_spool(self) -> None:
        pending, self._unspooled = self._unspooled, []
        for index, records in enumerate(pending):
            self._keep(records)
            if self._unspooled:
                self._unspooled.extend(pending[index + 1 :])
                return
        if self._spool.held_bytes <= self._config.quota_bytes:
            self._set_full(False)

    def _notice(self, text: str) -> None:
        self._keep(wire.encode_event("notice", text=text))

    def _scan_files(self, thorough: bool = False) -> None:
        self._scanned = time.monotonic()
        if self._unspooled:
            return
        for record in self._files.journal_records(thorough):
            self._active_at = time.monotonic()
            self._keep(record)
        for record in self._files.blob_records((1 << 62) if thorough else _BLOB_BYTES_A_TURN):
            self._keep(record)

    def _keep_house(self) -> None:
        self._kept = time.monotonic()
        if self._full:
            self._retry_spool()
        if self._spool.restore_folder():
            (self._folder / "data").mkdir(mode=0o700, exist_ok=True)
            self._write_facts()
            self._notice(
                f"The agent's folder {self._folder} was deleted while the kernel runs. The kernel goes on; "
                "what its journals gained since the last look may be lost."
            )
        if not (self._runtime / "attach").exists():
            self._poller.unregister(self._listener.fileno())
            self._listener.close()
            self._listener = self._listen()
        if self._files.positions != self._state_saved:
            self._state_saved = dict(self._files.positions)
        state = {"epoch": self._epoch, "files": self._state_saved}
        write_private(self._folder / "state.json", json.dumps(state).encode())

    def _on_signals(self, numbers: bytes) -> None:
        if signal.SIGTERM in numbers:
            self._stop("SIGTERM")

    def _write_facts(self, attach: str = "") -> None:
        facts = read_json(self._folder / "agent.json") or {}
        facts.update(
            pid=os.getpid(),
            birth=process_birth(os.getpid()),
            lease=self._config.lease,
            epoch=self._epoch,
            kernel=self._kernel.pid if self._kernel else None,
            python=sys.executable,
        )
        if attach:
            facts["socket"] = attach
        write_private(self._folder / "agent.json", json.dumps(facts).encode())

    def _describe_machine(self) -> Dict[str, Any]:
        if self._machine is None:
            self._machine = {
                "host": socket.gethostname(),
                "python": platform.python_version(),
                "executable": sys.executable,
                "platform": platform.platform(),
                "cores": os.cpu_count(),
                "folder": str(self._folder),
                "gpus": [],
            }
            if self._config.device != "cpu":
                from gpu_provisioner.agent.devices import describe_gpus

                self._machine.update(describe_gpus())
        return self._machine
