"""What a Python over here lacks: an environment of its own in the cache, and packages.

Called by :func:`gpu_provisioner.agent.launch.main` under ``python -I -S``: standard library only. pip runs as
a child; when the near end hangs up, pip is ended too.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from gpu_provisioner.agent.places import cache_root, private_folder, read_json, write_private

KERNEL = "ipykernel>=6.29"
_READY = "trackside.json"
_TOLD = ("Collecting ", "Downloading ", "Building ", "Installing ", "Preparing ")
_FACTS = (
    "import importlib.util as u, json, site, sys; print(json.dumps({'sites': site.getsitepackages(), "
    "'inner': sys.prefix != sys.base_prefix, 'pip': bool(u.find_spec('pip')), "
    "'ensurepip': bool(u.find_spec('ensurepip')), 'kernel': bool(u.find_spec('ipykernel'))}))"
)

Tell = Callable[[str], None]


class CannotInstall(Exception):
    """Nothing was left half-made; ``remedy`` is what to type."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy


def install(header: Mapping[str, Any], tell: Tell) -> Dict[str, Any]:
    """Give this Python, or an environment on top of it, what ``header`` asks for.

    Args:
        header: ``own``: make an environment in the cache (see :func:`own_environment`) instead of changing
            the Python itself; ``requirements``: text of a requirements file, ``""`` for none.

    Returns:
        ``{"python": path}``: the interpreter to use.
    """
    requirements = str(header.get("requirements") or "")
    facts = _facts(sys.executable)
    if header.get("own"):
        return {"python": own_environment(requirements, facts, tell)}
    _add_packages(sys.executable, cache_root(os.environ), facts, requirements, tell)
    return {"python": sys.executable}


def own_environment(requirements: str, facts: Mapping[str, Any], tell: Tell) -> str:
    """The interpreter of ``<cache>/trackside/venvs/<digest>``; made when it is not there yet.

    It sees what the Python it is made with has, and holds ipykernel and the requirements besides. Other
    requirements are another environment, so that no kernel that runs is changed.
    """
    wanted = json.dumps([os.path.realpath(sys.executable), sys.executable, sys.version, requirements])
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:12]
    base = private_folder(cache_root(os.environ) / "venvs")
    folder = base / f"py{sys.version_info[0]}{sys.version_info[1]}-{digest}"
    python = str(folder / "bin" / "python")
    with _locked(base / f"{folder.name}.lock", tell):
        if read_json(folder / _READY) is not None and os.access(python, os.X_OK):
            tell(f"The environment {folder} is there already.")
            return python
        shutil.rmtree(folder, ignore_errors=True)
        tell(f"Making an environment in {folder}.")
        try:
            _make(folder, facts)
            _add_packages(python, folder, {**_facts(python), "kernel": False}, requirements, tell)
            write_private(folder / _READY, json.dumps({"base": sys.executable}).encode())
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return python


def _make(folder: Path, facts: Mapping[str, Any]) -> None:
    if not (facts["pip"] or facts["ensurepip"]):
        raise CannotInstall(
            f"{sys.executable} has neither pip nor ensurepip, so no environment can be made with it.",
            "name another one with --python, or have python3-venv installed there",
        )
    # pip is seen through the Python beneath; bringing one of its own would take seconds.
    words = ["--system-site-packages", *(["--without-pip"] if facts["pip"] else []), str(folder)]
    status, said = _run([sys.executable, "-I", "-m", "venv", *words], folder.parent, lambda _line: None)
    if status:
        raise CannotInstall(f"No environment could be made in {folder}: {_reason(said)}", "--python PATH")
    if facts["inner"]:
        # venv looks only beneath the outermost Python; this one is an environment itself.
        for site in folder.glob("lib/python*/site-packages"):
            (site / "beneath.pth").write_text("\n".join(facts["sites"]) + "\n")


def _add_packages(python: str, folder: Path, facts: Mapping[str, Any], requirements: str, tell: Tell) -> None:
    """Have pip install the kernel, if it is not there, and the requirements."""
    words = [] if facts["kernel"] else [KERNEL]
    listed: Optional[Path] = None
    if requirements:
        listed = private_folder(folder) / f"requirements-{os.getpid()}.txt"
        write_private(listed, requirements.encode())
        words += ["-r", str(listed)]
    if not words:
        return

    def show(line: str) -> None:
        if line.startswith(_TOLD):
            tell(f"pip: {line[:100]}")

    flags = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    try:
        status, said = _run([python, "-m", "pip", "install", *flags, *words], private_folder(folder), show)
    finally:
        if listed is not None:
            listed.unlink()
    if status:
        what = "the packages" if requirements else "ipykernel"
        raise CannotInstall(
            f"pip could not install {what} for {python}: {_reason(said)}",
            "correct the requirements; or --install, which makes an environment of its own"
            if requirements and "/venvs/" not in python
            else "see what that machine can reach (a proxy? PIP_INDEX_URL in env = {…} of trackside.toml)",
        )


def _facts(python: str) -> Dict[str, Any]:
    done = subprocess.run(
        [python, "-I", "-c", _FACTS], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    try:
        facts: Dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise CannotInstall(
            f"{python} cannot be run: {_reason(done.stderr.splitlines())}", "--python PATH"
        ) from None
    return facts


def _run(argv: List[str], folder: Path, show: Tell) -> Tuple[int, List[str]]:
    """Run a program, each line of it shown; its status and lines. Ends it when the near end hangs up."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=str(folder),
        start_new_session=True,
    )
    assert process.stdout is not None
    output = process.stdout.fileno()
    try:
        lines: List[str] = []
        rest = b""
        while True:
            ready = select.select([output, 0], [], [])[0]
            if 0 in ready and not os.read(0, 65536):
                raise EOFError("the near end hung up")
            if output not in ready:
                continue
            piece = os.read(output, 65536)
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                lines.append(line.decode(errors="replace").rstrip())
                show(lines[-1].strip())
            if not piece:
                return process.wait(), [*lines, rest.decode(errors="replace")]
    finally:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def _locked(path: Path, tell: Tell) -> Iterator[None]:
    """Of two that make the same environment the later one waits."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("Waiting for somebody else who is making the same environment.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _reason(lines: List[str]) -> str:
    """The line that says most: pip's first error, else the last one."""
    said = [line.strip() for line in lines if line.strip()]
    errors = [line for line in said if line.lower().startswith("error")]
    text = (errors or said[-1:] or ["it does not say why"])[0]
    return text[:300].rstrip(".") + "."
