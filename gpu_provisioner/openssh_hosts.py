"""Which hosts the user's ``~/.ssh/config`` names."""

from __future__ import annotations

import glob
import os
import pwd
import re
import shlex
from pathlib import Path
from typing import Iterator, List, Optional


def ssh_config_path() -> Path:
    """The user's own; like ssh, from the password database and not from ``$HOME``."""
    return Path(pwd.getpwuid(os.getuid()).pw_dir) / ".ssh" / "config"


def configured_hosts(path: Optional[Path] = None) -> List[str]:
    """Names of ``Host`` lines without wildcards, in order, ``Include`` followed (ssh_config(5))."""
    path = path or ssh_config_path()
    return list(dict.fromkeys(_hosts(path, path.parent, depth=0)))


def _hosts(path: Path, folder: Path, depth: int) -> Iterator[str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        found = re.match(r"\s*(host|include)(?:\s*=\s*|\s+)(.+)", line, re.IGNORECASE)
        if not found:
            continue
        try:
            words = shlex.split(found.group(2), comments=True)
        except ValueError:
            continue
        if found.group(1).lower() == "host":
            yield from (word for word in words if not set(word) & set("*?!"))
        elif depth < 16:
            for word in words:
                pattern = str(folder / Path(word).expanduser())
                for name in sorted(glob.glob(pattern)):  # noqa: PTH207 - the pattern may be absolute
                    yield from _hosts(Path(name), folder, depth + 1)
