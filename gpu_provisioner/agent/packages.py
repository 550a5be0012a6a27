"""Which versions of packages the Python over here has, asked of it as the kernel runs it: not under -S."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Mapping

_LIMIT_S = 20.0

_CODE = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
found = {}
for module, package in json.load(sys.stdin).items():
    try: found[module] = version(package)
    except PackageNotFoundError:
        try: found[module] = "" if find_spec(module) else None
        except (ImportError, ValueError): found[module] = None
    except Exception: found[module] = ""
print("\\n" + json.dumps({"python": "%d.%d" % sys.version_info[:2], "versions": found}))
"""


def packages(header: Mapping[str, Any]) -> Dict[str, Any]:
    """``{"python": "3.9", "versions": {module: version}, "time": seconds}``; nothing is imported.

    Without the first two when that Python does not tell (in time). A version is ``None`` for a module that is
    not there, ``""`` for one whose package does not tell.

    Args:
        header: ``packages``: the package (distribution) that each module belongs to, as the near end has it.
    """
    # Not the current folder, which "-c" would look in first: a login's home may hold anything.
    code = "import sys; sys.path[:] = [p for p in sys.path if p]" + _CODE
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps(header["packages"]),
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_S,
            cwd=str(Path(os.sep)),
        )
    except subprocess.TimeoutExpired:
        return {"time": time.time()}
    answer: Dict[str, Any] = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}
    return {**answer, "time": time.time()}
