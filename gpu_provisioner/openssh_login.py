"""A login that asks (password, second factor, passphrase of a key): once, by a person's wish, for all that
follows.

``ssh`` gets its answers through a program of ours (``SSH_ASKPASS``) that talks to this process over a Unix
socket in a folder nobody else can enter. What the login leaves is a shared connection; carriers go over it
and never ask. Only :func:`log_in` asks, and only a person's own ``%gpu_…`` calls it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable, Iterator, List, Optional

from gpu_provisioner import openssh_askpass
from gpu_provisioner.agent.places import cache_root, private_folder
from gpu_provisioner.errors import LoginNeeded, ProvisionError, Unreachable
from gpu_provisioner.openssh import NOT_THERE, SshHost
from gpu_provisioner.providers.base import Ask, NobodyToAsk

Explain = Callable[[str, Optional[int]], Optional[ProvisionError]]
"""What ssh meant: the end of its stderr, and its exit status."""

_QUIET_LIMIT_S = 30.0
_LOOK_S = 0.1
_HOST_KEY_QUESTION = "continue connecting"
"""ssh asks so about a key it does not know (sshconnect.c). Nobody is asked, and the answer is no."""


def log_in(host: SshHost, ask: Ask, explain: Explain) -> None:
    """See to it that ``ssh`` gets to ``host`` without a question from now on.

    Without a word when it does already. Otherwise its questions go to ``ask``; the connection is then kept
    (:data:`gpu_provisioner.openssh.LOGIN_KEPT_S`) and used by every carrier.

    Raises:
        Unreachable: it did not work, was cancelled, or nobody is there to answer. Nothing happened there.
    """
    if host.answers():
        host.has_answered()
        return
    if not host.is_known_to_ask():
        done = host.run_there("exit 0", _QUIET_LIMIT_S)
        if done is not None and done.returncode != NOT_THERE:
            host.has_answered()
            return
        if done is None:
            return  # Whether a slow machine answers at all is found out by whoever asks it something.
        error = explain(done.stderr, done.returncode)
        if not isinstance(error, LoginNeeded) and "Permission denied" not in done.stderr:
            raise error or Unreachable(f"{host.host} cannot be reached.", f"ssh {host.host}")
    host.hang_up()
    _Dialog(host, ask, explain).run()


class _Dialog:
    """One login: ssh asks, a person answers."""

    def __init__(self, host: SshHost, ask: Ask, explain: Explain) -> None:
        self._host, self._ask, self._explain = host, ask, explain
        self._asked = 0
        self._told = 0
        """How much of ssh's stderr has been shown."""

    def run(self) -> None:
        with tempfile.TemporaryFile() as said, _listening(self._host) as (listener, path):
            process = self._start(path, said.fileno())
            try:
                self._serve(process, listener, said.fileno())
            except KeyboardInterrupt:
                raise Unreachable(
                    f"The login to {self._host.host} was cancelled, and nothing happened there.", None
                ) from None
            except NobodyToAsk:
                raise self._nobody() from None
            finally:
                _end(process)
            if process.returncode:
                raise self._refused(_text(said.fileno(), 0), process.returncode)
        self._host.remember_asking(self._asked > 0)

    def _start(self, path: Path, stderr: int) -> subprocess.Popen[bytes]:
        environ = {
            **os.environ,
            "SSH_ASKPASS": str(_program()),
            "SSH_ASKPASS_REQUIRE": "force",
            # ssh before 8.4 knows no such wish; it asks this way when it has a display and no terminal.
            "DISPLAY": os.environ.get("DISPLAY") or "none",
            "TRACKSIDE_ASKPASS": str(path),
        }
        return subprocess.Popen(
            self._host.login_argv("exit 0"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=environ,
            start_new_session=True,
        )

    def _serve(self, process: subprocess.Popen[bytes], listener: socket.socket, said: int) -> None:
        """Pass questions on until ssh has ended; it goes on in the background once it is in."""
        while process.poll() is None:
            if not select.select([listener], [], [], _LOOK_S)[0]:
                continue
            line, _ = listener.accept()
            with line:
                question = _question(line)
                if _HOST_KEY_QUESTION in question:
                    continue
                news = _text(said, self._told)
                self._told += len(news.encode())
                self._asked += 1
                answer = self._ask(question.strip(), news.strip())
                with contextlib.suppress(OSError):  # ssh has hung up meanwhile; its last word says why.
                    line.sendall(openssh_askpass.ANSWERED + answer.encode())

    def _nobody(self) -> ProvisionError:
        host = self._host.host
        return Unreachable(
            f"{host} asks for a password or a second factor, and nobody can type one here. Nothing happened "
            "there.",
            f"run it in a notebook somebody looks at, or let a key in without a question: ssh-copy-id {host}",
        )

    def _refused(self, complaint: str, status: int) -> ProvisionError:
        error = self._explain(complaint, status)
        host = self._host.host
        if self._asked and "Permission denied" in complaint:
            return Unreachable(
                f"{host} did not accept what was typed and ended the login. Nothing happened there.",
                f"the same again, or ssh {host} in a terminal to see what it expects",
            )
        return error or Unreachable(f"The login to {host} failed.", f"ssh {host}")


@contextlib.contextmanager
def _listening(host: SshHost) -> Iterator[tuple[socket.socket, Path]]:
    """A socket only this user can reach, for as long as the login takes."""
    folder = host.control_folder()
    if folder is None:
        raise Unreachable(
            f"{host.host} asks for a password or a second factor, but here is no safe folder for the "
            "connection that would be kept.",
            "set XDG_RUNTIME_DIR to a short path that belongs to you",
        )
    path = folder / f"ask-{secrets.token_hex(4)}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        try:
            path.chmod(0o600)
            listener.listen()
            yield listener, path
        finally:
            path.unlink(missing_ok=True)


def _program() -> Path:
    """``SSH_ASKPASS`` takes no arguments, so it is a script of one line, in the cache folder."""
    words: List[str] = [sys.executable, "-I", "-S", str(Path(openssh_askpass.__file__).resolve())]
    content = f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n'.encode()
    name = f"askpass-{hashlib.sha256(content).hexdigest()[:12]}"
    try:
        path = private_folder(cache_root(os.environ)) / name
        if not path.exists():
            fresh = path.with_name(f".{name}.{secrets.token_hex(4)}")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700), "wb") as file:
                file.write(content)
            fresh.replace(path)
    except OSError as error:
        raise Unreachable(
            f"The program that passes ssh's questions on cannot be put into {cache_root(os.environ)}: "
            f"{error}.",
            "make room there, or set XDG_CACHE_HOME to a folder that you may write",
        ) from None
    return path


def _question(line: socket.socket) -> str:
    return os.fsdecode(b"".join(iter(lambda: line.recv(65536), b"")))


def _text(handle: int, start: int) -> str:
    size = os.fstat(handle).st_size
    return os.pread(handle, size - start, start).decode(errors="replace") if size > start else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a login that is still asking, with the connections to jump hosts that it started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
