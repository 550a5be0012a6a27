"""A page that was reloaded while a cell ran has the cell's outputs: those it missed and those that go on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
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
            f"""i => {{ {CURRENT} w.content.activeCellIndex = i; w.content.mode = 'command';
                        w.content.activate() }}""",
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
    # A kernel that is just coming up again cannot be ended: it is asked again.
    lab_page.expected.append("/api/sessions/")
    lab_page.eventually(
        """async () => { const { sessions } = jupyterapp.serviceManager;
             await sessions.shutdownAll().catch(() => null);
             await sessions.refreshRunning();
             return [...sessions.running()].length === 0 }"""
    )


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


def begin(desk: Desk, source: str, *more: str, mark: str = "begun") -> None:
    """A provisioned notebook whose cell 1 runs and has shown ``mark``; it waits for the file ``go``."""
    wait = f"import os, time\nwhile not os.path.exists({str(desk.folder / 'go')!r}): time.sleep(0.02)"
    desk.write(PROVISION, source.replace("WAIT", wait), *more)
    desk.start()
    desk.run(0, wait=True)
    desk.run(1)
    desk.shows(1, mark)


def test_a_tab_closed_while_the_cell_ran_to_its_end_shows_all_of_it_when_it_is_opened_again(
    desk: Desk,
) -> None:
    source = "from IPython.display import HTML, display\nprint('begun', flush=True)\nWAIT\n"
    begin(desk, source + "display(HTML('<b id=bold>bold</b>'))\nprint('late')\n'result'", "1")
    desk.save()
    desk.page.evaluate(f"() => {{ {CURRENT} w.dispose() }}")
    desk.go()
    desk.open()
    desk.shows(1, "'result'")
    desk.ended(1)
    assert [one["output_type"] for one in desk.cell(1)["outputs"]] == [
        "stream",
        "display_data",
        "stream",
        "execute_result",
    ]
    assert desk.text(1) == "begun\nlate\n"
    expect(desk.page.locator("#bold")).to_be_visible()
    assert desk.cell(1)["count"] == 2


def test_displays_are_updated_and_cleared_as_if_the_page_had_been_there(desk: Desk) -> None:
    source = """
from IPython.display import display, clear_output
import sys
print('gone'); clear_output()
h = display({'text/plain': 'first'}, raw=True, display_id='bar')
print('begun', flush=True)
WAIT
h.update({'text/plain': 'second'}, raw=True)
print('one\\rtwo')
clear_output(wait=True)
h = display({'text/plain': 'third'}, raw=True, display_id='bar2')
h.update({'text/plain': 'fourth'}, raw=True)
print('end')"""
    begin(desk, source)
    desk.reload()
    desk.shows(1, "first")
    assert "gone" not in desk.text(1)
    desk.go()
    desk.ended(1)
    desk.shows(1, "fourth")
    outputs = desk.cell(1)["outputs"]
    assert [one["output_type"] for one in outputs] == ["display_data", "stream"]
    assert outputs[0]["data"] == {"text/plain": "fourth"}
    assert desk.text(1) == "end\n"


def test_a_question_asked_while_no_page_was_there_is_answered_in_the_new_one(desk: Desk) -> None:
    begin(desk, "print('begun', flush=True)\nname = input('Your name? ')\nprint('Hello', name)")
    desk.page.locator(".jp-Stdin-input").wait_for()
    desk.reload()
    box = desk.page.locator(".jp-Stdin-input")
    box.wait_for(timeout=30_000)
    expect(desk.page.locator(".jp-Stdin-prompt")).to_contain_text("Your name?")
    box.fill("Ada")
    box.press("Enter")
    desk.shows(1, "Hello Ada")
    desk.ended(1)


def test_cells_that_waited_behind_the_one_that_ran_are_restored_when_their_turn_comes(desk: Desk) -> None:
    begin(desk, "print('begun', flush=True)\nWAIT\nprint('first')", "print('second')", "print('third')")
    desk.run(2)
    desk.run(3)
    desk.reload()
    desk.shows(1, "begun")
    desk.go()
    for index, word in ((1, "first"), (2, "second"), (3, "third")):
        desk.shows(index, word)
        desk.ended(index)
    assert [desk.cell(index)["count"] for index in (1, 2, 3)] == [2, 3, 4]
    assert desk.text(2) == "second\n"


def test_a_cell_that_was_moved_and_edited_meanwhile_is_found_by_its_id(desk: Desk) -> None:
    begin(desk, "print('begun', flush=True)\nWAIT\nprint('moved')", "2", "3")
    desk.page.evaluate(
        f"""() => {{ {CURRENT} w.content.activeCellIndex = 1;
             w.content.widgets[1].model.sharedModel.setSource('edited');
             return jupyterapp.commands.execute('notebook:move-cell-down') }}"""
    )
    desk.save()
    desk.reload()
    desk.shows(2, "begun")
    desk.go()
    desk.ended(2)
    assert desk.text(2) == "begun\nmoved\n"
    assert desk.cell(1)["outputs"] == []


def test_a_cell_that_is_run_again_while_it_is_restored_shows_only_the_new_run(desk: Desk) -> None:
    begin(desk, "print('begun', flush=True)\nWAIT\nprint('ended', flush=True)")
    desk.reload()
    desk.shows(1, "begun")
    desk.run(1)
    desk.go()
    desk.ended(1)
    desk.shows(1, "ended")
    assert desk.text(1) == "begun\nended\n"
    assert desk.cell(1)["count"] == 3


def test_an_interrupt_from_the_new_page_ends_the_cell_there(desk: Desk) -> None:
    begin(desk, "print('begun', flush=True)\nWAIT")
    desk.reload()
    desk.shows(1, "begun")
    desk.driver.command("notebook:interrupt-kernel")
    desk.shows(1, "KeyboardInterrupt")
    desk.ended(1)


def test_outputs_cleared_and_saved_stay_cleared(desk: Desk) -> None:
    begin(desk, "print('begun', flush=True)")
    desk.ended(1)
    desk.page.wait_for_timeout(1500)
    desk.driver.command("notebook:clear-all-cell-outputs")
    desk.save()
    desk.reload()
    desk.page.wait_for_function(
        f"() => {{ {CURRENT} return w.sessionContext.session?.kernel?.status === 'idle' }}"
    )
    desk.run(1, wait=True)
    assert desk.text(1) == "begun\n"


def test_a_second_page_leaves_alone_what_the_first_one_shows(desk: Desk, browser: Browser) -> None:
    begin(desk, "print('begun', flush=True)\nWAIT\nprint('ended')")
    context = browser.new_context()
    second = Desk(desk.lab, type(desk.driver)(context.new_page()), desk.folder, desk.name)
    second.reload()
    second.page.wait_for_function(
        f"() => {{ {CURRENT} return w.sessionContext.session?.kernel?.connectionStatus === 'connected' }}"
    )
    desk.go()
    desk.ended(1)
    assert desk.text(1) == "begun\nended\n"
    assert second.cell(1)["outputs"] == []
    context.close()


def test_a_tracked_cell_whose_kernel_was_killed_does_not_run_on_in_the_page(desk: Desk) -> None:
    desk.write(
        LOCAL, "%%track killed\nimport os, time\nprint('begun', os.getpid(), flush=True)\ntime.sleep(600)"
    )
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


def test_a_remote_cell_goes_on_in_the_page_when_the_notebooks_own_kernel_is_killed(desk: Desk) -> None:
    source = f"""
import os, time
from IPython.display import display
open({str(desk.folder / "ran")!r}, 'a').write('x')
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
    assert (desk.folder / "ran").read_text() == "x"
    assert "begun" not in desk.text(2), "the page shows it in its own place"
    desk.run(3, wait=True)
    assert desk.text(3) == "1999\n"
