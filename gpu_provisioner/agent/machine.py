"""Facts about the machine the agent runs on."""

from __future__ import annotations

import os
import platform
import socket
import sys
from pathlib import Path
from typing import Any, Dict


def describe_machine(folder: Path, with_gpus: bool) -> Dict[str, Any]:
    """Facts about this machine for the near end."""
    machine: Dict[str, Any] = {
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "folder": str(folder),
        "gpus": [],
    }
    if with_gpus:
        from gpu_provisioner.agent.devices import describe_gpus

        machine.update(describe_gpus())
    return machine
