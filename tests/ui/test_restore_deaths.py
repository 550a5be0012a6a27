"""What a page has of a cell whose kernel ended, was killed or begun anew meanwhile."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.ui.desk import CURRENT, LOCAL, Desk, begin
from tests.waiting import UNTIL_KILLED

pytestmark = pytest.mark.ui


def test_a_tracked_cell_whose_kernel_was_killed_does_not_run_on_in_the_page(desk: Desk) -> None:
    desk.write(LOCAL, "%%track killed\nimport os\nprint('begun', os.getpid(), flush=True)\n" + UNTIL_KILLED)
    desk.start()
    desk.run(0, wait=True)
    desk.run(1)
    desk.shows(1, "begun")
    desk.reload()
    desk.shows(1, "begun")
    os.kill(int(desk.text(1).split()[1]), signal.SIGKILL)
    desk.page.wait_for_function(
        f"() => {{ {CURRENT} return w.content.widgets[1].model.executionState !== 'running' }}",
        timeout=30_000,
    )
    assert "begun" in desk.text(1)


def test_restarting_and_clearing_brings_nothing_back(desk: Desk) -> None:
    begin(desk, "print('begun', flush=True)\nWAIT", "'before'")
    desk.reload()
    desk.shows(1, "begun")
    desk.page.evaluate("() => void jupyterapp.commands.execute('notebook:restart-clear-output')")
    desk.page.get_by_role("dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    desk.page.wait_for_function(
        f"""() => {{ {CURRENT} const k = w.sessionContext.session?.kernel, m = w.content.widgets[1].model;
             return k?.status === 'idle' && m.executionState !== 'running' && m.outputs.length === 0 }}""",
        timeout=60_000,
    )
    desk.run(2, wait=True)  # by then whatever could come has come
    desk.shows(2, "before")
    assert desk.cell(1)["outputs"] == [] and desk.cell(1)["state"] != "running"


def kill_the_notebooks_kernel(desk: Desk) -> None:
    """``kill -9`` of the local kernel, found by its connection file."""
    kernel = desk.page.evaluate(f"() => {{ {CURRENT} return w.sessionContext.session.kernel.id }}")
    [process] = [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(f"kernel-{kernel}.json" in word for word in process.info["cmdline"] or ())
        and "ipykernel_launcher" in " ".join(process.info["cmdline"])
    ]
    process.kill()


def test_a_remote_cell_goes_on_in_the_page_when_the_notebooks_own_kernel_is_killed(
    desk: Desk, tmp_path: Path
) -> None:
    source = f"""
from IPython.display import display
open({str(tmp_path / "ran")!r}, 'a').write('x')
for i in range(100): print('line', i, flush=True)
print('begun', flush=True)
WAIT
for i in range(100, 2000):
    if i % 2: print('line', i, flush=True)
    else: display({{'text/plain': f'shown {{i}}'}}, raw=True)
print('end')"""
    begin(desk, source, "%load_ext kernel_magics\n%gpu_attach", "print(i)")
    kill_the_notebooks_kernel(desk)
    desk.page.get_by_role("dialog").get_by_role("button", name="Ok").click(timeout=30_000)
    desk.page.wait_for_function(
        f"""() => {{ {CURRENT} const k = w.sessionContext.session?.kernel;
             return k.status === 'idle' && w.content.widgets[1].model.executionState === 'running' }}""",
        timeout=60_000,
    )
    desk.go()
    desk.run(2, wait=True)
    desk.ended(1)
    desk.shows(1, "end\\n")
    outputs = desk.cell(1)["outputs"]
    seen: list[int] = []
    for one in outputs:
        if one["output_type"] == "stream":
            seen += [int(line.split()[1]) for line in "".join(one["text"]).splitlines() if "line" in line]
        else:
            seen.append(int(one["data"]["text/plain"].split()[1]))
    assert seen == list(range(2000))
    assert (tmp_path / "ran").read_text() == "x"
    assert "begun" not in desk.text(2), "the page shows it in its own place"
    desk.run(3, wait=True)
    assert desk.text(3) == "1999\n"
