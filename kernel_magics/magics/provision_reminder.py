"""A fresh kernel of a notebook that still has a machine says so, once."""

from __future__ import annotations

import os
import time
from typing import Any, List, Mapping

from gpu_provisioner.errors import ProvisionError
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease
from kernel_magics import paths
from kernel_magics.bridge.cells import Place, place
from kernel_magics.magics.provision_facts import kernel_id_of, notebook_path


def leases_of_notebook(book: LeaseBook, notebook: Any, kernel_id: Any) -> List[Lease]:
    """Live leases that this notebook asked for, newest first."""
    return [
        lease
        for lease in book.live()
        if (notebook and lease.notebook == notebook) or (kernel_id and lease.kernel_id == kernel_id)
    ]


def remind(ip: Any) -> None:
    """Say it in the cell that loads the extension, or in the first cell when none does."""
    text = _reminder(ip.kernel, os.environ)
    if not text:
        return
    request = ip.kernel.get_parent("shell") or {}
    if request.get("header", {}).get("msg_type") != "execute_request":
        _say_later(ip, text)
    elif "gpu_" not in str(request["content"].get("code", "")):
        print(text)


def _say_later(ip: Any, text: str) -> None:
    def say(info: Any) -> None:
        ip.events.unregister("pre_run_cell", say)
        if place(info.raw_cell or "", ip) is Place.THERE:
            print(text)

    ip.events.register("pre_run_cell", say)


def _reminder(kernel: Any, environ: Mapping[str, str]) -> str:
    connection_file = str(getattr(getattr(kernel, "parent", None), "connection_file", "") or "")
    try:
        leases = leases_of_notebook(
            LeaseBook(paths.data_dir(environ)), notebook_path(environ), kernel_id_of(connection_file)
        )
    except (ProvisionError, OSError):  # a folder that cannot be read is somebody else's message
        return ""
    if not leases:
        return ""
    lease = leases[0]
    since = time.strftime("%H:%M", time.localtime(lease.created))
    where = f"{lease.name!r} on {lease.machine or lease.target}"
    return (
        f"This notebook still has {where} (since {since}). Cells run here until %gpu_attach; "
        "%gpu_release gives it back."
    )
