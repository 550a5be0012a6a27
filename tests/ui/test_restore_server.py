"""The Jupyter Server is restarted while a cell runs on another machine: the page has all of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.waiting import Gate

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

CURRENT = "const w = window.jupyterapp.shell.currentWidget;"
CELL = """
open({ran!r}, 'a').write('x')
for i in range(200): print('line', i, flush=True)
{go}
for i in range(200, 1000): print('line', i, flush=True)
{end}
for i in range(1000, 1200): print('line', i, flush=True)
"""


def open_notebook(driver: LabPage, lab: Lab) -> None:
    driver.open(lab)
    driver.page.evaluate(
        """async () => { const w = await jupyterapp.commands.execute('docmanager:open', {path: 'long.ipynb'});
                          await w.context.ready; await w.sessionContext.ready }"""
    )


def run(driver: LabPage, index: int) -> None:
    driver.page.evaluate(
        f"""i => {{ {CURRENT} w.content.activeCellIndex = i; w.content.mode = 'command';
                    w.content.activate() }}""",
        index,
    )
    driver.page.keyboard.press("Shift+Enter")


def wait_text(driver: LabPage, index: int, words: str) -> str:
    """The cell's stream text, once it contains these words."""
    driver.page.wait_for_function(
        f"""([i, words]) => {{ {CURRENT}
             return JSON.stringify(w.content.widgets[i].model.outputs.toJSON()).includes(words) }}""",
        arg=[index, words],
        timeout=90_000,
    )
    outputs = driver.page.evaluate(
        f"i => {{ {CURRENT} return w.content.widgets[i].model.outputs.toJSON() }}", index
    )
    return "".join("".join(one.get("text", "")) for one in outputs)


def test_a_cell_goes_on_over_a_restart_of_the_server_and_the_page_has_all_of_it(
    fresh_lab: Lab, lab_page: LabPage, tmp_path: Path, gate_at: Callable[[Path], Gate]
) -> None:
    lab_page.expected += [
        "ERR_",
        "WebSocket",
        "Failed to",
        "debugger state",
        "Connection lost",
        "NetworkError",
    ]
    ran, go, end = tmp_path / "ran", gate_at(tmp_path / "go"), gate_at(tmp_path / "end")
    provision, attach = (
        f"%load_ext kernel_magics\n{magic}" for magic in ("%gpu_provision cpu", "%gpu_attach")
    )
    sources = [provision, CELL.format(ran=str(ran), go=go.wait, end=end.wait), attach, "print(i)"]
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(sources)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), fresh_lab.notebooks / "long.ipynb")
    open_notebook(lab_page, fresh_lab)
    run(lab_page, 0)
    wait_text(lab_page, 0, "Cells run on")
    run(lab_page, 1)
    wait_text(lab_page, 1, "line 199")
    fresh_lab.stop()
    go.open()
    fresh_lab.start()
    open_notebook(lab_page, fresh_lab)
    assert wait_text(lab_page, 1, "line 999") == "".join(f"line {i}\n" for i in range(1000))
    run(lab_page, 2)
    wait_text(lab_page, 2, "Cells run on")
    end.open()
    assert wait_text(lab_page, 1, "line 1199") == "".join(f"line {i}\n" for i in range(1200))
    run(lab_page, 3)
    assert wait_text(lab_page, 3, "1199") == "1199\n"
    assert ran.read_text() == "x"
