"""The word with a machine that has nothing of ours yet: a command is run there, code follows on its stdin.

The command is a bare ``python -I -S -c`` with one line that reads another line, the stub, and executes it: it
has no quotes, newlines or dollar signs that any login shell (sh, fish, csh) could trip over, and a process
list shows nothing else. The stub reads a header, asks for the payload when that digest is not cached there,
and hands over to :mod:`gpu_provisioner.agent.launch` inside it. Every line it says begins with a magic word
that was drawn for this very connection, so that a login banner or a noisy ``.bashrc`` does no harm.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import struct
import time
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple

from gpu_provisioner import calling_off
from gpu_provisioner.agent.places import cache_root
from gpu_provisioner.carrier import Carrier
from gpu_provisioner.errors import BootstrapError, LeaseError, ProvisionError
from gpu_provisioner.payload import Payload, build_payload
from gpu_provisioner.plain import plain

LOADER = 'import os;f=os.fdopen(0,"rb",0);exec(f.readline())'
"""Unbuffered, so that it takes its line and not a byte more; also for a Python 2, which is told off below."""

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
    cache = os.path.join(os.path.expanduser("~"), cache)
    if os.path.isabs(os.environ.get("XDG_CACHE_HOME", "")): cache = os.environ["XDG_CACHE_HOME"]
    ours = os.path.join(cache, "trackside")
    folder = os.path.join(ours, "payload", head["digest"])
    if not os.path.isdir(folder):
        say({"need": "payload"})
        data = read(head["size"])
        import hashlib, io, shutil, tempfile, zipfile
        if hashlib.sha256(data).hexdigest() != head["digest"]:
            return say({"error": "The payload arrived damaged."})
        new = None
        try:
            os.makedirs(os.path.dirname(folder), 0o700, exist_ok=True)
            os.chmod(ours, 0o700)
            new = tempfile.mkdtemp(dir=os.path.dirname(folder))
            zipfile.ZipFile(io.BytesIO(data)).extractall(new)
            os.rename(new, folder)
        except OSError as error:
            if new: shutil.rmtree(new, ignore_errors=True)
            if not os.path.isdir(folder):
                return say({"error": "Our code cannot be put into %s there: %s." % (ours, error.strerror),
                            "remedy": head["room"]})
    sys.path.insert(0, folder)
    from gpu_provisioner.agent.launch import main
    main(head, say)
try: run()
except OSError as error: say({"error": "The machine refused: %s." % error})
"""

MAKE_ROOM = (
    'make that folder writable, with room in it; or move it: env = {XDG_CACHE_HOME = "/path/there"} of '
    "that target in trackside.toml"
)
_NAME_ONE = 'name another in trackside.toml: python = "/path/to/python3"'
_NOISE_LIMIT = 1 << 20
_LAST_WORDS_S = 1.0

Progress = Callable[[str, str], None]
"""Called with a stage ("payload", "agent", …) and a sentence."""

Explain = Callable[[str, Optional[int]], Optional[ProvisionError]]
"""A provider's translation of how its carrier failed before any word of ours came back: what it wrote to
stderr, and its exit status. ``None``: no idea."""


class AgentGone(LeaseError):
    """There is no agent any more, and nothing it could have left."""


def stub_command(python: str) -> List[str]:
    """What to run on the machine."""
    return [python, "-I", "-S", "-c", LOADER]


def talk(
    argv: Sequence[str],
    header: Mapping[str, Any],
    limit_s: float,
    explain: Explain,
    on_progress: Optional[Progress] = None,
) -> Tuple[Carrier, bytes, Optional[Mapping[str, Any]]]:
    """Run the carrier ``argv``, whose far end is :func:`stub_command`, and have it act on ``header``.

    Returns:
        the carrier, now a pipe to the agent; bytes that already came from the agent; and ``None``. Of an
        errand the carrier is closed and the last is the answer.

    Raises:
        BootstrapError: the machine answers, but cannot do it; or it does not answer.
        ProviderError: what ``explain`` makes of the failure.
        AgentGone: the agent is not there any more.
        CalledOff: it was called off meanwhile (:mod:`gpu_provisioner.calling_off`).
    """
    try:
        payload = build_payload(os.environ)
    except OSError as error:
        raise BootstrapError(
            f"The code that travels to the machine cannot be packed in {cache_root(os.environ)}: "
            f"{error.strerror}. Nothing was started.",
            "make room there, or set XDG_CACHE_HOME to a folder that you may write",
        ) from None
    try:
        carrier = Carrier(argv)
    except OSError as error:
        raise BootstrapError(f"{argv[0]} cannot be run here: {error.strerror}.") from None
    talking = _Talk(carrier, header, payload, time.monotonic() + limit_s, explain)
    try:
        answer = talking.shake_hands(on_progress or (lambda *_: None))
    except BaseException:
        carrier.close()
        calling_off.check()  # A carrier that was ended on purpose is no failure of the machine.
        raise
    if answer is not None:
        carrier.close()
    return carrier, talking.lines.rest, answer


def ask(
    argv: Sequence[str],
    header: Mapping[str, Any],
    limit_s: float,
    explain: Explain,
    on_progress: Optional[Progress] = None,
) -> Mapping[str, Any]:
    """The answer to an errand (:mod:`gpu_provisioner.agent.errands`). Raises as :func:`talk` does."""
    carrier, _, answer = talk(argv, header, limit_s, explain, on_progress)
    if answer is None:
        carrier.close()
        raise BootstrapError("The machine took an errand for something else.", "try again")
    return answer


class _Talk:
    """One handshake over one carrier."""

    def __init__(
        self, carrier: Carrier, header: Mapping[str, Any], payload: Payload, deadline: float, explain: Explain
    ) -> None:
        magic = f"\x01trackside {secrets.token_hex(8)} "
        facts = {"magic": magic, "digest": payload.digest, "size": payload.size, "room": MAKE_ROOM}
        self._header = {**header, **facts}
        self._carrier, self._payload, self._deadline, self._explain = carrier, payload, deadline, explain
        self.lines = StubLines(carrier, magic.encode(), deadline)

    def shake_hands(self, on_progress: Progress) -> Optional[Mapping[str, Any]]:
        """Until it is a pipe to the agent (``None``) or has answered."""
        try:
            self._begin()
            while True:
                said = self.lines.next()
                if said.get("need") == "payload":
                    on_progress("payload", f"Sending {self._payload.size / 1024:.0f} KiB of code.")
                    self._carrier.write_all(self._payload.read(), self._deadline)
                elif "progress" in said:
                    on_progress("install", str(said["progress"]))
                elif said.get("attached"):
                    return None
                elif "answer" in said:
                    answer: Mapping[str, Any] = said["answer"]
                    return answer
                elif "gone" in said:
                    raise AgentGone(f"The agent is gone: {said['gone']}.")
                elif "error" in said:
                    raise BootstrapError(str(said["error"]), said.get("remedy"))
        except TimeoutError:
            told = f"No answer from the machine in time. {self.lines.explain()}".strip()
            raise self._explained() or BootstrapError(told) from None
        except OSError:
            raise self._failure("The way to the machine broke.") from None
        except EOFError:
            raise self._no_python() from None

    def _begin(self) -> None:
        content = json.dumps(self._header).encode()
        stub = b"exec(" + repr(STUB).encode() + b")\n"
        with contextlib.suppress(BrokenPipeError):
            # It may have ended already; what it said on the way out is read below.
            self._carrier.write_all(stub + struct.pack("!I", len(content)) + content, self._deadline)

    def _no_python(self) -> ProvisionError:
        if (
            not self.lines.heard
            and "-I" in self._carrier.complaint()
            and "option" in self._carrier.complaint()
        ):
            # Python 2 does not know -I, which keeps what lies in the folder of the login from being imported.
            return BootstrapError(
                "The python there is Python 2.7 or older; a kernel there needs 3.9.", _NAME_ONE
            )
        told = f"No Python could be started on the machine. {self.lines.explain()}".strip()
        remedy = f"look at what a login without a terminal says there, or {_NAME_ONE}"
        return self._explained() or BootstrapError(told, remedy)

    def _failure(self, what: str) -> ProvisionError:
        return self._explained() or BootstrapError(f"{what} {self.lines.explain()}".strip())

    def _explained(self) -> Optional[ProvisionError]:
        """What the provider makes of it; once our own code has spoken, the machine was reached."""
        if self.lines.heard:
            return None
        status = self._carrier.exit_status(_LAST_WORDS_S)
        return self._explain(self._carrier.complaint(), status)


class StubLines:
    """Reads what the stub says out of whatever else comes on the carrier's stdout."""

    def __init__(self, carrier: Carrier, magic: bytes, deadline: float) -> None:
        self._carrier, self._magic, self._deadline = carrier, magic, deadline
        self._noise = b""
        self.rest = b""
        """Bytes that came behind the last line."""
        self.heard = False
        """Whether a line of ours has come."""

    def next(self) -> Mapping[str, Any]:
        """The next line, as the object it holds.

        Raises:
            EOFError: the carrier has ended.
        """
        while True:
            before, magic, after = self.rest.partition(self._magic)
            line, newline, rest = after.partition(b"\n")
            if magic and newline:
                self._noise = (self._noise + before)[:_NOISE_LIMIT]
                self.rest = rest
                self.heard = True
                said = json.loads(line)
                return said if isinstance(said, dict) else {}
            if len(self.rest) > _NOISE_LIMIT:
                raise BootstrapError(f"The machine sends something else and does not stop. {self.explain()}")
            data = self._carrier.read_until(self._deadline)
            if not data:
                raise EOFError
            self.rest += data

    def explain(self) -> str:
        """What came instead, for the message."""
        told: List[str] = []
        complaint = self._carrier.complaint()
        if complaint:
            told.append(f"It said: {complaint}")
        heard = (self._noise + self.rest).decode(errors="replace").strip()
        if heard:
            told.append(f"On stdout: {plain(heard[:300])}")
        return "\n".join(told)
