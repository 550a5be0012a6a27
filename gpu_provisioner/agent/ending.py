"""End a lease's agent on this machine, and look after those that are here."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping

from gpu_provisioner.agent.leftover import end_leftover
from gpu_provisioner.agent.places import agent_facts, cache_root, is_lease_id, read_json

_STOP_LIMIT_S = 20.0


def end_agent(folder: Path, runtime: Path, never_held: bool) -> None:
    """End the agent of ``folder``, and with it the kernel. One that is not there is ended already.

    SIGTERM lets the agent end its kernel and bring home the rest; SIGKILL after 20 s makes its supervisor end
    the kernel.

    Args:
        runtime: folder of its sockets; removed.
        never_held: nobody has ever held it, so nobody can miss anything in the folder, which is removed. (An
            agent removes its own folder when all of it is home.)
    """
    facts = agent_facts(folder)
    if facts is not None:
        _end(folder, int(facts["pid"]))
    end_leftover(folder)
    shutil.rmtree(runtime, ignore_errors=True)
    if never_held:
        shutil.rmtree(folder, ignore_errors=True)


def living_agents(environ: Mapping[str, str]) -> List[Dict[str, Any]]:
    """Of each agent of this user that lives here: ``{lease, device, gpus, owner, since}``."""
    found: List[Dict[str, Any]] = []
    agents = cache_root(environ) / "agents"
    folders = sorted(agents.iterdir()) if agents.is_dir() else []
    for folder in folders:
        if not is_lease_id(folder.name) or agent_facts(folder) is None:
            continue
        config = read_json(folder / "config.json") or {}
        found.append(
            {
                "lease": folder.name,
                "device": str(config.get("device", "cpu")),
                "gpus": list(config.get("gpus", ())),
                "owner": str(config.get("owner", "")),
                "since": (folder / "config.json").stat().st_mtime,
            }
        )
    return found


def _end(folder: Path, pid: int) -> None:
    deadline = time.monotonic() + _STOP_LIMIT_S
    _kill(pid, signal.SIGTERM)
    while agent_facts(folder) is not None:
        if time.monotonic() > deadline:
            _kill(pid, signal.SIGKILL)
            return
        time.sleep(0.02)


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        pass
