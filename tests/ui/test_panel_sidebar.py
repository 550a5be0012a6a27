"""The sidebar: runs that move, a filter, the keyboard, and what it says when there is nothing."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage
Live = Any  # subprocess.Popen[str], with pipes

HOSTILE = '<img src=x onerror="window.hacked=1">'

SEED = f"""
from kernel_magics import tracking
for name, lr, tags in [("lr=0.1", 0.1, ["baseline"]), ("lr=0.01", 0.01, []), ({HOSTILE!r}, 1.0, [])]:
    run = tracking.init(project="digits", name=name, config={{"lr": lr}}, tags=tags)
    for step in range(20):
        run.log({{"loss": lr / (step + 1)}})
    run.finish()
try:
    run = tracking.init(project="digits", name="broken")
    raise ValueError("no such digit")
except ValueError as error:
    run.finish("failed", error)
"""

LIVE = """
import sys
from kernel_magics import tracking
run = tracking.init(project="digits", name="live one")
for line in sys.stdin:
    run.log({"loss": float(line)})
    print("logged", flush=True)
run.finish()
"""


@pytest.fixture(scope="module")
def seeded(lab: Lab) -> Lab:
    lab.python(SEED)
    return lab


def log(live: Live, value: float) -> None:
    """Lets the live run log a value, and returns when it has."""
    live.stdin.write(f"{value}\n")
    live.stdin.flush()
    assert live.stdout.readline() == "logged\n"


def test_an_empty_sidebar_teaches_the_first_step(fresh_lab: Lab, lab_page: LabPage) -> None:
    sidebar = lab_page.open(fresh_lab).sidebar()
    expect(sidebar.get_by_text("No runs yet")).to_be_visible()
    expect(sidebar.locator("p code").get_by_text("%%track", exact=True)).to_be_visible()
    expect(sidebar.get_by_text("%gpu_provision a100")).to_be_visible()


def test_runs_are_listed_newest_first_with_state_and_last_values(seeded: Lab, lab_page: LabPage) -> None:
    sidebar = lab_page.open(seeded).sidebar()
    expect(sidebar.locator("[data-run-id]")).to_have_count(4)
    names = sidebar.locator(".jp-trackside-runName").all_text_contents()
    assert names == ["broken", HOSTILE, "lr=0.01", "lr=0.1"]
    expect(lab_page.row("lr=0.1")).to_contain_text("finished")
    expect(lab_page.row("lr=0.1")).to_contain_text("loss 0.005")
    expect(lab_page.row("broken")).to_contain_text("failed")


def test_a_hostile_name_is_text_and_runs_nothing(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    expect(lab_page.row(HOSTILE)).to_be_visible()
    assert lab_page.page.locator("#trackside-sidebar img").count() == 0
    assert lab_page.page.evaluate("window.hacked") is None


def test_the_filter_narrows_as_one_types(seeded: Lab, lab_page: LabPage) -> None:
    sidebar = lab_page.open(seeded).sidebar()
    expect(sidebar.locator("[data-run-id]")).to_have_count(4)
    box = sidebar.get_by_role("combobox", name="Filter runs")
    box.press_sequentially("config.lr < 0.05")
    expect(sidebar.locator("[data-run-id]")).to_have_count(1)
    expect(sidebar.get_by_text("1 of 4 runs")).to_be_visible()
    box.fill("baseline")
    expect(sidebar.locator(".jp-trackside-runName")).to_have_text(["lr=0.1"])
    box.fill("nothing is called this")
    expect(sidebar.get_by_text("No run matches")).to_be_visible()
    sidebar.get_by_role("button", name="Clear the filter").click()
    expect(sidebar.locator("[data-run-id]")).to_have_count(4)


def test_a_filter_that_makes_no_sense_says_whose_runs_are_listed(seeded: Lab, lab_page: LabPage) -> None:
    sidebar = lab_page.open(seeded).sidebar()
    expect(sidebar.locator("[data-run-id]")).to_have_count(4)
    box, listed = sidebar.get_by_role("combobox", name="Filter runs"), sidebar.locator(".jp-trackside-list")
    box.fill("stauts =")
    expect(sidebar.get_by_text("Until then all runs are listed.")).to_be_visible()
    expect(listed).to_have_css("filter", "grayscale(1)")
    box.fill("config.lr < 0.05")
    expect(sidebar.locator("[data-run-id]")).to_have_count(1)
    expect(listed).to_have_css("filter", "none")
    box.fill("config.lr < 0.05 and status = (")
    expect(sidebar.get_by_text("Until then the runs are those of config.lr < 0.05")).to_be_visible()
    expect(listed).to_have_css("filter", "grayscale(1)")
    expect(sidebar.locator("[data-run-id]")).to_have_count(1)


def test_a_run_moves_while_it_trains_and_settles_when_it_ends(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    expect(lab_page.row("lr=0.1")).to_be_visible()
    with seeded.process(LIVE) as live:
        log(live, 0.75)
        row = lab_page.row("live one")
        expect(row).to_contain_text("running")
        expect(row).to_contain_text("loss 0.75")
        first = row.locator(".jp-trackside-runTime").text_content()
        log(live, 0.5)
        expect(row).to_contain_text("loss 0.5")
        expect(row.locator(".jp-trackside-runTime")).not_to_have_text(first or "")
        live.stdin.close()
        expect(row).to_contain_text("finished")


def test_a_killed_run_says_so(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    with seeded.process(LIVE.replace("live one", "doomed")) as doomed:
        log(doomed, 1.0)
        expect(lab_page.row("doomed")).to_contain_text("running")
        doomed.kill()
        expect(lab_page.row("doomed")).to_contain_text("killed")


def test_the_keyboard_alone_selects_and_compares(seeded: Lab, lab_page: LabPage) -> None:
    sidebar = lab_page.open(seeded).sidebar()
    expect(lab_page.row("lr=0.1")).to_be_visible()
    sidebar.get_by_role("combobox", name="Filter runs").fill("lr=")
    runs = sidebar.get_by_role("listbox", name="Runs")
    runs.focus()
    page = lab_page.page
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(sidebar.locator('[data-run-id][aria-selected="true"]')).to_have_count(2)
    active = runs.get_attribute("aria-activedescendant")
    assert page.locator(f"[id='{active}']").get_attribute("data-run-id")
    page.keyboard.press("Enter")
    expect(page.locator(".jp-trackside-compare:visible .jp-trackside-chip")).to_have_count(2)


def test_runs_can_be_sorted_by_a_metric_either_way(seeded: Lab, lab_page: LabPage) -> None:
    sidebar = lab_page.open(seeded).sidebar()
    names = sidebar.locator(".jp-trackside-runName")
    sidebar.get_by_label("Sort runs by").select_option("metric:loss")
    sidebar.get_by_role("combobox", name="Filter runs").fill("digits")
    expect(names.filter(has_text="lr=")).to_have_text(["lr=0.01", "lr=0.1"])
    sidebar.get_by_role("button", name="Sorted ascending").click()
    expect(names.filter(has_text="lr=")).to_have_text(["lr=0.1", "lr=0.01"])
    expect(names.last).to_have_text("broken")
    sidebar.get_by_label("Sort runs by").select_option("name")
    expect(names.first).to_have_text(HOSTILE)


def test_a_run_has_a_menu_for_mouse_and_keyboard(seeded: Lab, lab_page: LabPage) -> None:
    page = lab_page.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    (seeded.notebooks / "digits.ipynb").write_text(
        '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    )
    notebook = str(seeded.notebooks / "digits.ipynb")
    seeded.python(
        "from kernel_magics import tracking\n"
        f"tracking.init(project='digits', name='in notebook', facts={{'notebook': {notebook!r}}}).finish()"
    )
    sidebar = lab_page.open(seeded).sidebar()
    lab_page.row("lr=0.1").click(button="right")
    items = page.locator(".lm-Menu").get_by_role("menuitem")
    edits = ["Rename…", "Tags…", "Group…", "Notes…", "Colour…", "Pin", "Archive", "Delete"]
    expect(items).to_have_text(["Compare", "Copy Id", *edits])
    items.filter(has_text="Copy Id").click()
    run = lab_page.row("lr=0.1").get_attribute("data-run-id")
    lab_page.eventually("async id => await navigator.clipboard.readText() === id", run)
    sidebar.get_by_role("combobox", name="Filter runs").fill("notebook")
    expect(sidebar.locator("[data-run-id]")).to_have_count(1)
    runs = sidebar.get_by_role("listbox", name="Runs")
    runs.focus()
    page.keyboard.press("Shift+F10")
    expect(items).to_have_text(["Compare", "Copy Id", "Open Notebook", *edits])
    page.keyboard.press("Escape")
    expect(runs).to_be_focused()
    page.keyboard.press("Shift+F10")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator(".jp-NotebookPanel:visible").wait_for()
    expect(page.locator(".lm-TabBar-tab.lm-mod-current").filter(has_text="digits.ipynb")).to_be_visible()


def test_the_selection_can_be_cleared(seeded: Lab, lab_page: LabPage) -> None:
    sidebar = lab_page.open(seeded).sidebar()
    lab_page.row("lr=0.1").click()
    lab_page.row("lr=0.01").click()
    expect(sidebar.get_by_text("2 selected")).to_be_visible()
    sidebar.get_by_role("button", name="Clear", exact=True).click()
    expect(sidebar.locator('[data-run-id][aria-selected="true"]')).to_have_count(0)
    expect(sidebar.get_by_role("button", name="Compare", exact=True)).to_be_disabled()


def test_a_missing_server_extension_is_said_in_a_sentence(lab_without_server: Lab, lab_page: LabPage) -> None:
    lab_page.expected.append("404")  # the browser itself notes the failed request
    sidebar = lab_page.open(lab_without_server).sidebar()
    expect(sidebar.get_by_text("jupyter server extension enable jupyter_ext")).to_be_visible()


def test_a_restarted_server_is_found_again(lab_without_server: Lab, lab_page: LabPage) -> None:
    """The feed's answers are made up here: what counts is that the panel recovers by itself."""
    lab_page.expected.append("404")
    lab_page.expected.append("50")
    page = lab_page.page
    page.route("**/trackside/api/info*", lambda route: route.fulfill(status=503, body="{}"))
    sidebar = lab_page.open(lab_without_server).sidebar()
    expect(sidebar.locator('[data-feed="waiting"]')).to_be_visible()
    page.unroute("**/trackside/api/info*")
    expect(sidebar.locator('[data-feed="refused"]')).to_be_visible(timeout=15_000)


def test_another_version_of_the_server_is_refused_in_a_sentence(
    lab_without_server: Lab, lab_page: LabPage
) -> None:
    answer = {"version": "9.0.0", "api": 9, "journal": 1, "data_dir": "", "read_only": False, "index": {}}
    lab_page.page.route("**/trackside/api/info*", lambda route: route.fulfill(json=answer))
    sidebar = lab_page.open(lab_without_server).sidebar()
    expect(sidebar.get_by_text("the server version 9")).to_be_visible()
