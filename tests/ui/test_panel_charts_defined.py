"""What `define_metric` says is what the chart shows: its x axis, its unit, which value is best."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

SEED = """
from kernel_magics import tracking
for name, worst in [("one", 8.0), ("two", 6.0)]:
    run = tracking.init(project="digits", name=name)
    run.define_metric("val/*", x="epoch", better="lower", unit="nat")
    for step in range(40):
        run.log({"loss": worst - step / 8})
        if step % 10 == 9:
            run.log({"val/loss": worst - step / 10 + (3 if step > 30 else 0), "epoch": (step + 1) / 10})
    run.finish()
other = tracking.init(project="digits", name="without epochs")
other.log({"loss": -1.0, "val/loss": 2.5})
other.finish()
"""


@pytest.fixture(scope="module")
def seeded(lab: Lab) -> Lab:
    lab.python(SEED)
    return lab


def test_a_metric_is_drawn_over_the_one_it_was_defined_over_until_somebody_chooses_another(
    seeded: Lab, lab_page: LabPage
) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("one", "two")
    validation, loss = lab_page.chart("val/loss", lines=2), lab_page.chart("loss", lines=2)
    assert lab_page.drawn(validation)["one"]["x"] == [1.0, 2.0, 3.0, 4.0], "epochs"
    assert lab_page.drawn(loss)["one"]["x"][:10] == list(range(10)), "steps"
    assert validation.evaluate("n => n.trackside.title()") == "epoch"
    page = lab_page.page
    box = loss.locator(".jp-trackside-plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(loss.locator(".jp-trackside-crosshair")).to_be_visible()
    expect(validation.locator(".jp-trackside-crosshair")).to_be_hidden()  # steps are no epochs
    page.locator("select[data-axis=x]").select_option("step")
    page.wait_for_function(
        "() => { const l = document.querySelector('[data-metric=\"val/loss\"]').trackside.drawn();"
        " return l.length === 2 && l[0].x.at(-1) === 43 }"
    )


def test_unit_and_direction_stand_in_the_heading_and_the_best_value_is_marked(
    seeded: Lab, lab_page: LabPage
) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("one", "two")
    chart = lab_page.chart("val/loss", lines=2)
    words = chart.locator(".jp-trackside-chartWords")
    expect(words).to_contain_text("nat")
    expect(words).to_contain_text("↓ 3.1 · two")
    assert chart.evaluate("n => n.trackside.best()") == {"x": 3.0, "y": pytest.approx(3.1)}
    assert lab_page.chart("loss", lines=2).evaluate("n => n.trackside.best()") is None


def test_what_has_no_place_in_a_chart_is_said_in_its_heading(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("one", "two", "without epochs")
    validation = lab_page.chart("val/loss", lines=2)
    expect(validation.locator(".jp-trackside-chartWords")).to_contain_text("1 run not drawn")
    loss = lab_page.chart("loss", lines=3)
    hidden = loss.locator("[data-kind=hidden]")
    expect(hidden).to_have_count(0)
    lab_page.page.locator("select[data-axis=y]").select_option("log")
    expect(hidden).to_contain_text("≤ 0 not drawn")
