"""The kernel's process: started before anything slow is imported, ended with everything it started."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from gpu_provisioner.agent.death import MemoryWatch, explain
from gpu_provisioner.agent.places import private_file, write_private

PORTS = {"shell": 1, "iopub": 2, "stdin": 3, "control": 4, "hb": 5}
"""With ``transport=ipc`` a port is the suffix of a socket's file name."""

_BOOT = (
    "import sys; sys.path[:] = [p for p in sys.path if p]; "
    "from gpu_provisioner.agent.parent import end_with; end_with({agent}); "
    "from gpu_provisioner.agent.kernel import main; main()"
)
"""Not ``-m``: the current folder would then come first, and a ``random.py`` of the user's would stop the
kernel. Before anything slow is imported it promises to end with its agent.
"""

_FLAGS = ("-Xfrozen_modules=off",) if sys.version_info >= (3, 11) else ()
"""As in ipykernel's own kernel spec: the debugger cannot step into frozen modules, and says so on stderr."""

_GREETING = re.compile(
    r"NOTE: When using the `ipython kernel`|To exit, you will|\"quit\" from a client|To read more about this"
    r"|To connect another client|--existing "
)
"""What every ipykernel prints when it starts, which is no reason for its end."""

_GRACE_S = ((signal.SIGINT, 0.0), (signal.SIGTERM, 1.5), (signal.SIGKILL, 3.0))


@dataclass(frozen=True)
class AgentConfig:
    """What the agent was told when it was started (``config.json``).

    Attributes:
        cwd: folder the kernel starts in; the home folder when it does not exist.
        work: name of the working folder that is mirrored from home, ``""`` for none; ``cwd`` lies in it.
        device: canonical name of the GPU, or ``"cpu"``.
        gpus: UUIDs of the GPUs it may use.
        hook: ``"module:function"`` called with (data folder, report) after a kernel has ended.
        extensions: IPython extensions the kernel loads when they can be imported.
        quota_bytes: of the spool; beyond it the kernel waits until somebody fetches.
        idle_s: so long without need and the machine is given back; 0 for never.
        owner: ``host:data folder`` that began it.
        price: what an hour costs, for the runs: ``{usd_per_hour, as_of, source}``, the first ``None`` where
            no price is known.
    """

    lease: str
    cwd: str = ""
    work: str = ""
    device: str = "cpu"
    gpus: Tuple[str, ...] = ()
    hook: str = ""
    extensions: Tuple[str, ...] = ()
    quota_bytes: int = 2 << 30
    idle_s: float = 0.0
    owner: str = ""
    price: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> AgentConfig:
        known = {key: data[key] for key in cls.__dataclass_fields__ if key in data}
        for name in ("extensions", "gpus"):
            known[name] = tuple(known.get(name, ()))
        return cls(**known)


@dataclass
class KernelProcess:
    """One kernel: a process group of its own, and the file that says how to reach it."""

    epoch: int
    process: subprocess.Popen[bytes]
    connection: Dict[str, Any]
    log: Path
    connection_file: Path
    memory: MemoryWatch = field(default_factory=MemoryWatch)
    _ending_since: Optional[float] = None
    _signals_sent: int = 0

    @classmethod
    def start(cls, config: AgentConfig, folder: Path, runtime: Path, epoch: int) -> KernelProcess:
        """Start a kernel. Its output beyond iopub goes to ``kernel.log`` in the agent's folder."""
        key = secrets.token_hex(32)
        address = str(runtime / f"k{epoch}")
        connection = {
            "transport": "ipc",
            "ip": address,
            "key": key,
            "signature_scheme": "hmac-sha256",
            **{f"{name}_port": port for name, port in PORTS.items()},
        }
        connection_file = runtime / f"k{epoch}.json"
        write_private(connection_file, json.dumps(connection).encode())
        log = folder / "kernel.log"
        cwd = config.cwd if config.cwd and Path(config.cwd).is_dir() else str(Path.home())
        with private_file(log, os.O_TRUNC) as output:
            process = subprocess.Popen(
                [sys.executable, *_FLAGS, "-c", _BOOT.format(agent=os.getpid()), "-f", str(connection_file)],
                cwd=cwd,
                env=kernel_environment(config, folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return cls(epoch, process, connection, log, connection_file)

    @property
    def pid(self) -> int:
        return self.process.pid

    def poll(self) -> Optional[int]:
        """The exit status once the kernel has ended (``Popen.returncode``), else ``None``."""
        return self.process.poll()

    def interrupt(self) -> None:
        """SIGINT to the whole group, as Jupyter does it: the cell's own subprocesses get it too."""
        _signal_group(self.pid, signal.SIGINT)

    def end(self) -> None:
        """Begin to end the kernel; call :meth:`push_end` until :meth:`poll` says it has."""
        self._ending_since = self._ending_since or time.monotonic()
        self.push_end()

    def push_end(self) -> None:
        """SIGINT, then SIGTERM, then SIGKILL, each when its time has come. Never waits."""
        if self._ending_since is None:
            return
        elapsed = time.monotonic() - self._ending_since
        while self._signals_sent < len(_GRACE_S) and elapsed >= _GRACE_S[self._signals_sent][1]:
            _signal_group(self.pid, _GRACE_S[self._signals_sent][0])
            self._signals_sent += 1

    @property
    def is_ending(self) -> bool:
        return self._ending_since is not None

    def sweep(self) -> None:
        """Once the kernel has ended: end what it left in its group, and its sockets' files."""
        _signal_group(self.pid, signal.SIGKILL)
        for path in self.connection_file.parent.glob(f"k{self.epoch}*"):
            if path.stem.partition("-")[0] == f"k{self.epoch}":
                path.unlink(missing_ok=True)

    def reason(self) -> str:
        """Why it ended, with what it said last when it said something."""
        text = explain(self.process.returncode, self.memory.verdict())
        if (self.process.returncode or 0) > 0:
            last = self._last_words()
            text += f": {last}" if last else ""
        return text

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        said = [line.strip() for line in lines if line.strip() and not _GREETING.match(line.strip())]
        return said[-1][:300] if said else ""


def kernel_environment(config: AgentConfig, folder: Path) -> Dict[str, str]:
    """The agent's own environment, and what a kernel on a leased machine needs to know.

    ``PYTHONPATH`` lets every Python that the kernel starts (torchrun's ranks) find our packages as well.
    """
    environment = {name: value for name, value in os.environ.items() if name != "JPY_PARENT_PID"}
    payload = str(Path(__file__).parent.parent.parent)
    paths: List[str] = [payload, *environment.get("PYTHONPATH", "").split(os.pathsep)]
    environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(path for path in paths if path))
    environment["TRACKSIDE_ROLE"] = "remote"
    environment["TRACKSIDE_LEASE"] = config.lease
    if config.price:
        environment["TRACKSIDE_PRICE"] = json.dumps(dict(config.price))
    environment["TRACKSIDE_DIR"] = str(folder / "data")
    environment["TRACKSIDE_EXTENSIONS"] = ",".join(config.extensions)
    return environment


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass
