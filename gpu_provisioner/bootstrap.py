"""From "a command that reaches the machine" to "a pipe that reaches the agent".

A short stub, given to a bare ``python -I -S -c``, reads a header from stdin, asks for the payload when that
digest is not cached there, and hands over to :mod:`gpu_provisioner.agent.launch` inside it. Every line it
says begins with a magic word that was drawn for this very connection, so that a login banner or a noisy
``.bashrc`` before it does no harm.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import struct
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from gpu_provisioner.carrier import Carrier
from gpu_provisioner.errors import BootstrapError, LeaseError
from gpu_provisioner.model import Lease
from gpu_provisioner.payload import Payload, build_payload
from gpu_provisioner.providers import provider_of_lease

STUB = r"""
import os, sys, json, struct
def read(n):
    data = b""
    while len(data) < n:
        piece = os.read(0, min(n - len(data), 1 << 20))
        if not piece: os._exit(1)
        data += piece
    return data
head = json.loads(read(struct.unpack("!I", read(4))[0]).decode())
def say(message):
    line = (head["magic"] + json.dumps(message) + "\n").encode()
    while line: line = line[os.write(1, line):]
def run():
    if sys.version_info < (3, 9):
        found = (sys.executable,) + sys.version_info[:2]
        return say({"error": "%s is Python %d.%d; a kernel there needs 3.9 or newer." % found,
                    "remedy": "name a newer one in trackside.toml: python = \"python3.11\""})
    os.environ.update(head["env"])
    cache = "Library/Caches" if sys.platform == "darwin" else ".cache"
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), cache)
    ours = os.path.join(cache, "trackside")
    folder = os.path.join(ours, "payload", head["digest"])
    if not os.path.isdir(folder):
        say({"need": "payload"})
        data = read(head["size"])
        import hashlib, io, shutil, tempfile, zipfile
        if hashlib.sha256(data).hexdigest() != head["digest"]:
            return say({"error": "The payload arrived damaged."})
        os.makedirs(os.path.dirname(folder), 0o700, exist_ok=True)
        os.chmod(ours, 0o700)
        new = tempfile.mkdtemp(dir=os.path.dirname(folder))
        zipfile.ZipFile(io.BytesIO(data)).extractall(new)
        try: os.rename(new, folder)
        except OSError: shutil.rmtree(new, ignore_errors=True)
    sys.path.insert(0, folder)
    from gpu_provisioner.agent.launch import main
    main(head, say)
try: run()
except OSError as error: say({"error": "The machine refused: %s." % error})
"""

_NOISE_LIMIT = 1 << 20
_ATTACH_LIMIT_S = 60.0
_LAUNCH_LIMIT_S = 120.0

Progress = Callable[[str, str], None]
"""Called with a stage ("payload", "agent", …) and a sentence."""


class AgentGone(LeaseError):
    """There is no agent any more, and nothing it could have left."""


def open_carrier(
    lease: Lease, launch: bool = False, on_progress: Optional[Progress] = None
) -> Tuple[Carrier, bytes]:
    """Reach the lease's agent.

    Args:
        launch: start the agent if none runs; otherwise only attach. (An agent that died and left its
            folder is followed by one that brings home what is there.)

    Returns:
        the carrier, now a pipe to the agent, and bytes that already came from the agent.

    Raises:
        BootstrapError: the machine answers, but no agent can be had there; or it does not answer.
        AgentGone: the agent is not there any more.
    """
    provider = provider_of_lease(lease)
    handle = lease.handle
    payload = build_payload(os.environ)
    python = str(handle.get("python") or "python3")
    argv = provider.carrier_argv(lease, [python, "-I", "-S", "-c", STUB])
    try:
        carrier = Carrier(argv)
    except OSError as error:
        raise BootstrapError(f"{argv[0]} cannot be run here: {error.strerror}.") from None
    header = {
        "mode": "launch" if launch else "attach",
        "lease": lease.id,
        "env": dict(handle.get("env") or {}),
        "agent": {"lease": lease.id, "device": lease.device, **(handle.get("agent") or {})},
    }
    deadline = time.monotonic() + (_LAUNCH_LIMIT_S if launch else _ATTACH_LIMIT_S)
    try:
        rest = _handshake(carrier, header, payload, deadline, on_progress or (lambda *_: None))
    except BaseException:
        carrier.close()
        raise
    return carrier, rest


def _handshake(
    carrier: Carrier, header: Dict[str, Any], payload: Payload, deadline: float, on_progress: Progress
) -> bytes:
    magic = f"\x01trackside {secrets.token_hex(8)} "
    header = {**header, "magic": magic, "digest": payload.digest, "size": payload.size}
    content = json.dumps(header).encode()
    lines = StubLines(carrier, magic.encode(), deadline)
    try:
        with contextlib.suppress(BrokenPipeError):
            # It may have ended already; what it said on the way out is read below.
            carrier.write_all(struct.pack("!I", len(content)) + content, deadline)
        while True:
            said = lines.next()
            if said.get("need") == "payload":
                on_progress("payload", f"Sending {payload.size / 1024:.0f} KiB of code.")
                carrier.write_all(payload.read(), deadline)
            elif said.get("attached"):
                return lines.rest
            elif "gone" in said:
                raise AgentGone(f"The agent is gone: {said['gone']}.")
            elif "error" in said:
                raise BootstrapError(str(said["error"]), said.get("remedy"))
    except TimeoutError:
        raise BootstrapError(f"No answer from the machine in time. {lines.explain()}".strip()) from None
    except OSError:
        raise BootstrapError(f"The way to the machine broke. {lines.explain()}".strip()) from None


class StubLines:
    """Reads what the stub says out of whatever else comes on the carrier's stdout."""

    def __init__(self, carrier: Carrier, magic: bytes, deadline: float) -> None:
        self._carrier, self._magic, self._deadline = carrier, magic, deadline
        self._noise = b""
        self.rest = b""
        """Bytes that came behind the last line."""

    def next(self) -> Mapping[str, Any]:
        """The next line, as the object it holds."""
        while True:
            before, magic, after = self.rest.partition(self._magic)
            line, newline, rest = after.partition(b"\n")
            if magic and newline:
                self._noise = (self._noise + before)[:_NOISE_LIMIT]
                self.rest = rest
                said = json.loads(line)
                return said if isinstance(said, dict) else {}
            if len(self.rest) > _NOISE_LIMIT:
                raise BootstrapError(f"The machine sends something else and does not stop. {self.explain()}")
            data = self._carrier.read_until(self._deadline)
            if not data:
                raise BootstrapError(f"No Python could be started on the machine. {self.explain()}".strip())
            self.rest += data

    def explain(self) -> str:
        """What came instead, for the message."""
        told: List[str] = []
        complaint = self._carrier.complaint()
        if complaint:
            told.append(f"It said: {complaint}")
        heard = (self._noise + self.rest).decode(errors="replace").strip()
        if heard:
            told.append(f"On stdout: {heard[:300]}")
        return "\n".join(told)
