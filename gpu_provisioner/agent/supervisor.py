"""The agent's supervisor: a small process that waits for the agent, and cleans up after one that was killed.

No kernel may outlive its agent: nobody would drain it, and nobody could ever end it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any, Dict, List

from gpu_provisioner.agent.death import MemoryWatch, explain
from gpu_provisioner.agent.guard import WELL
from gpu_provisioner.agent.places import write_private

_GRACE_S = 2.0


def supervise(agent: int, groups: int, folder: Path, runtime: Path) -> int:
    """Wait for process ``agent``; when it did not end well, end its kernel and write down why.

    Args:
        groups: read end of a pipe on which the agent tells the process group of each kernel, one a line. Only
            the agent holds the other end, so its end of file is the agent's death.
        folder: of the agent; ``died.json`` is written there.
        runtime: of its sockets; removed.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(agent, signal.SIGTERM))
    memory = MemoryWatch()
    said = _read_all(groups)
    _, status = os.waitpid(agent, 0)
    returncode = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    if returncode == 0:
        return 0
    _clean_up(
        said, {"returncode": returncode, "reason": explain(returncode, memory.verdict())}, folder, runtime
    )
    return 1


def stand_in(arguments: List[str]) -> int:
    """Be the supervisor of an agent whose first one was killed: ``[groups, agent, folder, runtime]``.

    Not being its parent, it cannot tell how the agent ends; that it ends well, the agent says itself.
    """
    groups, agent = int(arguments[0]), int(arguments[1])
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(agent, signal.SIGTERM))
    memory = MemoryWatch()
    said = _read_all(groups)
    if said and said[-1] == WELL:
        return 0
    reason = f"killed, nobody saw how{f'; {memory.verdict()}' if memory.verdict() else ''}"
    _clean_up(said, {"returncode": None, "reason": reason}, Path(arguments[2]), Path(arguments[3]))
    return 1


def _clean_up(said: List[int], report: Dict[str, Any], folder: Path, runtime: Path) -> None:
    """End the dead agent's kernel, and write down why it died."""
    if said and said[-1] != WELL:
        end_group(said[-1])
    if folder.is_dir():
        write_private(folder / "died.json", json.dumps({"time": time.time(), **report}).encode())
    shutil.rmtree(runtime, ignore_errors=True)


def end_group(group: int) -> None:
    """SIGTERM to a process group, two seconds for it to end, SIGKILL."""
    deadline = time.monotonic() + _GRACE_S
    number = signal.SIGTERM
    while _signal(group, number):
        if time.monotonic() > deadline:
            _signal(group, signal.SIGKILL)
            return
        number = signal.Signals(signal.SIGTERM)
        time.sleep(0.02)


def _signal(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except OSError:
        return False
    return True


def _read_all(handle: int) -> List[int]:
    said = b""
    while True:
        piece = os.read(handle, 4096)
        if not piece:
            return [int(line) for line in said.split()]
        said += piece
