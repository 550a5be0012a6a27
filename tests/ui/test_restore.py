"""A page that was reloaded while a cell ran has the cell's outputs: those it missed and those that go on."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.ui.desk import CURRENT, LOCAL, PROVISION, Desk, begin
from tests.waiting import UNTIL_INTERRUPTED

pytestmark = pytest.mark.ui

GATED = """{head}
for i in range({first}): print('line', i, flush=True)
{wait}
for i in range({first}, {last}): print('line', i, flush=True)
'the end'"""
"""Prints, waits, prints on."""


def lines(first: int, last: int) -> str:
    return "".join(f"line {number}\n" for number in range(first, last))


@pytest.mark.parametrize("where", ["remote", "tracked"])
def test_a_reloaded_page_has_every_line_once_and_in_order(desk: Desk, where: str) -> None:
    head = "" if where == "remote" else "%%track reloaded"
    desk.write(
        PROVISION if where == "remote" else LOCAL,
        GATED.format(head=head, wait=desk.gate.wait, first=50, last=100).lstrip("\n"),
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
    begin(desk, "print('begun', flush=True)\n" + UNTIL_INTERRUPTED)
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
    second = Desk(desk.lab, type(desk.driver)(context.new_page()), desk.gate, desk.name)
    second.reload()
    second.page.wait_for_function(
        f"() => {{ {CURRENT} return w.sessionContext.session?.kernel?.connectionStatus === 'connected' }}"
    )
    desk.go()
    desk.ended(1)
    assert desk.text(1) == "begun\nended\n"
    assert second.cell(1)["outputs"] == []
    context.close()
