"""What can be asked of a machine without a kernel: what it has, what runs there, and to end it.

Called by :func:`gpu_provisioner.agent.launch.main` under ``python -I -S``: standard library only.
"""

from __future__ import annotations

import os
import platform
import socket
import sys
from typing import Any, Callable, Dict, Mapping

from gpu_provisioner.agent.devices import describe_gpus
from gpu_provisioner.agent.ending import end_agent, living_agents
from gpu_provisioner.agent.log_reading import log
from gpu_provisioner.agent.packages import packages
from gpu_provisioner.agent.places import agent_facts, agent_folder, runtime_folder
from gpu_provisioner.agent.streams import listing
from gpu_provisioner.agent.whereabouts import elsewhere, not_here


def survey(_header: Mapping[str, Any]) -> Dict[str, Any]:
    """``{host, python, executable, cores, gpus, gpu_problem}``; see :func:`describe_gpus`."""
    return {
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "cores": os.cpu_count(),
        **describe_gpus(),
    }


def status(header: Mapping[str, Any]) -> Dict[str, Any]:
    """``{"alive": bool, "elsewhere": host}``: whether the lease's agent lives, and if so, whether on another
    machine that sees the same folder (``""``: it does not)."""
    folder = agent_folder(header["lease"], os.environ)
    return {"alive": agent_facts(folder) is not None, "elsewhere": elsewhere(folder)}


def end(header: Mapping[str, Any]) -> Dict[str, Any]:
    """End the lease's agent; ``{"problem": ""}``, or why it cannot be ended here. ``header["never_held"]``:
    see :func:`end_agent`."""
    lease = header["lease"]
    folder, runtime = agent_folder(lease, os.environ), runtime_folder(lease, os.environ)
    host = elsewhere(folder)
    if host:
        return {"problem": not_here(host)}
    end_agent(folder, runtime, bool(header.get("never_held")))
    return {"problem": ""}


def find(_header: Mapping[str, Any]) -> Dict[str, Any]:
    """``{"host": name, "agents": [{lease, device, gpus, since}]}``: the living agents of this user."""
    return {"host": socket.gethostname(), "agents": living_agents(os.environ)}


ERRANDS: Dict[str, Callable[[Mapping[str, Any]], Dict[str, Any]]] = {
    "survey": survey,
    "status": status,
    "end": end,
    "find": find,
    "packages": packages,
    "list": listing,
    "log": log,
}
"""By the header's ``mode``."""
