"""Results beside a baseline, and what happened to runs: on the charts and as a list."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

HOSTILE = "<img src=x onerror='window.hacked=1'><script>window.hacked=2</script>"
SEED = f"""
from kernel_magics import tracking
for name, rate in [("base", 1.0), ("better", 2.0), ("worse", 0.5)]:
    run = tracking.init(project="digits", name=name, config={{"rate": rate}})
    run.define_metric("loss", better="lower")
    for step in range(21):
        run.log({{"loss": 10 - rate * step / 5, "plain": rate}}, step=step)
        if name == "worse" and step == 10:
            run.record_event("gpu-fault", "error", "Xid 79 {HOSTILE}")
            run.record_event("note", "info", "only a note")
    run.finish("failed" if name == "worse" else "finished")
"""


@pytest.fixture(scope="module")
def seeded(lab: Lab) -> Lab:
    lab.python(SEED)
    return lab


def test_a_baseline_gives_differences_and_is_drawn_before_the_others(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("base", "better", "worse")
    lab_page.chart("loss", lines=3)
    last = view.locator("tbody[data-group=results] tr[data-key='loss last']")
    expect(last.locator("td").nth(1)).to_have_text("2 at 20")
    view.get_by_role("button", name="base is the baseline").click()
    expect(last.locator("td").nth(0)).to_have_text("6 at 20")
    expect(last.locator("td").nth(1)).to_contain_text("−4 (−66.7 %)")
    expect(last.locator("td").nth(1).locator("[data-judged=better]")).to_be_visible()
    expect(last.locator("td").nth(2)).to_contain_text("+2 (+33.3 %)")
    expect(last.locator("td").nth(2).locator("[data-judged=worse]")).to_be_visible()
    plain = view.locator("tr[data-key='plain last'] td").nth(1)
    expect(plain).to_contain_text("+1 (+100 %)")
    expect(plain.locator("[data-judged]")).to_have_count(0)
    least = view.locator("tr[data-key='loss min'] td").nth(1)
    expect(least.locator("b")).to_have_text("2")
    names = lab_page.chart("loss", lines=3).evaluate("n => n.trackside.drawn().map(line => line.name)")
    assert names[-1] == "base", "what is drawn last lies on top"


def test_what_happened_is_marked_on_every_chart_and_told_by_the_pointer(
    seeded: Lab, lab_page: LabPage
) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("base", "worse")
    page = lab_page.page
    chart, plain = lab_page.chart("loss", lines=2), lab_page.chart("plain", lines=2)
    for one in (chart, plain):
        page.wait_for_function(
            "node => JSON.stringify(node.trackside.marked()) === '[10,20]'", arg=one.element_handle()
        )
    box = chart.locator(".jp-trackside-plot").bounding_box()
    view_of = chart.evaluate("node => node.trackside.view()")
    inner = chart.evaluate("node => node.trackside.leftOf(10)")
    assert view_of["start"] < 10 < view_of["end"]
    page.mouse.move(box["x"] + inner, box["y"] + box["height"] / 2)
    tip = chart.locator(".jp-trackside-tipNote")
    expect(tip).to_contain_text("gpu-fault: Xid 79 <img src=x")
    expect(tip).to_contain_text("worse")
    page.mouse.move(box["x"] + inner + 30, box["y"] + box["height"] / 2)
    expect(tip).to_have_count(0)
    events = view.locator("[data-section=events]")
    expect(events.locator("tr[data-event]")).to_have_count(3)
    expect(events.locator("tr[data-event=note]")).to_contain_text("only a note")
    expect(events.locator("tr[data-event=run-failed] td").nth(1)).to_have_text("20")
    assert page.evaluate("window.hacked") is None


def test_an_events_place_follows_the_axis(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("worse")
    chart = lab_page.chart("loss", lines=1)
    lab_page.page.locator("select[data-axis=x]").select_option("time")
    lab_page.page.wait_for_function(
        """node => { const { marked, drawn } = node.trackside, [line] = drawn(), m = marked();
             return line && m.length === 2 && m[0] > line.x[0] && m[0] < line.x.at(-1) }""",
        arg=chart.element_handle(),
    )
    lab_page.page.locator("select[data-axis=x]").select_option("plain")
    lab_page.page.wait_for_function("n => n.trackside.marked().length === 0", arg=chart.element_handle())


def test_runs_to_which_nothing_happened_have_no_list(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("base", "better")
    lab_page.chart("loss", lines=2)
    expect(view.locator("tr[data-key='loss last']")).to_be_visible()
    expect(view.locator("[data-section=events]")).to_be_hidden()
