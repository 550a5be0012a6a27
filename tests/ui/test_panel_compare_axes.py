"""The axes of a comparison: what they show, how they are zoomed, what the pointer reads."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

X_AXIS, Y_AXIS = "select[data-axis=x]", "select[data-axis=y]"
SEED = """
import math
from kernel_magics import tracking
for name, lr in [("slow", 0.001), ("fast", 0.1)]:
    run = tracking.init(project="digits", name=name, config={"lr": lr})
    for step in range(30):
        run.log({"loss": math.exp(-step * lr) + lr, "acc": 1 - math.exp(-step * lr), "epoch": step / 10})
    run.finish()

spiky = tracking.init(project="digits", name="spiky", config={"lr": 9.0})
for step in range(20_000):
    value = 500.0 if step == 12_345 else float("nan") if step == 777 else 1 + 0.1 * math.sin(step / 50)
    spiky.log({"norm": value})
spiky.finish()
"""


@pytest.fixture(scope="module")
def seeded(lab: Lab) -> Lab:
    lab.python(SEED)
    return lab


def test_hovering_tells_value_step_run_and_points_behind(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("spiky")
    chart = lab_page.chart("norm", lines=1)
    box = chart.locator(".jp-trackside-plot").bounding_box()
    lab_page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = chart.locator(".jp-trackside-tip")
    expect(tip).to_contain_text("step ")
    expect(tip).to_contain_text("spiky")
    expect(tip).to_contain_text("points: min")
    lab_page.page.mouse.move(5, 5)
    expect(tip).to_be_hidden()


def test_the_crosshair_stands_at_the_same_step_in_every_chart(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("slow", "fast")
    loss, acc = lab_page.chart("loss", lines=2), lab_page.chart("acc", lines=2)
    box = loss.locator(".jp-trackside-plot").bounding_box()
    lab_page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(loss.locator(".jp-trackside-crosshair")).to_be_visible()
    expect(acc.locator(".jp-trackside-crosshair")).to_be_visible()
    expect(acc.locator(".jp-trackside-tip")).to_be_hidden()


def test_zooming_brings_every_point_and_a_double_click_everything(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("spiky")
    chart = lab_page.chart("norm", lines=1)
    whole = chart.evaluate("node => node.trackside.view()")
    box = chart.locator(".jp-trackside-plot").bounding_box()
    page, middle = lab_page.page, box["y"] + box["height"] / 2

    def zoom(start: float, stop: float) -> None:
        """Drags over a part of the chart, from and to in shares of its width."""
        before = chart.evaluate("node => node.trackside.view()")
        page.mouse.move(box["x"] + start * box["width"], middle)
        page.mouse.down()
        page.mouse.move(box["x"] + stop * box["width"], middle, steps=4)
        page.mouse.up()
        page.wait_for_function(
            "old => { const v = document.querySelector('[data-metric=norm]').trackside.view();"
            " return v.end - v.start < (old.end - old.start) / 3 }",
            arg=before,
        )

    zoom(0.5, 0.65)
    zoom(0.5, 0.6)
    raw = "() => { const [l] = document.querySelector('[data-metric=norm]').trackside.drawn();"
    page.wait_for_function(raw + " return l.low.length === 0 && l.x.length > 50 && l.x[1] - l.x[0] === 1 }")
    page.mouse.dblclick(box["x"] + box["width"] / 2, middle)
    page.wait_for_function(raw + " return l.low.length > 0 && l.x.at(-1) === 19999 }")
    assert chart.evaluate("node => node.trackside.view()") == whole


def test_the_x_axis_can_be_time_and_the_y_axis_logarithmic(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("slow", "fast")
    lab_page.chart("loss", lines=2)
    page = lab_page.page
    page.locator(X_AXIS).select_option("relative")
    last_x = "document.querySelector('[data-metric=loss]').trackside.drawn().map(l => l.x.at(-1))"
    both = f"() => {{ const x = {last_x}; return x.length === 2 && x.every(IS) }}"
    page.wait_for_function(both.replace("IS", "v => v > 0 && v < 20"))
    page.locator(X_AXIS).select_option("time")
    page.wait_for_function(both.replace("IS", "v => v > 1e9"))
    page.locator(Y_AXIS).select_option("log")
    assert set(lab_page.drawn(lab_page.chart("loss", lines=2))) == {"slow", "fast"}


def test_a_spike_among_thousands_of_points_is_in_the_picture(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("spiky")
    chart = lab_page.chart("norm", lines=1)
    line = lab_page.drawn(chart)["spiky"]
    assert len(line["x"]) < 4000, "the server reduced it to the chart's width"
    assert max(line["high"]) == 500.0
    assert len(line["marks"]) == 1, "one NaN, one mark"


def test_any_metric_can_be_the_x_axis_and_a_zoom_is_in_its_unit(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("slow", "fast")
    lab_page.chart("loss", lines=2)
    page = lab_page.page
    page.locator(X_AXIS).select_option("epoch")
    lines = "document.querySelector('[data-metric=loss]').trackside.drawn()"
    page.wait_for_function(f"() => {{ const l = {lines}; return l.length === 2 && l[0].x.at(-1) === 2.9 }}")
    drawn = lab_page.drawn(lab_page.chart("loss", lines=2))
    assert drawn["fast"]["x"] == [step / 10 for step in range(30)]
    chart = lab_page.chart("acc", lines=2)
    box = chart.locator(".jp-trackside-plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(chart.locator(".jp-trackside-tipTitle")).to_contain_text("epoch 1.")


def test_a_metric_on_the_x_axis_that_a_run_lacks_is_said_in_the_chart(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.expected.append("400")
    lab_page.open(seeded).sidebar()
    lab_page.compare("slow", "spiky")
    lab_page.chart("loss", lines=1)
    lab_page.page.locator(X_AXIS).select_option("epoch")
    norm = lab_page.page.locator(".jp-trackside-compare:visible [data-metric=norm]")
    expect(norm).to_contain_text("none of these runs has 'epoch'")
    lab_page.page.locator(X_AXIS).select_option("step")
    lab_page.chart("norm", lines=1)
    expect(norm).not_to_contain_text("none of these runs")
