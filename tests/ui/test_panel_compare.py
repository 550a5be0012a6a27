"""The comparison: true lines, table, outputs; themed, restored."""

from __future__ import annotations

import math
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

X_AXIS = "select[data-axis=x]"
HOSTILE_HTML = (
    "<b>bold result</b><img src='data:image/png;base64,eA==' onerror='window.hacked=1'>"
    "<script>window.hacked=2</script>"
    "<a href='javascript:window.hacked=3'>link</a>"
)

SEED = f"""
import json, math, random
from kernel_magics import tracking

def output(run, kind, content):
    run.record_output("c1", kind, json.dumps(content).encode())

random.seed(7)
for name, lr in [("slow", 0.001), ("medium", 0.01), ("fast", 0.1)]:
    config = {{"lr": lr, "batch": 64, "opt": {{"name": "sgd"}}}}
    run = tracking.init(project="digits", name=name, config=config)
    run.record_cell({{"key": "c1", "cell_id": "abc", "execution_count": 3, "source": "%%track\\ntrain()",
                      "started": 1.0, "notebook": "n.ipynb", "name": name}})
    for step in range(30):
        run.log({{"loss": math.exp(-step * lr) + lr, "acc": 1 - math.exp(-step * lr)}})
    run.log_inferred({{"guess": lr}}, step=1)
    output(run, "stream", {{"name": "stdout", "text": f"trained {{name}}\\n"}})
    data = {{"text/html": {HOSTILE_HTML!r}, "text/plain": "bold"}}
    output(run, "display_data", {{"data": data, "metadata": {{}}}})
    run.finish()

both = tracking.init(project="digits", name="both")
for step in range(200):
    both.log({{"loss": 1 / (step + 1)}}, step=step)
for epoch in range(3):
    both.log_inferred({{"loss": 10.0 + epoch}}, step=epoch)
both.finish()

try:
    broken = tracking.init(project="digits", name="broken")
    broken.log({{"loss": 1.0}})
    raise ValueError("no such digit")
except ValueError as error:
    broken.finish("failed", error)
"""


@pytest.fixture(scope="module")
def seeded(lab: Lab) -> Lab:
    lab.python(SEED)
    return lab


def ink(chart: Locator) -> int:
    """How many pixels of the chart's canvases are painted."""
    return sum(
        canvas.evaluate(
            """node => { const c = node.getContext('2d'); if (!c || !node.width) return 0;
                         const d = c.getImageData(0, 0, node.width, node.height).data;
                         let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n }"""
        )
        for canvas in chart.locator("canvas").all()
    )


def test_three_runs_are_three_lines_of_one_chart_with_true_last_values(
    seeded: Lab, lab_page: LabPage
) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("slow", "medium", "fast")
    drawn = lab_page.drawn(lab_page.chart("loss", lines=3))
    expected = {
        name: math.exp(-29 * lr) + lr for name, lr in [("slow", 0.001), ("medium", 0.01), ("fast", 0.1)]
    }
    assert set(drawn) == set(expected)
    for name, value in expected.items():
        assert drawn[name]["y"][-1] == pytest.approx(value, rel=1e-12)
        assert drawn[name]["x"] == list(range(30))


def test_runs_have_different_colours_the_same_as_in_the_sidebar(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("slow", "medium", "fast")
    look = "node => node.getAttribute('stroke') + node.getAttribute('stroke-dasharray')"
    chips = view.locator(".jp-trackside-chip").all()
    looks = {chip.get_attribute("data-run-id"): chip.locator("line").evaluate(look) for chip in chips}
    assert len(set(looks.values())) == 3
    for run, seen in looks.items():
        row = lab_page.page.locator(f"#trackside-sidebar [data-run-id='{run}']")
        assert row.locator("line").evaluate(look) == seen


def test_an_inferred_metric_is_marked_inferred(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("slow")
    expect(lab_page.chart("guess", lines=1).get_by_text("inferred", exact=True)).to_be_visible()
    expect(lab_page.chart("loss", lines=1).get_by_text("inferred", exact=True)).to_have_count(0)


def test_an_inferred_metric_that_was_logged_as_well_is_a_chart_with_an_axis_of_its_own_when_asked_for(
    seeded: Lab, lab_page: LabPage
) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("both")
    lab_page.chart("loss", lines=1)
    expect(view.locator("[data-source=inferred]")).to_have_count(0)
    results = view.locator("tbody[data-group=results]")
    expect(results.locator("tr[data-key='loss last']")).to_be_visible()
    expect(results.locator("tr[data-key='loss (inferred) last']")).to_have_count(0)
    said = view.locator(".jp-trackside-repeated")
    expect(said).to_contain_text("Also read from output, and not shown again: loss.")
    said.get_by_role("button", name="Show them").click()
    expect(results.locator("tr[data-key='loss (inferred) last']")).to_be_visible()
    logged, inferred = (view.locator(f"[data-metric=loss][data-source={s}]") for s in ("logged", "inferred"))
    for chart in (logged, inferred):
        chart.scroll_into_view_if_needed()
        expect(chart).to_have_attribute("data-lines", "1")
    assert len(lab_page.drawn(logged)["both"]["y"]) == 200
    assert lab_page.drawn(inferred)["both"]["y"] == [10.0, 11.0, 12.0]
    span = "node => node.trackside.view().end"
    assert logged.evaluate(span) > 199
    assert inferred.evaluate(span) < 3
    expect(view.get_by_role("button", name="Read from output")).to_be_visible()


def test_metrics_that_cannot_be_read_are_said_and_read_later(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.expected.append("503")
    lab_page.open(seeded).sidebar()
    page, answers = lab_page.page, [0]

    def refuse(route: Any) -> None:
        answers[0] += 1
        route.fulfill(status=503, json={"message": "The index is being built.", "remedy": None})

    page.route("**/trackside/api/metrics*", refuse)
    view = lab_page.compare("slow")
    expect(view.get_by_text("The index is being built.")).to_be_visible()
    expect(page.locator("#trackside-sidebar [data-feed]")).to_have_count(0)
    page.unroute("**/trackside/api/metrics*")
    lab_page.chart("loss", lines=1)
    expect(view.get_by_text("The index is being built.")).to_have_count(0)


def test_the_table_marks_differences_and_can_show_only_them(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("slow", "fast")
    config = view.locator("tbody[data-group=config]")
    expect(config.locator("tr[data-key=lr]")).to_have_attribute("data-differs", "true")
    expect(config.locator("tr[data-key=lr] td")).to_have_text(["0.001", "0.1"])
    assert config.locator("tr[data-key=batch]").get_attribute("data-differs") is None
    view.get_by_label("Only differences").check()
    expect(config.locator("tr[data-key=batch]")).to_have_count(0)
    expect(config.locator("tr[data-key=lr]")).to_have_count(1)


def test_outputs_stand_side_by_side_and_run_no_script(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("slow", "fast")
    outputs = view.locator("[data-section=outputs]")
    outputs.scroll_into_view_if_needed()
    columns = outputs.locator(".jp-trackside-outputCell")
    expect(columns.nth(0)).to_contain_text("trained slow")
    expect(columns.nth(1)).to_contain_text("trained fast")
    expect(columns.nth(0).locator("b")).to_have_text("bold result")
    assert columns.locator("script").count() == 0
    assert columns.locator("[onerror]").count() == 0
    assert columns.locator("a[href^='javascript']").count() == 0
    assert lab_page.page.evaluate("window.hacked") is None


def test_a_failed_run_shows_its_traceback(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("broken")
    view.locator("[data-section=outputs]").scroll_into_view_if_needed()
    column = view.locator(".jp-trackside-outputCell")
    expect(column).to_contain_text("ValueError")
    expect(column).to_contain_text("no such digit")


def test_a_theme_switch_redraws_every_chart_on_screen(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("slow", "fast")
    chart = lab_page.chart("loss", lines=2)
    key = lab_page.page.locator(".jp-trackside-chip line").first
    light = key.get_attribute("stroke")
    before = chart.locator("canvas").first.element_handle()
    lab_page.theme("JupyterLab Dark")
    expect(key).not_to_have_attribute("stroke", light or "")
    lab_page.page.wait_for_function("node => !node.isConnected", arg=before)
    chart = lab_page.chart("loss", lines=2)
    assert ink(chart) > 1000
    assert set(lab_page.drawn(chart)) == {"slow", "fast"}
    lab_page.theme("JupyterLab Light")
    expect(key).to_have_attribute("stroke", light or "")


def test_a_reload_brings_the_view_back_with_runs_axis_and_folds(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("slow", "medium", "fast")
    lab_page.chart("loss", lines=3)
    lab_page.page.locator(X_AXIS).select_option("relative")
    view.get_by_role("button", name="Outputs").click()
    with lab_page.page.expect_response(lambda r: "/api/workspaces" in r.url and r.request.method == "PUT"):
        pass
    lab_page.open(seeded, reset=False)
    view = lab_page.page.locator(".jp-trackside-compare:visible")
    expect(view.locator(".jp-trackside-chip")).to_have_count(3)
    assert len(lab_page.drawn(lab_page.chart("loss", lines=3))) == 3
    expect(lab_page.page.locator(X_AXIS)).to_have_value("relative")
    expect(view.get_by_role("button", name="Outputs")).to_have_attribute("aria-expanded", "false")


@pytest.mark.parametrize("width", [700, 900, 1100, 1500])
def test_every_control_above_a_comparison_can_be_reached_however_narrow_it_is(
    seeded: Lab, lab_page: LabPage, width: int
) -> None:
    page = lab_page.page
    page.set_viewport_size({"width": width, "height": 700})
    lab_page.open(seeded).sidebar()
    lab_page.compare("slow", "fast")
    toolbar = page.locator(".jp-Toolbar").filter(has=page.locator("[data-axis=x]"))
    expect(toolbar.locator("[data-axis=y]")).to_be_visible()
    if width >= 900:
        expect(toolbar.get_by_role("button", name="Report")).to_be_visible()
    more = toolbar.locator(".jp-Toolbar-responsive-opener")
    assert toolbar.evaluate("node => node.scrollWidth <= node.clientWidth")
    search = page.get_by_role("searchbox", name="Search metrics")
    if not search.is_visible():
        more.click()
    for control in (search, page.get_by_label("Smoothing"), page.get_by_role("button", name="Layout")):
        expect(control).to_be_visible()
        box = control.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width
    search.fill("guess")
    expect(page.locator(".jp-trackside-compare [data-metric=guess]")).to_be_visible()
    expect(page.locator(".jp-trackside-compare [data-metric=loss]:visible")).to_have_count(0)
