"""Machines that nobody has on the books, and targets that hang: told, ended, and in nobody's way."""

from __future__ import annotations

from pathlib import Path

import psutil

from tests.kernel_magics.bridge.notebook_driver import Notebook
from tests.waiting import wait_for


def test_ctrl_c_leaves_nothing_of_a_python_that_hangs(notebook: Notebook, tmp_path: Path) -> None:
    wrapper = tmp_path / "python3"
    wrapper.write_text("#!/bin/sh\nsleep 600\necho never\n")
    wrapper.chmod(0o755)
    cell = notebook.execute(f"%gpu_provision cpu --on local --python {wrapper}")

    def hanging() -> list[psutil.Process]:
        return [one for one in psutil.Process(notebook.pid).children(recursive=True) if one.name() == "sleep"]

    [sleeper] = wait_for(hanging, what="the wrapper hangs")
    notebook.interrupt()
    notebook.pump(lambda: cell.done, 60, cell)
    assert "Interrupted" in cell.error
    wait_for(lambda: not psutil.pid_exists(sleeper.pid), what="nothing of it is left")


def test_a_machine_without_a_lease_is_told_with_how_to_end_it(bridged: Notebook, tmp_path: Path) -> None:
    [lease_file] = (tmp_path / "data" / "leases").glob("*.json")
    kept = lease_file.read_text()
    lease_file.unlink()
    told = bridged.must("%gpu_status").all_text
    assert f"Without a lease: {lease_file.stem} (cpu) runs on" in told
    assert f"End it: !trackside reap --yes {lease_file.stem}" in told
    lease_file.write_text(kept)
    assert "Without a lease" not in bridged.must("%gpu_status").all_text


def test_a_target_that_does_not_answer_is_shown_as_such_and_hides_nothing(
    bridged: Notebook, tmp_path: Path
) -> None:
    slow = tmp_path / "slow-ssh"
    slow.mkdir()
    (slow / "ssh").write_text("#!/bin/sh\nsleep 600\n")
    (slow / "ssh").chmod(0o755)
    (tmp_path / "trackside.toml").write_text('[targets.slow]\nprovider = "ssh"\nhost = "slow"\n')
    bridged.must(f"%%local\nimport os; os.environ['PATH'] = {str(slow)!r} + ':' + os.environ['PATH']")
    cell = bridged.must("%gpu_status", timeout=120)
    first, last = cell.of_type("display_data"), cell.of_type("update_display_data")
    assert len(first) == len(last) == 1
    shown = first[0]["content"]["data"]["text/plain"]
    assert "run on 'cpu'" in shown and "Asking slow for machines" in shown
    after = last[0]["content"]["data"]["text/plain"]
    assert "run on 'cpu'" in after and "slow: did not answer within 8 s" in after


def test_a_broken_configuration_hides_no_lease(bridged: Notebook, tmp_path: Path) -> None:
    (tmp_path / "trackside.toml").write_text('[targets.x]\nprovider = "nobody"\n')
    told = bridged.must("%gpu_status").all_text
    assert "run on 'cpu'" in told and "Not asked for machines without a lease" in told
    assert "trackside.toml" in told
    (tmp_path / "trackside.toml").unlink()
