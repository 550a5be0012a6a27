"""The official conformance suite, ``jupyter_kernel_test``, says the same of a bridged kernel as of a plain.

The same passes and the same failures, test by test. A difference is a difference of ours; a failure in
both is ipykernel's.
"""

from __future__ import annotations

import json
import os
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupyter_kernel_test
import pytest
from jupyter_client.manager import KernelManager

from tests.kernel_magics.bridge.conftest import own_environment
from tests.kernel_magics.bridge.notebook_driver import no_orphans, release_all


class Conformance(jupyter_kernel_test.KernelTests):
    """What ipykernel's own tests ask for."""

    __test__ = False  # run by the test below, once for each kernelspec
    kernel_name = "set by the test"
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('test', file=sys.stderr)"
    completion_samples = [{"text": "zi", "matches": {"zip"}}]
    complete_code_samples = ["1", "print('hello, world')", "def f(x):\n  return x*2\n\n\n"]
    incomplete_code_samples = ["print('''hello", "def f(x):\n  x*2"]
    invalid_code_samples = ["import = 7q"]
    code_page_something = "zip?"
    code_generate_error = "raise"
    code_execute_result = [
        {"code": "1+2+3", "result": "6"},
        {"code": "[n*n for n in range(1, 4)]", "result": "[1, 4, 9]"},
    ]
    code_display_data = [
        {
            "code": "from IPython.display import HTML, display; display(HTML('<b>test</b>'))",
            "mime": "text/html",
        },
        {
            "code": "from IPython.display import Math, display; display(Math('\\\\frac{1}{2}'))",
            "mime": "text/latex",
        },
    ]
    code_history_pattern = "1?2*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"


ARGUMENTS = {
    "plain": [],
    "bridged": [
        "--IPKernelApp.exec_lines=%load_ext kernel_magics",
        "--IPKernelApp.exec_lines=%gpu_provision cpu",
    ],
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    environ = own_environment(tmp_path)
    for name in set(os.environ) - set(environ) - {"PYTEST_CURRENT_TEST"}:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with no_orphans(str(tmp_path)):
        yield tmp_path
        release_all(environ)


def outcome(root: Path, kind: str) -> dict[str, list[str]]:
    """Run the suite for one kernelspec: which tests (with their subtests) passed, failed, were skipped."""
    folder = root / "jupyter" / "kernels" / kind
    folder.mkdir(parents=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *ARGUMENTS[kind]]
    spec: dict[str, Any] = {"argv": argv, "display_name": kind, "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(
        type("Conformance", (Conformance,), {"kernel_name": kind})
    )
    result = unittest.TestResult()
    suite.run(result)
    return {
        "failed": sorted(str(test).split(" ")[0] for test, _ in [*result.failures, *result.errors]),
        "skipped": sorted(str(test).split(" ")[0] for test, _ in result.skipped),
        "run": [str(result.testsRun)],
        "why": [text[-600:] for _, text in [*result.failures, *result.errors]],
    }


def test_the_bridge_really_stands_in_a_bridged_kernelspec(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the comparison below would compare two plain kernels."""
    manager = KernelManager()
    manager.start_kernel(extra_arguments=ARGUMENTS["bridged"])
    try:
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        reply = client.execute_interactive(
            "",
            user_expressions={"pid": "__import__('os').getpid()"},
            timeout=60,
            output_hook=lambda message: None,
        )
        pid = int(reply["content"]["user_expressions"]["pid"]["data"]["text/plain"])
        client.stop_channels()
        assert pid != manager.provisioner.pid
    finally:
        manager.shutdown_kernel()


@pytest.mark.timeout(300)
def test_a_bridged_kernel_conforms_as_a_plain_one_does(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PATH", str(root / "jupyter"))
    plain, bridged = outcome(root, "plain"), outcome(root, "bridged")
    assert int(plain["run"][0]) >= 10, plain
    assert len(plain["failed"]) <= 2, plain
    why = bridged.pop("why")
    plain.pop("why")
    assert bridged == plain, why
