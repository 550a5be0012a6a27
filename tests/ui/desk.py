"""A notebook in a page, driven as a person would: opened, run, left and come back to."""

from __future__ import annotations

from typing import Any

import nbformat
from playwright.sync_api import Page

from tests.waiting import Gate

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

CURRENT = "const w = window.jupyterapp.shell.currentWidget;"
PROVISION = "%load_ext kernel_magics\n%gpu_provision cpu"
LOCAL = "%load_ext kernel_magics"


def press_run(page: Page, index: int) -> None:
    """Runs a cell of the notebook in front as a person does: selects it, Shift+Enter."""
    page.evaluate(
        f"""i => {{ {CURRENT} w.content.activeCellIndex = i; w.content.mode = 'command';
                    w.content.activate() }}""",
        index,
    )
    page.keyboard.press("Shift+Enter")


class Desk:
    """A notebook in a page: opened, run, left and come back to."""

    def __init__(self, lab: Lab, driver: LabPage, gate: Gate, name: str) -> None:
        self.lab, self.driver, self.page = lab, driver, driver.page
        self.gate, self.name = gate, name
        # Jupyter's own complaint when a page goes while it is loading something
        self.driver.expected += ["ERR_ABORTED", "WebSocket", "Canceled future", "Comm not found"]

    def write(self, *sources: str) -> None:
        """The notebook's file, with a cell for each source."""
        cells = [
            nbformat.v4.new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(sources)
        ]
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(
            nbformat.v4.new_notebook(cells=cells, metadata=metadata), self.lab.notebooks / self.name
        )

    def go(self) -> None:
        """Lets the cells go on that wait."""
        self.gate.open()

    def open(self) -> None:
        self.page.evaluate(
            """async path => {
                 const w = await jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'});
                 await w.context.ready }""",
            self.name,
        )

    def start(self) -> None:
        """Opens Lab and the notebook, and waits for its kernel."""
        self.driver.open(self.lab)
        self.open()
        self.page.wait_for_function(
            f"""() => {{ {CURRENT} const k = w?.sessionContext?.session?.kernel;
                 return k && k.status === 'idle' && k.connectionStatus === 'connected' }}""",
            timeout=60_000,
        )

    def reload(self) -> None:
        """F5, and the notebook again."""
        self.driver.open(self.lab)
        self.open()

    def run(self, index: int, wait: bool = False) -> None:
        """Shift+Enter in a cell."""
        press_run(self.page, index)
        if wait:
            self.ended(index)

    def cell(self, index: int) -> dict[str, Any]:
        """What the page has of a cell: outputs, count, state, and the text that a person sees."""
        return self.page.evaluate(
            f"""i => {{ {CURRENT} const c = w.content.widgets[i], m = c.model;
                 return {{ outputs: m.outputs.toJSON(), count: m.executionCount, state: m.executionState,
                           seen: c.node.querySelector('.jp-Cell-outputArea')?.innerText ?? '' }} }}""",
            index,
        )

    def text(self, index: int) -> str:
        """The stream text in the cell's model."""
        return "".join("".join(one["text"]) for one in self.cell(index)["outputs"] if "text" in one)

    def shows(self, index: int, words: str) -> None:
        """Waits until the cell's outputs contain these words."""
        self.page.wait_for_function(
            f"""([i, words]) => {{ {CURRENT}
                 return JSON.stringify(w.content.widgets[i].model.outputs.toJSON()).includes(words) }}""",
            arg=[index, words],
            timeout=60_000,
        )

    def ended(self, index: int) -> None:
        """Waits until the cell has a number and does not run."""
        self.page.wait_for_function(
            f"""i => {{ {CURRENT} const m = w.content.widgets[i].model;
                 return m.executionCount !== null && m.executionState !== 'running' }}""",
            arg=index,
            timeout=90_000,
        )

    def save(self) -> None:
        self.driver.command("docmanager:save")


def begin(desk: Desk, source: str, *more: str, mark: str = "begun") -> None:
    """A provisioned notebook whose cell 1 runs and has shown ``mark``; ``WAIT`` waits for the desk's word."""
    desk.write(PROVISION, source.replace("WAIT", desk.gate.wait), *more)
    desk.start()
    desk.run(0, wait=True)
    desk.run(1)
    desk.shows(1, mark)
