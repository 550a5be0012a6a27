"""The kernel the agent starts: an ordinary ipykernel (6.29 to 7.x) that loses nothing and counts like home.

ipykernel's iopub socket drops messages when its only subscriber is slow. Here the subscriber is the agent,
which always drains, so the socket may wait instead (``XPUB_NODROP``).
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from ipykernel import kernelapp
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from traitlets.config import Config

from gpu_provisioner.agent.iopub import PrivateIOPubThread
from gpu_provisioner.agent.zeromq import zmq


class Kernel(IPythonKernel):
    """Numbers a cell as the notebook's own kernel does."""

    async def execute_request(self, stream: Any, ident: Any, parent: Any) -> None:
        home = (parent.get("metadata") or {}).get("trackside") or {}
        count = home.get("execution_count")
        if isinstance(count, int) and self.shell is not None:
            self._begin_history_anew(count)
            self.shell.execution_count = count
        await super().execute_request(stream, ident, parent)

    _last_count = 0

    def _begin_history_anew(self, count: int) -> None:
        """A notebook's new kernel counts from 1 again, and its lines are a session of their own.

        IPython's history would meet a line number it has already, and say so amid the user's output.
        """
        history = getattr(self.shell, "history_manager", None)
        if count <= self._last_count and history is not None and history.enabled:
            history.writeout_cache()
            history.new_session()
        self._last_count = count


class KernelApp(IPKernelApp):
    """ipykernel's application with the kernel above and a lossless iopub."""

    kernel_class = Kernel

    def init_iopub(self, context: Any) -> None:
        PrivateIOPubThread.address = f"ipc://{self.ip}-forks"
        kernelapp.IOPubThread = PrivateIOPubThread
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
