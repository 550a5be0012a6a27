"""A page that was reloaded while a cell ran has the cell's outputs: those it missed and those that go on."""

from __future__ import annotations

import contextlib

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

CURRENT = "const w = window.jupyterapp.shell.currentWidget;"
PROVISION = "%load_ext kernel_magics\n%gpu_provision cpu"
LOCAL = "%load_ext kernel_magics"
GATED = """{head}
import os, time
def wait(name):
    while not os.path.exists({folder!r} + '/' + name): time.sleep(0.02)
for i in range({first}): print('line', i, flush=True)
wait('go')
for i in range({first}, {last}): print('line', i, flush=True)
'the end'"""
"""Prints, waits for a file, prints on."""


class Desk:
    """A notebook in a page: opened, run, left and come back to."""

    def __init__(self, lab: Lab, driver: LabPage, folder: Path, name: str) -> None:
        self.lab, self.driver, self.page = lab, driver, driver.page
        self.folder, self.name = folder, name
        # Jupyter's own complaint when a page goes while it is loading something
        self.driver.expected += ["ERR_ABORTED", "WebSocket", "Could not restore the debugger state"]

    def write(self, *sources: str) -> None:
        """The notebook's file, with a cell for each source."""
        cells = [
            nbformat.v4.new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(sources)
        ]
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(
            nbformat.v4.new_notebook(cells=cells, metadata=metadata), self.lab.notebooks / self.name
        )

    def go(self, name: str = "go") -> None:
        """Lets a cell go on that waits for this file."""
        (self.folder / name).touch()

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
        self.page.evaluate(
            f"i => {{ {CURRENT} w.content.activeCellIndex = i; w.content.mode = 'command'; w.content.activate() }}",
            index,
        )
        self.page.keyboard.press("Shift+Enter")
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


def lines(first: int, last: int) -> str:
    return "".join(f"line {number}\n" for number in range(first, last))


@pytest.fixture
def desk(lab: Lab, lab_page: LabPage, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A notebook of the test's own; its kernel is shut down afterwards."""
    made = Desk(lab, lab_page, tmp_path, f"{request.node.name[:40].replace('[', '-').replace(']', '')}.ipynb")
    yield made
    with contextlib.suppress(Exception):
        made.page.evaluate("async () => { await jupyterapp.serviceManager.sessions.shutdownAll() }")


@pytest.mark.parametrize("where", ["remote", "tracked"])
def test_a_reloaded_page_has_every_line_once_and_in_order(desk: Desk, where: str) -> None:
    head = "" if where == "remote" else "%%track reloaded"
    desk.write(
        PROVISION if where == "remote" else LOCAL,
        GATED.format(head=head, folder=str(desk.folder), first=50, last=100).lstrip("\n"),
        "6 * 7",
    )
    desk.start()
    desk.run(0, wait=True)
    desk.run(1)
    desk.shows(1, "line 49")
    desk.reload()
    desk.shows(1, "line 49")
    assert desk.cell(1)["state"] == "running"
    assert desk.text(1) == lines(0, 50)
    desk.go()
    desk.ended(1)
    assert desk.text(1) == lines(0, 100)
    assert "line 0\nline 1\n" in desk.cell(1)["seen"] and "'the end'" in desk.cell(1)["seen"]
    assert desk.cell(1)["count"] == 2
    desk.run(2, wait=True)
    desk.shows(2, "42")
    desk.save()
    desk.reload()
    desk.shows(2, "42")
    assert desk.text(1) == lines(0, 100)
