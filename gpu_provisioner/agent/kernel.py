"""The kernel the agent starts: an ordinary ipykernel (6.29 to 7.x) that loses nothing and counts like home.

ipykernel's iopub socket drops messages when its only subscriber is slow. Here the subscriber is the agent, which
always drains, so the socket may wait instead (``XPUB_NODROP``).
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import zmq
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from traitlets.config import Config


class Kernel(IPythonKernel):
    """Numbers a cell as the notebook's own kernel does."""

    async def execute_request(self, stream: Any, ident: Any, parent: Any) -> None:
        home = (parent.get("metadata") or {}).get("trackside") or {}
        count = home.get("execution_count")
        if isinstance(count, int) and self.shell is not None:
            self.shell.execution_count = count
        await super().execute_request(stream, ident, parent)


class KernelApp(IPKernelApp):
    """ipykernel's application with the kernel above and a lossless iopub."""

    kernel_class = Kernel

    def init_iopub(self, context: Any) -> None:
        super().init_iopub(context)
        # A flag of the socket, so it works although the socket is bound already; a high-water mark would not.
        self.iopub_thread.socket.setsockopt(zmq.XPUB_NODROP, 1)


def main() -> None:
    """Run the kernel whose connection file follows ``-f``."""
    sys.argv[0] = __file__
    _offer_vendored_packages()
    config = Config()
    # The notebook's kernel passes these bytes on as they are, so both must speak plain JSON.
    config.Session.packer = "json"
    config.Session.unpacker = "json"
    wanted = os.environ.pop("TRACKSIDE_EXTENSIONS", "").split(",")
    extensions = [name for name in wanted if name and importlib.util.find_spec(name)]
    if extensions:
        config.IPKernelApp.extensions = extensions
    KernelApp.launch_instance(config=config)


def _offer_vendored_packages() -> None:
    """``pynvml`` from the payload, behind everything that is installed here."""
    sys.path.append(str(Path(__file__).parent.parent.parent / "vendor"))
