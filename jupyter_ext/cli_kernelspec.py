"""``trackside kernelspec install | remove``: a leased machine as a kernel of JupyterLab's launcher."""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from gpu_provisioner import gpus
from gpu_provisioner.config import host_target
from kernel_magics.errors import UsageMistake

from .offers import targets

PREFIX = "trackside-"
_PARTS = re.compile(r"[^a-z0-9]+")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the commands of this module."""
    spec = commands.add_parser("kernelspec", help="a leased machine as a kernel in JupyterLab's launcher")
    verbs = spec.add_subparsers(title="verbs", required=True, metavar="VERB")
    install = verbs.add_parser("install", help="offer one")
    install.add_argument("target", help="a target of trackside.toml, a host of ~/.ssh/config, or local")
    install.add_argument("--spec", default="gpu", help="as for %%gpu_provision; default: gpu")
    install.add_argument("--name", help="what the launcher calls it; default: SPEC on TARGET")
    install.add_argument("--sys-prefix", action="store_true", help="for this environment, not for the user")
    install.set_defaults(act=install_spec)
    remove = verbs.add_parser("remove", help="offer it no more; machines that are leased stay leased")
    remove.add_argument("kernel", help="as `jupyter kernelspec list` names it")
    remove.set_defaults(act=remove_spec)


def install_spec(arguments: argparse.Namespace) -> int:
    """``trackside kernelspec install TARGET``. Nothing is rented."""
    request = gpus.parse(arguments.spec)
    known = [target.name for target in targets()]
    if arguments.target not in known and host_target(arguments.target) is None:
        raise UsageMistake(
            f"No target is called {arguments.target!r}; there are: {', '.join(known)}. "
            "Nothing was installed.",
            "a table [targets.NAME] in trackside.toml, or a host of ~/.ssh/config",
        )
    name = PREFIX + _PARTS.sub("-", f"{request.text}-{arguments.target}".lower()).strip("-")
    shown = arguments.name or f"{request.text} on {arguments.target} (Trackside)"
    with tempfile.TemporaryDirectory(prefix="trackside-") as folder:
        content = spec_of(request.text, arguments.target, shown)
        Path(folder, "kernel.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
        place = {"prefix": sys.prefix} if arguments.sys_prefix else {"user": True}
        where = _specs().install_kernel_spec(folder, name, **place)
    print(f"{shown!r} is in the launcher now ({name}, {where}). Its first cell gets the machine.")
    return 0


def remove_spec(arguments: argparse.Namespace) -> int:
    """``trackside kernelspec remove KERNEL``; only one of ours."""
    if not arguments.kernel.startswith(PREFIX):
        raise UsageMistake(
            f"{arguments.kernel} is not one of ours; nothing was removed.", "jupyter kernelspec list"
        )
    specs = _specs()
    if arguments.kernel not in specs.find_kernel_specs():
        raise UsageMistake(
            f"There is no kernel {arguments.kernel}; nothing was removed.", "jupyter kernelspec list"
        )
    specs.remove_kernel_spec(arguments.kernel)
    print(f"{arguments.kernel} is removed. Machines that are leased stay so: trackside leases")
    return 0


def _specs() -> Any:
    """Imported here: it takes a tenth of a second, and the other commands have no use for it."""
    from jupyter_client.kernelspec import KernelSpecManager

    return KernelSpecManager()


def spec_of(spec: str, target: str, shown: str) -> dict[str, Any]:
    """The content of ``kernel.json`` (*Kernel specs* in jupyter_client's documentation)."""
    return {
        "argv": [
            *(sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher"),
            *("-f", "{connection_file}", "--ext=kernel_magics"),
        ],
        "display_name": shown,
        "language": "python",
        "interrupt_mode": "signal",
        "env": {"TRACKSIDE_DOOR": json.dumps({"spec": spec, "on": target})},
        "metadata": {"debugger": True, "trackside": {"spec": spec, "on": target}},
    }
