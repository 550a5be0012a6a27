"""The run table: filter, columns, order, groups, choosing, edits with undo, saved views, a reload."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

AXE = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
FINDINGS = """
async () => (await axe.run('.jp-trackside-runTable')).violations
  .filter(one => ['serious', 'critical'].includes(one.impact))
  .flatMap(one => one.nodes.map(node => `${one.id}: ${node.target.join(' ')}`))
"""
HOSTILE = '<img src=x onerror="window.hacked=1">'
SEED = f"""
from kernel_magics import tracking
for number in range(12):
    name = {HOSTILE!r} if number == 11 else f"run {{number}}"
    config = {{"lr": 10.0 ** -(number % 4), "opt": {{"name": "adam" if number % 3 else "sgd"}}}}
    run = tracking.init(project="digits", name=name, config=config, tags=["baseline"] if number == 3 else [])
    for step in range(1, 4):
        run.log({{"loss": number / step, "acc": step / 3}})
    run.finish()
"""


@pytest.fixture(scope="module")
def seeded(lab: Lab) -> Lab:
    """For tests that put back what they change."""
    lab.python(SEED)
    return lab


@pytest.fixture
def own(fresh_lab: Lab) -> Lab:
    fresh_lab.python(SEED)
    return fresh_lab


class Table:
    """The run table of a page."""

    def __init__(self, lab_page: LabPage) -> None:
        self.page = lab_page.page
        self.node = self.page.locator(".jp-trackside-runTable")
        self.rows = self.node.locator("[data-run-id]")
        self.filter = self.node.get_by_role("combobox", name="Filter runs")

    def names(self) -> list[str]:
        return [text.strip() for text in self.node.locator(".jp-trackside-nameCell").all_text_contents()]

    def row(self, name: str) -> Locator:
        exact = self.page.get_by_text(name, exact=True)
        return self.rows.filter(has=self.page.locator(".jp-trackside-nameCell").filter(has=exact))

    def head(self, column: str) -> Locator:
        return self.node.locator(f'.jp-trackside-headCell[data-column="{column}"]')

    def group_by(self, name: str) -> None:
        choice = self.node.get_by_label("Group runs by")
        choice.hover()
        choice.select_option(name)

    def edit(self, action: str) -> None:
        self.node.get_by_role("button", name="Edit").click()
        self.page.locator(".lm-Menu-item").get_by_text(action, exact=True).click()

    def say(self, text: str, button: str = "OK") -> None:
        dialog = self.page.locator(".jp-Dialog")
        dialog.locator("input, textarea").last.fill(text)
        dialog.get_by_role("button", name=button).click()


def opened(lab: Lab, lab_page: LabPage, reset: bool = True) -> Table:
    lab_page.open(lab, reset=reset)
    table = Table(lab_page)
    if reset:
        lab_page.command("trackside:open-table")
    expect(table.rows.first).to_be_visible()
    return table


def stored(lab: Lab) -> dict[str, dict[str, Any]]:
    """The runs as the server has them, by name."""
    request = urllib.request.Request(
        f"{lab.url}/trackside/api/runs", headers={"Authorization": f"token {lab.token}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return {run["name"]: run for run in json.load(answer)["runs"]}


def test_a_filter_is_typed_completed_and_a_mistake_leaves_the_last_result(
    seeded: Lab, lab_page: LabPage
) -> None:
    table = opened(seeded, lab_page)
    expect(table.rows).to_have_count(12)
    table.filter.press_sequentially("config.l")
    expect(table.rows).to_have_count(12)  # the beginning of a field's name hides nothing
    expect(table.node.get_by_role("option", name="config.lr", exact=True)).to_be_visible()
    table.filter.press("ArrowDown")
    table.filter.press("Enter")
    expect(table.filter).to_have_value("config.lr ")
    table.filter.press_sequentially("< 0.05 and loss.last < 3")
    expect(table.rows).to_have_count(4)
    table.filter.fill("config.lr < 0.05 and status = finnished")
    said = table.node.locator(".jp-trackside-filterMistake")
    expect(said).to_contain_text("at character 31: there is no status `finnished`. Try: status = finished")
    expect(said).to_contain_text("Until then the runs are those of config.lr < 0.05 and loss.last < 3")
    expect(table.rows).to_have_count(4)
    grid = table.node.locator(".jp-trackside-runGrid")
    expect(grid).to_have_css("filter", "grayscale(1)")
    table.filter.fill("config.lrr < 1")
    expect(said).to_contain_text("No run has config.lrr")
    expect(grid).to_have_count(0)
    table.filter.fill("baseline in tags or name = 'run 7'")
    expect(table.rows).to_have_count(2)
    expect(said).to_have_count(0)
    expect(grid).to_have_css("filter", "none")


def test_columns_are_sorted_resized_moved_chosen_and_stay(seeded: Lab, lab_page: LabPage) -> None:
    table = opened(seeded, lab_page)
    table.head("loss.last").get_by_role("button").click()
    assert table.names()[:2] == ["run 0", "run 1"]
    table.head("loss.last").get_by_role("button").click()
    assert table.names()[:2] == [HOSTILE, "run 10"]
    expect(table.head("loss.last")).to_have_attribute("aria-sort", "descending")
    handle = table.head("status").locator(".jp-trackside-resize")
    handle.hover()
    box = handle.bounding_box()
    table.page.mouse.down()
    table.page.mouse.move(box["x"] + 64, box["y"] + 5, steps=4)
    table.page.mouse.up()
    wide = table.head("status").bounding_box()["width"]
    assert 150 <= wide <= 170
    table.head("loss.last").get_by_role("button").hover()
    table.page.mouse.down()
    target = table.head("status").bounding_box()
    table.page.mouse.move(target["x"] + 10, target["y"] + 5, steps=8)
    table.page.mouse.up()
    heads = "nodes => nodes.map(node => node.dataset.column)"
    columns = table.node.locator(".jp-trackside-headCell").evaluate_all(heads)
    assert columns[:3] == ["name", "loss.last", "status"]
    expect(table.head("loss.last")).to_have_attribute("aria-sort", "descending")  # a drag does not sort
    table.node.get_by_role("button", name="Columns").click()
    table.node.get_by_label("Search columns").fill("loss.min")
    table.node.get_by_label("loss.min", exact=True).check()
    table.node.get_by_role("button", name="Done").click()
    expect(table.row("run 9").locator('[data-column="loss.min"]')).to_have_text("3")
    lab_page.page.wait_for_timeout(1500)  # JupyterLab keeps its layout a second after it has changed
    again = opened(seeded, lab_page, reset=False)
    assert again.node.locator(".jp-trackside-headCell").evaluate_all(heads)[:3] == columns[:3]
    assert again.head("status").bounding_box()["width"] == wide
    assert again.names()[0] == HOSTILE
    assert lab_page.page.evaluate("window.hacked") is None


def test_runs_are_grouped_counted_and_folded(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar().get_by_role("button", name="Table").click()
    table = Table(lab_page)
    table.group_by("config.opt.name")
    groups = table.node.locator("[data-group]")
    expect(groups).to_have_count(2)
    expect(groups.nth(0)).to_contain_text("adam")
    expect(groups.nth(0)).to_contain_text("8")
    groups.nth(0).click()
    expect(table.rows).to_have_count(4)
    expect(groups.nth(0)).to_have_attribute("aria-expanded", "false")
    table.node.get_by_role("treegrid").focus()
    table.page.keyboard.press("ArrowRight")
    expect(table.rows).to_have_count(12)


def test_runs_are_chosen_by_mouse_and_keyboard_and_compared(seeded: Lab, lab_page: LabPage) -> None:
    table = opened(seeded, lab_page)
    chosen = table.node.locator('[aria-selected="true"][data-run-id]')
    table.row("run 5").click()
    table.row("run 2").click(modifiers=["Shift"])
    expect(chosen).to_have_count(4)
    table.row("run 3").click(modifiers=["Control"])
    expect(chosen).to_have_count(3)
    table.row("run 8").locator("[data-tick]").click()
    expect(chosen).to_have_count(4)
    table.page.keyboard.press("Escape")
    expect(chosen).to_have_count(0)
    table.page.keyboard.press("Home")
    table.page.keyboard.press("ArrowDown")
    table.page.keyboard.press("Shift+ArrowDown")
    expect(chosen).to_have_count(2)
    expect(table.node.get_by_text("2 selected")).to_be_visible()
    table.page.keyboard.press("Enter")
    expect(lab_page.page.locator(".jp-trackside-compare:visible")).to_be_visible()
    expect(lab_page.page.locator(".jp-trackside-compare:visible .jp-trackside-chip")).to_have_count(2)


def test_edits_are_shown_at_once_and_are_on_the_record(own: Lab, lab_page: LabPage) -> None:
    table = opened(own, lab_page)
    table.row("run 4").click()
    table.page.keyboard.press("F2")
    table.say("best of all")
    expect(table.row("best of all")).to_be_visible()
    table.row("run 5").click(modifiers=["Control"])
    table.edit("Tags…")
    table.say("sweep, keep")
    expect(table.row("run 5").locator('[data-column="tags"]')).to_have_text("sweepkeep")
    table.edit("Pin")
    expect(table.rows.nth(0)).to_contain_text("run 5")
    expect(table.rows.nth(1)).to_contain_text("best of all")
    table.row("run 6").click()
    table.edit("Notes…")
    table.say("too slow\nsee above", "Save")
    table.edit("Colour…")
    table.page.locator(".jp-trackside-styles input").nth(9).check()
    table.page.locator(".jp-Dialog").get_by_role("button", name="OK").click()
    expect(table.row("run 6").locator(".jp-trackside-swatch line")).to_have_attribute("stroke", "#e8710a")
    table.row("run 7").click()
    table.edit("Archive")
    expect(table.rows).to_have_count(11)
    table.node.get_by_label("Archived").check()
    expect(table.rows).to_have_count(12)

    lab_page.open(own, reset=False)  # once more from the server
    lab_page.command("trackside:open-table")
    expect(table.rows.first).to_be_visible()
    runs = stored(own)
    assert runs["run 7"]["archived"]
    assert runs["best of all"]["tags"] == ["sweep", "keep"]
    assert (runs["run 5"]["pinned"], runs["run 6"]["notes"]) == (True, "too slow\nsee above")
    assert runs["run 6"]["colour"] == 9


def test_a_deleted_run_comes_back_by_undo(seeded: Lab, lab_page: LabPage) -> None:
    table = opened(seeded, lab_page)
    table.row("run 4").click()
    table.page.keyboard.press("Delete")
    expect(table.rows).to_have_count(11)
    expect(table.page.get_by_text("run 4 is in the trash.")).to_be_visible()
    table.page.get_by_role("button", name="Undo").click()
    expect(table.row("run 4")).to_be_visible()


def test_a_view_is_saved_and_says_when_a_run_of_it_is_deleted(own: Lab, lab_page: LabPage) -> None:
    table = opened(own, lab_page)
    table.filter.fill("config.lr >= 0.1")
    table.group_by("config.opt.name")
    table.row("run 4").click()
    table.row("run 5").click(modifiers=["Control"])
    table.node.get_by_role("button", name="Views").click()
    table.page.locator(".lm-Menu-item").get_by_text("Save This View…").click()
    table.say("high rates")
    expect(table.node.get_by_role("button", name="View: high rates")).to_be_visible()
    table.filter.fill("")
    table.group_by("")
    table.row("run 4").click()
    table.page.keyboard.press("Delete")
    expect(table.rows).to_have_count(11)
    lab_page.sidebar().get_by_role("button", name="Views").click()
    table.page.locator(".lm-Menu-item").get_by_text("high rates").click()
    expect(table.filter).to_have_value("config.lr >= 0.1")
    expect(table.node.locator("[data-group]")).to_have_count(2)
    expect(table.node.locator('[aria-selected="true"][data-run-id]')).to_have_count(1)
    lab_page.expected.append("404 (Not Found)")  # it was asked for, and is not there
    expect(table.page.get_by_text("A run that “high rates” had chosen is deleted.")).to_be_visible()


def test_who_may_only_read_sees_nothing_to_write_with(seeded: Lab, lab_page: LabPage) -> None:
    def read_only(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "read_only": True})

    lab_page.page.route("**/trackside/api/info*", read_only)
    table = opened(seeded, lab_page)
    table.row("run 4").click()
    expect(table.node.get_by_text("1 selected")).to_be_visible()
    expect(table.node.get_by_role("button", name="Edit")).to_have_count(0)
    table.page.keyboard.press("Delete")
    table.page.keyboard.press("F2")
    table.row("run 4").click(button="right")
    items = table.page.locator(".lm-Menu-item")
    expect(items.get_by_text("Compare")).to_be_visible()
    expect(items.get_by_text("Rename…")).to_have_count(0)
    table.page.keyboard.press("Escape")
    expect(table.page.locator(".jp-Dialog")).to_have_count(0)
    expect(table.rows).to_have_count(12)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_table_keeps_nobody_out(seeded: Lab, lab_page: LabPage, theme: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not there: cd labextension && npm ci")
    table = opened(seeded, lab_page)
    lab_page.theme(theme)
    table.group_by("config.opt.name")
    table.row("run 4").click()
    table.filter.fill("loss.last < nobody or config.l")
    expect(table.node.locator(".jp-trackside-filterMistake")).to_be_visible()
    expect(table.node.locator(".jp-trackside-runGrid")).to_have_css("filter", "grayscale(1)")
    table.page.evaluate(AXE.read_text())
    assert table.page.evaluate(FINDINGS) == []
