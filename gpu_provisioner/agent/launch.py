"""What the bootstrap stub calls once the payload is there: start the agent or find it, then become its pipe.

Runs as ``python -I -S``: standard library only. What it says to the near end, before it becomes the pipe, is
one JSON object: ``{"attached": true}``, or ``{"error": …, "remedy": …}``, or ``{"gone": reason}`` when there
is nothing left to attach to. An errand (:mod:`gpu_provisioner.agent.errands`) ends with ``{"answer": …}``.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional

from gpu_provisioner.agent.attach import join
from gpu_provisioner.agent.ending import end_agent
from gpu_provisioner.agent.errands import ERRANDS
from gpu_provisioner.agent.places import (
    UnsafeFolder,
    agent_facts,
    agent_folder,
    cache_root,
    private_file,
    private_folder,
    runtime_folder,
    write_private,
)
from gpu_provisioner.agent.streams import STREAMS, serve
from gpu_provisioner.agent.whereabouts import elsewhere, not_here

_START_LIMIT_S = 30.0
NAME_THAT_MACHINE = 'name that machine itself in trackside.toml: host = "{host}"'
_BOOT = (
    "import sys; sys.path[:] = [sys.argv[1]] + [p for p in sys.path if p]; "
    "from gpu_provisioner.agent.main import main; main(sys.argv[2:])"
)

Say = Callable[[Mapping[str, Any]], None]


def main(header: Dict[str, Any], say: Say) -> None:
    """Act on the near end's header (see :mod:`gpu_provisioner.bootstrap`), then pipe until the end."""
    try:
        errand = ERRANDS.get(header["mode"])
        if errand is not None:
            say({"answer": errand(header)})
            return
        if header["mode"] == "install":
            say(_install(header, say))
            return
        if header["mode"] in STREAMS:
            say({"attached": True})
            serve(header)
            return
        folder = agent_folder(header["lease"], os.environ)
        sock = connect(folder)
        if sock is None:
            if header["mode"] == "launch":
                answer = _launch(folder, header["agent"])
                if answer is None:
                    return
            elif folder.is_dir() and (folder / "config.json").exists():
                host = elsewhere(folder)
                if host:
                    told = not_here(host)
                    say(
                        {
                            "error": f"{told[:1].upper()}{told[1:]}.",
                            "remedy": NAME_THAT_MACHINE.format(host=host),
                        }
                    )
                    return
                answer = start_agent(folder, "salvage")
            else:
                say({"gone": f"there is no agent, and no folder {folder} that it could have left"})
                return
            if answer.get("error"):
                say(answer)
                return
            sock = connect(folder)
        if sock is None:
            say({"error": f"The agent started but does not answer; its log is {folder}/agent.log."})
            return
    except UnsafeFolder as error:
        say({"error": f"No agent can run there: {error}."})
        return
    except OSError as error:
        where = cache_root(os.environ)
        message = f"No agent can run there: {error.strerror} ({error.filename or where})."
        say({"error": message, "remedy": header.get("room")})
        return
    say({"attached": True})
    join(sock, takes_them="pipes" in (agent_facts(folder) or {}))


def _launch(folder: Path, config: Mapping[str, Any]) -> Optional[Dict[str, Any]]:
    """Start the agent. ``None``: whoever asked for it has hung up, and counts on there being none.

    A login may take long, and what was asked for waits in the pipe: an agent that is started when nobody
    waits any more would be nobody's.
    """
    if _has_hung_up():
        return None
    private_folder(folder)
    write_private(folder / "config.json", json.dumps(config).encode())
    answer = start_agent(folder, "launch")
    if _has_hung_up():
        end_agent(folder, runtime_folder(folder.name, os.environ), never_held=True)
        return None
    return answer


def _has_hung_up() -> bool:
    """Whether nothing can come on stdin any more."""
    poll = select.poll()
    ended = select.POLLHUP | getattr(select, "POLLRDHUP", 0)
    poll.register(0, ended)
    return any(events & ended for _, events in poll.poll(0))


def _install(header: Mapping[str, Any], say: Say) -> Dict[str, Any]:
    """The one errand that takes minutes: it tells how far it has come."""
    from gpu_provisioner.agent.install import CannotInstall, install

    try:
        return {"answer": install(header, lambda text: say({"progress": text}))}
    except CannotInstall as error:
        return {"error": error.message, "remedy": error.remedy}
    except EOFError:
        sys.exit(1)


def connect(folder: Path) -> Optional[socket.socket]:
    """A connection to the folder's agent, ``None`` when none answers."""
    facts = agent_facts(folder) or {}
    for path in (facts.get("socket"), str(runtime_folder(folder.name, os.environ) / "attach")):
        if not path:
            continue
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(path)
        except OSError:
            sock.close()
            continue
        return sock
    return None


def start_agent(folder: Path, mode: str) -> Dict[str, Any]:
    """Start the agent as a daemon and wait for its first word: ``{"socket": …}`` or ``{"error": …}``."""
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    environment = {name: value for name, value in os.environ.items() if name != "JPY_PARENT_PID"}
    payload = str(Path(__file__).parent.parent.parent)
    with private_file(folder / "agent.log", os.O_APPEND) as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _BOOT, payload, str(folder), str(writer), mode],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=str(folder),
            pass_fds=(writer,),
            start_new_session=True,
        )
    os.close(writer)
    process.wait()
    said = b""
    while not said.endswith(b"\n"):
        if not select.select([reader], [], [], _START_LIMIT_S)[0]:
            break
        piece = os.read(reader, 65536)
        if not piece:
            break
        said += piece
    os.close(reader)
    if said.endswith(b"\n"):
        answer = json.loads(said)
        return answer if isinstance(answer, dict) else {}
    return {"error": f"The agent did not start: {_last_line(folder / 'agent.log')}"}


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "it left no word in its log."
