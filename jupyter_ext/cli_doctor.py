"""``trackside doctor | config check``: is everything where it should be?"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from gpu_provisioner.errors import ProvisionError
from gpu_provisioner.leases import LeaseBook
from kernel_magics import paths
from kernel_magics.config import capture_settings
from kernel_magics.errors import TracksideError
from kernel_magics.figures import words
from kernel_magics.model import counted
from kernel_magics.store import open_store

from . import offers
from .cli_machines import data_folder
from .terminal import one_line

PACKAGES = (
    "trackside",
    "jupyter-server",
    "jupyterlab",
    "jupyter-client",
    "ipykernel",
    "ipywidgets",
    "bokeh",
    "numpy",
    "nvidia-ml-py",
    "torch",
)
NEEDED = frozenset(PACKAGES) - {"jupyterlab", "torch"}


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: ``ok``, ``note`` (worth knowing) or ``bad`` (something will not work)."""

    verdict: str
    what: str
    detail: str


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declares the commands of this module."""
    doctor = commands.add_parser("doctor", help="what is installed, and whether everything can work")
    doctor.set_defaults(act=examine)
    config = commands.add_parser("config", help="the configuration file")
    verbs = config.add_subparsers(title="commands", required=True, metavar="COMMAND")
    check = verbs.add_parser("check", help="read trackside.toml and say what is wrong with it")
    check.set_defaults(act=check_configuration)


def examine(arguments: argparse.Namespace) -> int:
    """``trackside doctor``; status 1 when something cannot work."""
    findings: list[Finding] = []
    for finding in _findings(data_folder(arguments)):
        findings.append(finding)
        print(f"{finding.verdict:4}  {finding.what:18}  {finding.detail}", flush=True)
    return 1 if any(finding.verdict == "bad" for finding in findings) else 0


def check_configuration(arguments: argparse.Namespace) -> int:
    """``trackside config check``; a mistake in the file is raised. Tries each target; 1 if one cannot be
    asked."""
    path = paths.config_path()
    capture_settings(path)
    offers.targets()
    if not path.exists():
        print(f"There is no {path}; the defaults hold.")
    else:
        print(f"{path} is in order.")
    status = 0
    for name, text, answered in offers.look_round(data_folder(arguments)):
        status = status if answered else 1
        print(
            f"{'ok' if answered else 'bad':4}  {one_line(name):18}  {one_line(text)}",
            flush=True,
        )
    return status


def _findings(data_dir: Path) -> Iterator[Finding]:
    yield Finding("ok", "python", f"{platform.python_version()} ({sys.executable}), {platform.platform()}")
    yield from map(_package, PACKAGES)
    yield _careful("server extension", _server_extension)
    yield _careful("labextension", _labextension)
    yield _careful("configuration", _configuration)
    yield _careful("data folder", lambda: _data_folder(data_dir))
    yield _careful("index", lambda: _index(data_dir))
    yield _careful("leases", lambda: _leases(data_dir))
    with suppress(ProvisionError, OSError):  # "configuration" or "leases" above has said it
        for problem in offers.survey(data_dir).problems:
            yield Finding("note", f"target {one_line(problem.target)}", one_line(problem.message))
    yield _careful("machine", lambda: Finding("ok", "machine", offers.inventory(data_dir)))


def _package(name: str) -> Finding:
    try:
        return Finding("ok", name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding("bad" if name in NEEDED else "note", name, "is not installed")


def _careful(what: str, look: Callable[[], Finding]) -> Finding:
    """A finding even when the look at it fails in a way that people can understand."""
    try:
        return look()
    except (TracksideError, ProvisionError) as error:
        remedy = f" Try: {error.remedy}" if error.remedy else ""
        return Finding("bad", what, f"{error.message}{remedy}")
    except OSError as error:
        named = f"{error.filename} cannot be used: " if error.filename else ""
        return Finding("bad", what, f"{named}{error.strerror or error}")


def _server_extension() -> Finding:
    from jupyter_core.paths import jupyter_config_path
    from jupyter_server.config_manager import recursive_update
    from jupyter_server.extension.config import ExtensionConfigManager

    enabled: dict[str, object] = {}
    for folder in reversed(jupyter_config_path()):
        recursive_update(enabled, ExtensionConfigManager(read_config_path=[folder]).get_jpserver_extensions())
    if enabled.get("jupyter_ext"):
        return Finding("ok", "server extension", "enabled")
    return Finding(
        "bad", "server extension", "is not enabled. Try: jupyter server extension enable jupyter_ext"
    )


def _labextension() -> Finding:
    from jupyter_core.paths import jupyter_path

    found = [
        folder
        for folder in jupyter_path("labextensions", "trackside")
        if Path(folder, "package.json").exists()
    ]
    if found:
        return Finding("ok", "labextension", found[0])
    return Finding("note", "labextension", "is not installed: JupyterLab will not show the panel")


def _configuration() -> Finding:
    capture_settings()
    names = ", ".join(words.flat_text(target.name) for target in offers.targets())
    place = paths.config_path()
    return Finding("ok", "configuration", f"{place if place.exists() else 'defaults'}; targets: {names}")


def _data_folder(data_dir: Path) -> Finding:
    try:
        paths.make_private_folder(data_dir)
        with tempfile.NamedTemporaryFile(dir=data_dir, prefix=".doctor-"):
            pass
        free = os.statvfs(data_dir)
    except OSError as error:
        return Finding(
            "bad", "data folder", f"{data_dir} cannot be written: {error.strerror}. Nothing can be recorded."
        )
    gib = free.f_bavail * free.f_frsize / 2**30
    return Finding("ok" if gib >= 1 else "note", "data folder", f"{data_dir}, {gib:,.1f} GiB free")


def _index(data_dir: Path) -> Finding:
    with open_store(data_dir) as store:
        store.refresh()
        return Finding("ok", "index", counted(len(store.runs()), "run"))


def _leases(data_dir: Path) -> Finding:
    live = LeaseBook(data_dir).live()
    names = ", ".join(f"{words.flat_text(lease.name)} ({lease.state})" for lease in live)
    return Finding("note" if live else "ok", "leases", names or "none is held")
