"""Runs in groups: a mean, a band around it, and a legend of groups."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage
Live = Any  # subprocess.Popen[str], with pipes

GROUP, BAND = "select[data-axis=group]", "select[data-axis=band]"
SEED = """
from kernel_magics import tracking
for lr in (0.1, 0.2):
    for seed in range(3):
        run = tracking.init(project="digits", name=f"{lr}/{seed}", config={"lr": lr, "seed": seed})
        for step in range(0, 20, 1 + seed):
            run.log({"loss": 10 * lr + step + seed}, step=step)
        run.finish()
"""
LIVE = """
import sys
from kernel_magics import tracking
run = tracking.init(project="digits", name="third", config={"lr": 0.1})
run.log({"loss": 100.0}, step=0)
for line in sys.stdin:
    run.log({"loss": float(line)}, step=1)
    print("logged", flush=True)
run.finish()
"""
NAMES = [f"{lr}/{seed}" for lr in (0.1, 0.2) for seed in range(3)]


@pytest.fixture(scope="module")
def seeded(lab: Lab) -> Lab:
    lab.python(SEED)
    return lab


def test_groups_are_means_with_a_band_and_a_legend_of_their_own(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare(*NAMES)
    lab_page.chart("loss", lines=6)
    page = lab_page.page
    assert "config.seed" in page.locator(GROUP).locator("option").all_text_contents()
    page.locator(GROUP).select_option("config.lr")
    chart = lab_page.chart("loss", lines=2)
    expect(view.locator(".jp-trackside-chip")).to_have_count(2)
    expect(view.locator("[data-group='lr = 0.1']")).to_contain_text("3 runs")
    line = lab_page.drawn(chart)["lr = 0.1"]
    assert line["x"] == [float(step) for step in range(20)]
    # Every run's line is `10 lr + step + seed`, wherever it has points: until step 18 all three count.
    assert line["y"][:19] == pytest.approx([2.0 + step for step in range(19)], rel=1e-12)
    assert (line["low"][0], line["high"][0]) == (1.0, 3.0)
    page.locator(BAND).select_option("std")
    page.wait_for_function(
        "() => { const [l] = document.querySelector('[data-metric=loss]').trackside.drawn();"
        " return l && l.low[0] === 1 && l.high[0] === 3 && l.low[19] === l.high[19] }"
    )
    page.locator(GROUP).select_option("")
    assert set(lab_page.drawn(lab_page.chart("loss", lines=6))) == set(NAMES)


def test_the_pointer_reads_of_how_many_runs_a_mean_is(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare(*NAMES)
    lab_page.chart("loss", lines=6)
    lab_page.page.locator(GROUP).select_option("config.lr")
    chart = lab_page.chart("loss", lines=2)
    box = chart.locator(".jp-trackside-plot").bounding_box()
    lab_page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = chart.locator(".jp-trackside-tip")
    expect(tip).to_contain_text("lr = 0.2")
    expect(tip).to_contain_text("± 1 of 3 runs")


def test_a_mean_moves_while_one_of_its_runs_trains(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    with seeded.process(LIVE) as live:
        lab_page.compare("0.1/0", "0.2/0", "third")
        lab_page.chart("loss", lines=3)
        lab_page.page.locator(GROUP).select_option("config.lr")
        chart = lab_page.chart("loss", lines=2)
        assert lab_page.drawn(chart)["lr = 0.1"]["y"][0] == pytest.approx((1.0 + 100.0) / 2)
        live.stdin.write("52\n")
        live.stdin.flush()
        assert live.stdout.readline() == "logged\n"
        lab_page.page.wait_for_function(
            "() => { const l = document.querySelector('[data-metric=loss]').trackside.drawn();"
            " return l.some(line => line.name === 'lr = 0.1' && line.y[1] === 27) }"
        )


def test_groups_come_back_after_a_reload(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare(*NAMES)
    lab_page.chart("loss", lines=6)
    with lab_page.page.expect_response(lambda r: "/api/workspaces" in r.url and r.request.method == "PUT"):
        lab_page.page.locator(GROUP).select_option("config.lr")
        lab_page.chart("loss", lines=2)
    lab_page.open(seeded, reset=False)
    assert set(lab_page.drawn(lab_page.chart("loss", lines=2))) == {"lr = 0.1", "lr = 0.2"}
    expect(lab_page.page.locator(GROUP)).to_have_value("config.lr")


def test_runs_that_cannot_be_grouped_say_why(lab: Lab, lab_page: LabPage) -> None:
    script = "import kernel_magics as km\nfor n in range(3): km.init(name=f'alone {n}', config={'seed': n})"
    lab.python(script)
    lab_page.open(lab).sidebar()
    lab_page.compare("alone 0", "alone 1")
    options = lab_page.page.locator("select[data-axis=group] option")
    expect(options).to_have_text(["Nothing", "Groups need three runs or more"])
    lab_page.compare("alone 2")
    expect(lab_page.page.locator("select[data-axis=group]:visible option")).to_have_text(
        ["Nothing", "No key, tag or group is shared by some of these runs and not by all"]
    )
