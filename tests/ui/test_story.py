"""The whole story in a real JupyterLab: open the notebook, run it, watch, compare, reload."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import expect

from tests.ui.desk import CURRENT, press_run

pytestmark = pytest.mark.ui

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "01_quickstart.ipynb"

GATED = """%%track gated --project live
for step in range(100):
    run.log({"loss": 100.0 - step}, step=step)
WAIT
run.log({"loss": 0.5}, step=100)
"""


def open_notebook(lab_page: Any, path: str) -> None:
    lab_page.page.evaluate(
        """async path => {
             const w = await jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'});
             await w.context.ready; await w.sessionContext.ready }""",
        path,
    )
    wait_idle(lab_page)


def wait_idle(lab_page: Any, timeout_s: float = 120) -> None:
    """Until the notebook's kernel is connected and has nothing to do."""
    lab_page.page.wait_for_function(
        f"""() => {{ {CURRENT} const k = w?.sessionContext?.session?.kernel;
             return k && k.status === 'idle' && k.connectionStatus === 'connected' }}""",
        timeout=timeout_s * 1000,
    )


def run_cell(lab_page: Any, index: int, wait: bool = True) -> None:
    """Runs a cell as a person does: select it, Shift+Enter."""
    press_run(lab_page.page, index)
    if wait:
        lab_page.page.wait_for_function(
            f"""i => {{ {CURRENT} const m = w.content.widgets[i].model;
                 return m.executionCount !== null && m.executionState !== 'running' }}""",
            arg=index,
            timeout=60_000,
        )


def outputs(lab_page: Any) -> list[dict[str, Any]]:
    """The outputs of every code cell of the open notebook."""
    return lab_page.page.evaluate(
        f"""() => {{ {CURRENT} return w.content.widgets.filter(c => c.model.type === 'code')
                     .flatMap(c => c.model.outputs.toJSON()) }}"""
    )


def last_losses(lab: Any) -> dict[str, float]:
    """The last training loss of every run, by name, as the store has it."""
    script = """
import json, kernel_magics as km
with km.open_store() as store:
    store.refresh()
    runs = store.runs(project="digits")
    print(json.dumps({run.name: store.series(run.id, "train/loss").value[-1] for run in runs}))
"""
    return json.loads(lab.python(script))


@pytest.mark.timeout(300)
def test_the_quickstart_runs_is_compared_themed_reloaded_and_found_again(fresh_lab, lab_page):
    shutil.copy(QUICKSTART, fresh_lab.notebooks / "quickstart.ipynb")
    lab_page.open(fresh_lab).sidebar()
    open_notebook(lab_page, "quickstart.ipynb")
    lab_page.command("notebook:run-all-cells")
    names = ("lr-0.01", "lr-0.1", "lr-1.0")
    for name in names:
        expect(lab_page.row(name)).to_contain_text("finished", timeout=90_000)
    wait_idle(lab_page)
    assert [out for out in outputs(lab_page) if out["output_type"] == "error"] == []

    lab_page.compare(*names)
    expected = last_losses(fresh_lab)
    drawn = lab_page.drawn(lab_page.chart("train/loss", lines=3))
    assert {name: line["y"][-1] for name, line in drawn.items()} == pytest.approx(expected)

    lab_page.theme("JupyterLab Dark")
    dark = lab_page.drawn(lab_page.chart("train/loss", lines=3))
    assert {name: line["y"][-1] for name, line in dark.items()} == pytest.approx(expected)

    lab_page.page.evaluate("async () => { await jupyterapp.serviceManager.workspaces.list() }")
    lab_page.command("docmanager:save-all")
    lab_page.open(fresh_lab, reset=False)
    lab_page.page.locator(".jp-trackside-compare:visible").wait_for()
    again = lab_page.drawn(lab_page.chart("train/loss", lines=3))
    assert {name: line["y"][-1] for name, line in again.items()} == pytest.approx(expected)


@pytest.mark.timeout(300)
def test_a_run_on_a_provisioned_kernel_moves_in_the_sidebar_while_its_cell_runs(fresh_lab, lab_page, gate):
    gated = GATED.replace("WAIT", gate.wait)
    cells = ["%load_ext kernel_magics", "%gpu_provision cpu", gated, "%gpu_release"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, fresh_lab.notebooks / "live.ipynb")
    lab_page.open(fresh_lab).sidebar()
    open_notebook(lab_page, "live.ipynb")
    run_cell(lab_page, 0)
    run_cell(lab_page, 1)
    expect(lab_page.page.locator("#jp-main-statusbar")).to_contain_text("cpu", ignore_case=True)
    run_cell(lab_page, 2, wait=False)
    expect(lab_page.row("gated")).to_contain_text("running", timeout=30_000)
    lab_page.compare("gated")
    chart = lab_page.chart("loss", lines=1)
    lab_page.page.wait_for_function(
        "node => node.trackside.drawn()[0].y.at(-1) === 1", arg=chart.element_handle(), timeout=10_000
    )
    gate.open()
    expect(lab_page.row("gated")).to_contain_text("finished", timeout=30_000)
    lab_page.page.wait_for_function(
        "node => node.trackside.drawn()[0].y.at(-1) === 0.5", arg=chart.element_handle(), timeout=10_000
    )
    lab_page.page.evaluate(
        """() => { for (const w of jupyterapp.shell.widgets('main'))
                       if (w.context) jupyterapp.shell.activateById(w.id) }"""
    )
    run_cell(lab_page, 3)
    assert [out for out in outputs(lab_page) if out["output_type"] == "error"] == []
