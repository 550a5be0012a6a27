"""The yardstick of the Link: a plain ipykernel over there, its ZeroMQ ports forwarded by ``ssh -L``."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.gpu_provisioner.far import Far

_PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


def direct_ssh(far: Far, *words: str) -> list[str]:
    """An ssh to the far side that shares no connection."""
    options = ("ControlPath=none", "ControlMaster=no", "BatchMode=yes", "LogLevel=ERROR")
    flags = [word for option in options for word in ("-o", option)]
    return ["ssh", "-F", str(far.keys / "config"), *flags, *words]


@contextlib.contextmanager
def tunnelled_kernel(far: Far, folder: Path) -> Iterator[Any]:
    """A blocking client of a kernel that was started over there by hand, as tutorials have it."""
    from jupyter_client.blocking.client import BlockingKernelClient

    ports = _free_ports(2 * len(_PORTS))
    there = dict(zip(_PORTS, ports[: len(_PORTS)], strict=True))
    here = dict(zip(_PORTS, ports[len(_PORTS) :], strict=True))
    facts = {
        "ip": "127.0.0.1",
        "transport": "tcp",
        "key": secrets.token_hex(16),
        "signature_scheme": "hmac-sha256",
        "kernel_name": "",
    }
    file = folder / "tunnelled.json"
    file.write_text(json.dumps({**facts, **there}))
    python = f"{far.account.python} -Xfrozen_modules=off -m ipykernel_launcher -f {file}"
    forwards = [word for name in _PORTS for word in ("-L", f"127.0.0.1:{here[name]}:127.0.0.1:{there[name]}")]
    with contextlib.ExitStack() as ends:
        kernel = subprocess.Popen(
            direct_ssh(far, "far", python),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        ends.callback(_end, kernel)
        tunnel = subprocess.Popen(direct_ssh(far, "-N", *forwards, "far"), stdin=subprocess.DEVNULL)
        ends.callback(_end, tunnel)
        client = BlockingKernelClient()
        client.load_connection_info({**facts, **here})
        client.start_channels(hb=False)
        ends.callback(client.stop_channels)
        client.wait_for_ready(timeout=60)
        try:
            yield client
        finally:
            client.shutdown()
            kernel.wait(20)


class Echo:
    """One byte there and back on an ssh of its own: the round trip that nothing can beat."""

    def __init__(self, far: Far) -> None:
        self._ssh = subprocess.Popen(
            direct_ssh(far, "-T", "far", "cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def __call__(self) -> None:
        assert self._ssh.stdin is not None and self._ssh.stdout is not None
        self._ssh.stdin.write(b"x")
        assert self._ssh.stdout.read(1) == b"x"

    def close(self) -> None:
        self._ssh.communicate()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as open_ones:
        found = [open_ones.enter_context(socket.socket()) for _ in range(count)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in found]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(10)
