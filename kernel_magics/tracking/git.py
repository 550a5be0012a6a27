"""The git commit a run was made from, and what differed from it.

Stdlib only and Python 3.9. Nothing of the repository is executed: no hooks and no external diffs.
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from kernel_magics.tracking.imports import whole_imports

DIFF_LIMIT = 1_000_000
"""Bytes of the diff that are kept."""
_BUDGET_S = 10.0
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


def facts(folder: Path, *, diff: bool = True) -> Mapping[str, Any]:
    """``{"git": {root, commit, branch, dirty, remotes?, diff?, diff_truncated?}}``, or ``{}``.

    Credentials in the URLs of remotes are left out. The diff shows of notebooks only their cells' sources.
    """
    asked = _Git(folder)
    root = asked.line("rev-parse", "--show-toplevel")
    if root is None:
        return {}
    found: Dict[str, Any] = {
        "root": root,
        "commit": asked.line("rev-parse", "--verify", "--quiet", "HEAD"),
        "branch": asked.line("symbolic-ref", "--quiet", "--short", "HEAD"),
    }
    asked = _Git(Path(root))
    remotes = asked.lines("config", "--get-regexp", r"^remote\..*\.url$")
    if remotes:
        pairs = (line.partition(" ") for line in remotes)
        found["remotes"] = {key[7:-4]: without_credentials(url) for key, _, url in pairs}
    changes = asked.run("status", "--porcelain", "--untracked-files=no", "-z")
    found["dirty"] = None if changes is None else bool(changes)
    if diff and changes and found["commit"]:
        found.update(_diff(asked, Path(root)))
    if asked.too_slow:
        found["incomplete"] = f"git took longer than {_BUDGET_S:.0f} s"
    return {"git": found}


def without_credentials(url: str) -> str:
    """``https://user:token@host/x`` as ``https://host/x``; ``git@host:x`` stays, its user is no secret."""
    return _CREDENTIALS.sub("", url)


def _diff(asked: _Git, root: Path) -> Mapping[str, Any]:
    options = ("--no-ext-diff", "--no-textconv", "--no-color", "HEAD", "--")
    text = asked.run("diff", *options, ".", ":(exclude,glob)**/*.ipynb") or ""
    names = asked.run("diff", "--name-only", "-z", *options, ":(glob)**/*.ipynb") or ""
    for name in filter(None, names.split("\0")):
        if len(text) > DIFF_LIMIT or asked.too_slow:
            break
        text += _notebook_diff(asked.run("show", "--no-textconv", f"HEAD:{name}"), root / name, name)
    cut = _cut(text)
    found: Dict[str, Any] = {"diff": cut}
    if cut != text or asked.cut:
        found["diff_truncated"] = True
    return found


def _notebook_diff(before: Optional[str], path: Path, name: str) -> str:
    try:
        after = path.read_text(encoding="utf-8") if path.stat().st_size < 100 * DIFF_LIMIT else None
    except (OSError, UnicodeDecodeError):
        after = None
    with whole_imports():
        from difflib import unified_diff

    old, new = notebook_source(before), notebook_source(after)
    if old is None and new is None:
        return f"# {name} differs, and its cells cannot be read\n"
    return "".join(unified_diff(old or [], new or [], f"a/{name} (cells)", f"b/{name} (cells)"))


def notebook_source(text: Optional[str]) -> Optional[List[str]]:
    """A notebook's cells as lines with their ends, without outputs; ``None`` when it is no notebook."""
    try:
        lines: List[str] = []
        for number, cell in enumerate(json.loads(text or "")["cells"]):
            source = cell["source"]
            lines.append(f"# [{number}] {cell['cell_type']}\n")
            lines += [f"{line}\n" for line in "".join(source).splitlines()]
        return lines
    except (ValueError, KeyError, TypeError):
        return None


def _cut(text: str) -> str:
    """At most :data:`DIFF_LIMIT` bytes of UTF-8, whole lines."""
    data = text.encode("utf-8", "replace")
    if len(data) <= DIFF_LIMIT:
        return text
    return data[: data.rfind(b"\n", 0, DIFF_LIMIT) + 1].decode("utf-8", "replace")


class _Git:
    """Asks git about one folder, within a budget of time for all questions together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._deadline = time.monotonic() + _BUDGET_S
        self.too_slow = False
        self.cut = False

    def run(self, *arguments: str) -> Optional[str]:
        """What git prints; ``None`` when it fails, is not there, or takes too long."""
        with whole_imports():
            import subprocess  # asked in a thread only: the import need not delay init()

        environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        command = ["git", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false", *arguments]
        try:
            process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return None
        with process:
            try:
                output, _ = process.communicate(timeout=max(0.1, self._deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.too_slow = True
                process.kill()
                return None
        return output.decode("utf-8", "replace") if process.returncode == 0 else None

    def line(self, *arguments: str) -> Optional[str]:
        """The one line git prints, ``None`` for none."""
        output = self.run(*arguments)
        return output.strip() or None if output is not None else None

    def lines(self, *arguments: str) -> List[str]:
        return (self.run(*arguments) or "").splitlines()
