"""A process that forks while a thread of ours imports: the child's modules are whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import kernel_magics as km

ROOT = Path(km.__file__).parent.parent

# Stands in for NVIDIA's binding: its import takes until somebody says go.
SLOW = """
import os, select
open(os.environ["BEGUN"], "w").close()
while not os.path.exists(os.environ["GO"]):
    select.select([], [], [], 0.005)
class NVMLError(Exception): pass
def nvmlInit(): raise NVMLError
whole = True
"""
FORKS = """
import os, select, sys, threading
import kernel_magics as km
run = km.init(capture={"packages": False, "diff": False}, facts={"git": {}})
while not os.path.exists(os.environ["BEGUN"]):
    select.select([], [], [], 0.005)
threading.Timer(0.3, lambda: open(os.environ["GO"], "w").close()).start()
child = os.fork()
if child == 0:
    code = 1
    try:
        import pynvml
        run.log({"loss": 1.0})
        run.finish()
        code = 0 if pynvml.whole else 2
    finally:
        os._exit(code)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
run.finish()
"""
AT_ONCE = """
import os, sys
import kernel_magics as km
before = set(sys.modules)
run = km.init()
for _ in range(40):                      # as fast as it goes, while facts and telemetry begin
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for name in set(sys.modules) - before:
                spec = getattr(sys.modules[name], "__spec__", None)
                assert not getattr(spec, "_initializing", False), name
            import ctypes, platform, subprocess
            assert subprocess.Popen and platform.platform() and ctypes.CDLL
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
run.finish()
"""


def outcome(code: str, *paths: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    environment["PYTHONPATH"] = os.pathsep.join(map(str, (*paths, ROOT)))
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_fork_waits_until_a_module_that_our_thread_imports_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "pynvml.py").write_text(SLOW)
    done = outcome(FORKS, folder, BEGUN=str(tmp_path / "begun"), GO=str(tmp_path / "go"))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("turn", range(3))
def test_workers_that_are_forked_right_after_init_have_whole_modules(turn: int) -> None:
    done = outcome(AT_ONCE)
    assert (done.returncode, done.stderr) == (0, "")
