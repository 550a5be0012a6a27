"""A kernel of JupyterLab's launcher that runs its cells on a leased machine from the first one on.

``trackside kernelspec install`` writes a kernel spec that starts an ordinary ipykernel with our extension and
says in ``TRACKSIDE_DOOR`` what is wanted. The first cell gets it, as ``%gpu_provision`` would, and shows so;
everything else is the bridge's: restarting keeps the lease, shutting down or culling only lets go of it. No
cell that was meant for the machine ever runs here instead, and what was released is not rented again unasked.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Mapping, Optional

from gpu_provisioner.errors import ProvisionError
from gpu_provisioner.typed import word
from kernel_magics.bridge.cells import Place, place
from kernel_magics.bridge.execute import Request
from kernel_magics.bridge.ipykernel_names import LocalKernel
from kernel_magics.errors import TracksideError, UsageMistake

VARIABLE = "TRACKSIDE_DOOR"
"""``{"spec": …, "on": target or null}``, as JSON."""


class Door:
    """The ``execute_request`` handler of such a kernel while its cells do not run on the machine.

    Args:
        wanted: what :data:`VARIABLE` says.
        magics: the shell's ``%gpu_…`` magics.
    """

    def __init__(self, kernel: Any, wanted: Mapping[str, Any], magics: Any) -> None:
        self._local = LocalKernel(kernel)
        self._spec, self._target = str(wanted["spec"]), wanted.get("on")
        self._magics = magics
        self._opened = False
        self._run_here: Any = None

    @property
    def magic(self) -> str:
        """What a person would type for it."""
        return f"%gpu_provision {self._options}"

    @property
    def _options(self) -> str:
        return word(self._spec) + (f" --on {word(self._target)}" if self._target else "")

    def install(self) -> None:
        """From now on the first cell opens it."""
        self._run_here = self._local.shell_handlers["execute_request"]
        self._local.shell_handlers["execute_request"] = self.execute_request

    @property
    def _stands_here(self) -> bool:
        """Whether cells come to us, and not to a bridge in our place."""
        return bool(self._local.shell_handlers["execute_request"] == self.execute_request)

    def remove(self) -> None:
        """Cells run here."""
        if self._stands_here:
            self._local.shell_handlers["execute_request"] = self._run_here

    async def execute_request(self, stream: Any, ident: Any, message: Dict[str, Any]) -> None:
        """ipykernel's handler: a cell of the machine goes there, after that has been got."""
        request = Request(stream, ident, message)
        meant_here = place(request.code, self._local.shell) is Place.HERE
        if meant_here or request.silent or not request.code.strip():
            self._opened = self._opened or not self._stands_here
            await self._run_here(stream, ident, message)
            # A person may have typed %gpu_provision or %gpu_attach.
            self._opened = self._opened or not self._stands_here
            return
        error = self._open()
        if error is not None:
            self._refuse(request, error)
            return
        # The bridge's handler, which stands in our place now.
        await self._local.shell_handlers["execute_request"](stream, ident, message)

    def _open(self) -> Optional[TracksideError | ProvisionError]:
        """Get the machine; why not, if not."""
        if self._opened:
            return UsageMistake(
                "This kernel's cells run on a leased machine, and it has none any more. Nothing was run.",
                f"{self.magic}; or %%local as first line to run the cell here",
            )
        try:
            self._magics.gpu_provision(self._options)
        except (TracksideError, ProvisionError) as error:
            return error
        self._opened = True
        return None

    def _refuse(self, request: Request, error: TracksideError | ProvisionError) -> None:
        """The cell ends with the error, and those behind it are not run."""
        number = int(self._local.shell.execution_count)
        shown = {
            "ename": type(error).__name__,
            "evalue": str(error),
            "traceback": error._render_traceback_(),
        }
        self._local.publish(
            "execute_input", {"code": request.code, "execution_count": number}, request.message
        )
        self._local.publish("error", shown, request.message)
        content = {
            **shown,
            "status": "error",
            "execution_count": number,
            "user_expressions": {},
            "payload": [],
        }
        self._local.reply(request.stream, "execute_reply", content, request.message, request.ident)
        if request.aborts_others:
            self._local.abort_queued(request.message["header"].get("subshell_id"))


def door_of(kernel: Any, environ: Mapping[str, str], magics: Any) -> Optional[Door]:
    """The door that the kernel spec asks for; ``None`` for any other kernel."""
    try:
        wanted = json.loads(environ.get(VARIABLE) or "null")
    except ValueError:
        wanted = None
    if not isinstance(wanted, dict) or not isinstance(wanted.get("spec"), str):
        return None
    return Door(kernel, wanted, magics)
