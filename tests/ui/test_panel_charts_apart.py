"""One plot a run, and charts of other sizes: what they share, what is drawn, what stays."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

SEED = """
from kernel_magics import tracking
for number in range(40):
    run = tracking.init(project="digits", name=f"run {number}", config={"odd": number % 2 == 1})
    for step in range(20):
        run.log({"loss": (number + 1) * (20.0 - step), "acc": step / 20}, step=step)
    run.finish()
"""


@pytest.fixture(scope="module")
def seeded(lab: Lab) -> Lab:
    lab.python(SEED)
    return lab


def layout(lab_page: LabPage, item: str) -> None:
    """Chooses from the comparison's menu of layouts."""
    lab_page.page.get_by_role("button", name="Layout", exact=True).click()
    lab_page.page.locator(".lm-Menu-itemLabel").get_by_text(item, exact=True).click()


def apart(lab_page: LabPage, runs: int) -> Locator:
    """One plot a run; the chart of the loss, once it knows its runs."""
    layout(lab_page, "One Plot per Run")
    # Others above it may have become too high for it to be on screen.
    lab_page.page.locator(
        ".jp-trackside-compare:visible [data-metric=loss].jp-mod-apart"
    ).scroll_into_view_if_needed()
    return lab_page.chart("loss", lines=runs)


def plot_of(chart: Locator, name: str) -> Locator:
    """The plot of one run, once it is drawn."""
    panel = chart.get_by_role("group", name=name, exact=True)
    panel.scroll_into_view_if_needed()
    expect(panel).to_have_attribute("data-lines", "1")
    panel.locator("canvas").first.wait_for()
    return panel


def open_runs(lab_page: LabPage, *names: str) -> Locator:
    """Opens the comparison by the runs' ids: a row that is scrolled away cannot be ticked."""
    ids = lab_page.page.evaluate(
        """async names => {
            const { serverSettings } = jupyterapp.serviceManager;
            const headers = { Authorization: `token ${serverSettings.token}` };
            const url = serverSettings.baseUrl + 'trackside/api/runs';
            for (;;) {
              const { runs } = await (await fetch(url, { headers })).json();
              const ids = new Map(runs.filter(r => r.status === 'finished').map(r => [r.name, r.id]));
              if (names.every(name => ids.has(name))) return names.map(name => ids.get(name));
              await new Promise(done => setTimeout(done, 100));
            } }""",
        list(names),
    )
    lab_page.command("trackside:open-compare", {"runs": ids})
    return lab_page.page.locator(".jp-trackside-compare:visible")


def test_each_run_has_a_plot_of_its_own_with_the_axes_of_all(seeded: Lab, lab_page: LabPage) -> None:
    page = lab_page.open(seeded).page
    open_runs(lab_page, "run 0", "run 9")
    lab_page.chart("loss", lines=2)
    chart = apart(lab_page, 2)
    low, high = plot_of(chart, "run 0"), plot_of(chart, "run 9")
    expect(chart.locator("canvas")).not_to_have_count(0)
    lines = chart.evaluate("n => n.trackside.drawn().map(l => [l.name, Math.max(...l.y)])")
    assert lines == [["run 0", 20.0], ["run 9", 200.0]]
    tops = "n => n.trackside.frames().map(f => [f.y.start, f.y.end, f.x.start, f.x.end])"
    first, second = chart.evaluate(tops)
    assert first == second, "the same axes"
    assert first[1] >= 200, "as high as the highest of all"
    box = low.locator(".jp-trackside-plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for panel in (low, high):
        expect(panel.locator(".jp-trackside-crosshair")).to_be_visible()
        expect(panel.locator(".jp-trackside-multipleValue")).not_to_be_empty()
    layout(lab_page, "One Plot")
    chart = lab_page.chart("loss", lines=2)
    expect(chart.locator(".jp-trackside-multiple")).to_have_count(0)


def test_a_zoom_in_one_plot_is_a_zoom_in_all(seeded: Lab, lab_page: LabPage) -> None:
    page = lab_page.open(seeded).page
    open_runs(lab_page, "run 1", "run 2")
    chart = apart(lab_page, 2)
    panel = plot_of(chart, "run 1")
    plot_of(chart, "run 2")
    box = panel.locator(".jp-trackside-plot").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.5 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], middle, steps=4)
    page.mouse.up()
    page.wait_for_function(
        """() => { const frames = document.querySelector('[data-metric=loss]').trackside.frames();
             const [a, b] = frames.map(f => f.x.end - f.x.start);
             return frames.length === 2 && a < 12 && a === b && frames[0].y.end === frames[1].y.end }"""
    )


def test_of_many_runs_only_the_plots_on_screen_are_drawn(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded)
    names = [f"run {number}" for number in range(40)]
    open_runs(lab_page, *names)
    chart = apart(lab_page, 40)
    expect(chart.get_by_role("group")).to_have_count(40)
    drawn = chart.locator(".jp-trackside-multiple[data-lines]")
    plot_of(chart, "run 0")
    assert drawn.count() < 40
    plot_of(chart, "run 39")
    expect(chart.get_by_role("group", name="run 39", exact=True)).to_have_attribute("data-lines", "1")
    assert drawn.count() < 40


def test_groups_stand_apart_too_and_the_baseline_in_every_plot(seeded: Lab, lab_page: LabPage) -> None:
    page = lab_page.open(seeded).page
    view = open_runs(lab_page, "run 0", "run 1", "run 2", "run 3")
    apart(lab_page, 4)
    page.locator("select[data-axis=group]").select_option("config.odd")
    chart = lab_page.chart("loss", lines=2)
    plot_of(chart, "odd = true")
    plot_of(chart, "odd = false")
    page.locator("select[data-axis=group]").select_option("")
    chart = lab_page.chart("loss", lines=4)
    view.get_by_role("button", name="run 0 is the baseline").click()
    panel = chart.get_by_role("group", name="run 3", exact=True)
    expect(panel).to_have_attribute("data-lines", "2")


def test_a_picture_of_many_plots_has_those_off_screen_too(seeded: Lab, lab_page: LabPage) -> None:
    page = lab_page.open(seeded).page
    open_runs(lab_page, *(f"run {number}" for number in range(24)))
    chart = apart(lab_page, 24)
    plot_of(chart, "run 0")
    with page.expect_download() as saved:
        chart.get_by_role("button", name="More of").click()
        page.get_by_role("menuitem", name="Save as PNG").click()
    data = saved.value.path().read_bytes()
    height = int.from_bytes(data[20:24], "big")
    assert height > chart.locator(".jp-trackside-multiples").evaluate("n => n.clientHeight")
    assert chart.locator(".jp-trackside-multiple[data-lines]").count() < 24, "and they are not kept"


def test_a_chart_is_resized_by_its_corner_and_by_keys_and_stays_so(seeded: Lab, lab_page: LabPage) -> None:
    page = lab_page.open(seeded).page
    open_runs(lab_page, "run 0", "run 1")
    chart = lab_page.chart("loss", lines=2)
    plot = chart.locator(".jp-trackside-plot")
    corner = chart.get_by_role("button", name="Size of loss")
    before = plot.bounding_box()
    box = corner.bounding_box()
    page.mouse.move(box["x"] + 9, box["y"] + 9)
    page.mouse.down()
    page.mouse.move(box["x"] + 9 + before["width"], box["y"] + 109, steps=5)
    page.mouse.up()
    expect(plot).to_have_css("height", f"{before['height'] + 100:g}px")
    assert plot.bounding_box()["width"] > 1.8 * before["width"], "two columns"
    corner.focus()
    page.keyboard.press("ArrowUp")
    expect(plot).to_have_css("height", f"{before['height'] + 80:g}px")
    with page.expect_response(lambda r: "/api/workspaces" in r.url and r.request.method == "PUT"):
        page.keyboard.press("ArrowLeft")
    assert plot.bounding_box()["width"] == before["width"]
    lab_page.open(seeded, reset=False)
    chart = lab_page.chart("loss", lines=2)
    plot = chart.locator(".jp-trackside-plot")
    expect(plot).to_have_css("height", f"{before['height'] + 80:g}px")
    chart.get_by_role("button", name="Size of loss").press("Home")
    expect(plot).to_have_css("height", f"{before['height']:g}px")


def test_all_charts_are_as_large_as_chosen_and_new_ones_as_the_settings_say(
    seeded: Lab, lab_page: LabPage
) -> None:
    page = lab_page.open(seeded).page
    open_runs(lab_page, "run 0", "run 1")
    plot = lab_page.chart("loss", lines=2).locator(".jp-trackside-plot")
    usual = plot.evaluate("n => n.clientHeight")
    layout(lab_page, "Large Charts")
    page.wait_for_function("([n, h]) => n.clientHeight > h", arg=[plot.element_handle(), usual])
    layout(lab_page, "Small Charts")
    page.wait_for_function("([n, h]) => n.clientHeight < h", arg=[plot.element_handle(), usual])
    page.evaluate(
        """async () => { const { settings } = jupyterapp.serviceManager;
             await settings.save('trackside:plugin', JSON.stringify({ chartSize: 'large' })) }"""
    )
    lab_page.open(seeded)
    open_runs(lab_page, "run 3", "run 4")
    plot = lab_page.chart("loss", lines=2).locator(".jp-trackside-plot")
    assert plot.evaluate("n => n.clientHeight") > usual
    page.evaluate("async () => jupyterapp.serviceManager.settings.save('trackside:plugin', '{}')")
