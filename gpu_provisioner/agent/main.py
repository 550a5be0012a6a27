"""The agent's process, from its first instruction.

Order matters for speed: the kernel is started before ZeroMQ is imported, so that both get ready at once. It
matters for safety too: a supervisor, forked while the process is still small, outlives the agent and ends the
kernel should the agent be killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import shutil
import signal
import socket
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Optional

from gpu_provisioner.agent.claims import Claims, GpuTaken
from gpu_provisioner.agent.guard import WELL, Guard
from gpu_provisioner.agent.leftover import end_leftover, how_it_ended
from gpu_provisioner.agent.log import LastingLog
from gpu_provisioner.agent.mirror import prepare, work_folder
from gpu_provisioner.agent.places import private_folder, read_json, runtime_folder, write_private
from gpu_provisioner.agent.process import AgentConfig, KernelProcess
from gpu_provisioner.agent.supervisor import supervise
from gpu_provisioner.agent.whereabouts import LOCK

_TAKE_OVER_S = 10.0
_LOCKS_ELSEWHERE = (
    'put it on another one: env = {XDG_CACHE_HOME = "/scratch/you"} of that target in trackside.toml'
)


def main(arguments: List[str]) -> None:
    """``main([folder, ready file descriptor, "launch" or "salvage"])``, in a session of its own.

    One JSON line goes to the descriptor: ``{"socket": path}``, or ``{"error": sentence, "remedy": …}``.
    """
    folder, ready, salvage = Path(arguments[0]), int(arguments[1]), arguments[2] == "salvage"
    sys.stdout = sys.stderr = LastingLog()
    if os.fork():
        os._exit(0)
    try:
        lock = _take_over(folder, patience_s=_TAKE_OVER_S if salvage else 0.0)
    except OSError as error:
        told = f"{folder} of {socket.gethostname()} is on a file system without locks ({error.strerror})"
        _say(ready, {"error": f"{told}, so two agents could not be kept apart.", "remedy": _LOCKS_ELSEWHERE})
        os._exit(0)
    if lock is None:
        _say(ready, {"socket": None})
        os._exit(0)
    runtime = runtime_folder(folder.name, os.environ)
    reader, writer = os.pipe()
    parent = os.getpid()
    agent = os.fork()
    if agent:
        os.close(writer)
        os.close(ready)
        os._exit(supervise(agent, reader, folder, runtime))
    os.close(reader)
    status = 1
    try:
        status = run_agent(folder, ready, Guard(parent, writer, folder, runtime, lock), salvage)
    except BaseException:  # noqa: BLE001 - the supervisor reads the status; the traceback goes to the log
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _take_over(folder: Path, patience_s: float) -> Optional[int]:
    """Lock the folder for this agent and its supervisor: the lock's descriptor, ``None`` when others have it.

    The lock is taken before they part, so it is free only when both have ended: when an agent was killed,
    only after its supervisor has ended the kernel and written down why.
    """
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.02)
        else:
            return lock if (folder / "config.json").exists() else None


def run_agent(folder: Path, ready: int, guard: Guard, salvage: bool) -> int:
    """Be the agent of ``folder`` until it is stopped. Returns the exit status."""
    config = AgentConfig.from_json(read_json(folder / "config.json") or {"lease": folder.name})
    missing = _what_is_missing()
    if missing:
        _say(ready, missing)
        return 0
    try:
        # Not for a salvage: there the GPUs may be somebody else's by now.
        claims = Claims(() if salvage else config.gpus)
    except GpuTaken as taken:
        error = f"Another kernel of Trackside was quicker: it has {taken} of {socket.gethostname()}."
        _say(ready, {"error": error, "remedy": "try again"})
        return 0
    if config.work and not salvage:
        config = replace(config, cwd=str(prepare(work_folder(config.work, os.environ), config.cwd)))
    wakeup = _catch_signals()
    runtime = private_folder(runtime_folder(config.lease, os.environ))

    kernel: Optional[KernelProcess] = None
    died: Dict[str, Any] = {}
    ended = read_json(folder / "ended.json") if salvage else None
    if salvage:
        died = {} if ended is not None else _how_it_died(folder)
        end_leftover(folder)
    else:
        private_folder(folder / "data")
        kernel = KernelProcess.start(config, folder, runtime, epoch=1)
        guard.tell(kernel.pid)
    from gpu_provisioner.agent.loop import Agent

    agent = Agent(config, folder, runtime, kernel, wakeup, guard)
    if ended is not None:
        agent.succeed_stopped(ended)
    elif salvage:
        agent.succeed_dead(died)
    _say(ready, {"socket": str(runtime / "attach")})
    agent.run()
    claims.close()
    shutil.rmtree(runtime, ignore_errors=True)
    if agent.is_all_home:
        _remove(folder)
    elif agent.word_for_heir():
        write_private(folder / "ended.json", json.dumps(agent.word_for_heir()).encode())
    guard.tell(WELL)
    return 0


def _remove(folder: Path) -> None:
    """In one step for whoever looks: while this agent's ``agent.json`` is gone but not yet all the rest, who
    released it would still find a folder."""
    aside = folder.parent.parent / f"ended-{folder.name}"
    try:
        folder.rename(aside)
    except OSError:
        aside = folder
    shutil.rmtree(aside, ignore_errors=True)


def _how_it_died(folder: Path) -> Dict[str, Any]:
    """Why the former agent died. Where nobody has written it down that is done now: should this one not get
    everything home either, the next one cannot tell any more."""
    died = read_json(folder / "died.json")
    if died is None:
        died = how_it_ended(folder)
        with contextlib.suppress(OSError):
            write_private(folder / "died.json", json.dumps(died).encode())
    return died


def _say(handle: int, message: Dict[str, Any]) -> None:
    os.write(handle, json.dumps(message).encode() + b"\n")
    os.close(handle)


def _what_is_missing() -> Optional[Dict[str, str]]:
    for name in ("ipykernel", "zmq"):
        if importlib.util.find_spec(name) is None:
            return {
                "error": f"{sys.executable} has no {name}, so no kernel can be started there.",
                "remedy": f"the same with --install; or there: {sys.executable} -m pip install ipykernel",
            }
    return None


def _catch_signals() -> int:
    """A descriptor that becomes readable at SIGTERM and SIGCHLD.

    SIGINT and SIGHUP are caught and mean nothing. They are not ignored: that would be inherited by the kernel
    and by all that it starts, and Ctrl-C would no longer end them.
    """
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader
