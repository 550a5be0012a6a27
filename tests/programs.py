"""Programs of the user's, each in an interpreter of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run_program(
    code: str, *arguments: str, options: Sequence[str] = (), timeout: float = 150.0
) -> subprocess.CompletedProcess[str]:
    """Run ``code`` to its end; when it hangs, it and its children are killed and the test fails.

    Args:
        arguments: its ``sys.argv[1:]``.
        options: of the interpreter.
        timeout: in seconds.
    """
    process = subprocess.Popen(
        [sys.executable, *options, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
