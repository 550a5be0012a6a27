"""GPUs that stand in a file: NVML's library is a stub."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

GIB = 2**30
STUB = Path(__file__).parents[1] / "gpu_provisioner" / "nvml_stub.c"
CONFIGURATION = """
[limits]
max_usd_per_hour = 4.0
max_usd_per_day = 50.0

[targets.local]
provider = "local"
usd_per_gpu_hour = 2.70

[targets.box]
provider = "ssh"
host = "127.0.0.1"
ssh_args = ["-F", "none", "-p", "{port}"]
"""


class Gpus:
    """The GPUs of the machine, and a host beside it that takes connections and says nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mark = secrets.token_hex(4)
        self.silent = socket.create_server(("127.0.0.1", 0), backlog=8)
        self.are(use=83)

    def are(self, use: int) -> None:
        """An A100 that is free and so busy in percent, and an L4 that somebody else uses."""
        a100 = f"NVIDIA A100-SXM4-80GB|GPU-{self._mark}-a|{80 * GIB}|{GIB // 2}||{use}"
        self._path.write_text(f"{a100}\nNVIDIA L4|GPU-{self._mark}-b|{24 * GIB}|{3 * GIB}|1|55\n")

    def hush(self) -> None:
        """From now on the other host refuses connections, also those that wait."""
        self.silent.close()
