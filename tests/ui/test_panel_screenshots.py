"""Pictures of the panel for the documentation, with real trainings on real data.

``TRACKSIDE_SCREENSHOTS=1`` writes them to ``docs/screenshots/``; otherwise they go to the test's own folder,
and what is checked is that the views fit: nothing overflows, also in a narrow sidebar.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

DOCS = Path(__file__).parents[2] / "docs" / "screenshots"

TRAIN = """
import json, sys, warnings
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from kernel_magics import tracking

warnings.filterwarnings("ignore")
data = load_digits()
x, y = data.data / 16, data.target
def train(name, lr, width, steps, wait=False):
    config = {"lr": lr, "width": width, "batch_size": 64, "optimizer": {"name": "adam", "beta1": 0.9}}
    source = f"%%track {name}\\nmodel = MLPClassifier({width}, learning_rate_init={lr})\\nfit(model, digits)"
    git = {"root": "/home/ann/digits", "commit": "4f2a9c1e07" * 4, "branch": "main", "dirty": False}
    facts = {"source": source, "git": git}
    run = tracking.init(project="digits", name=name, config=config, tags=["mlp"], facts=facts)
    run.record_cell({"key": "c", "cell_id": "c", "execution_count": 4, "source": source, "name": name})
    net = MLPClassifier((width,), learning_rate_init=lr, batch_size=64, random_state=0)
    rng = np.random.default_rng(0)
    for step in range(steps):
        pick = rng.integers(0, 1400, 64)
        net.partial_fit(x[pick], y[pick], classes=range(10))
        run.log({"train/loss": net.loss_})
        if step % 10 == 0:
            run.log({"val/accuracy": net.score(x[1400:], y[1400:])}, step=step)
            right = net.predict_proba(x[1400:])[range(397), y[1400:]]
            run.log({"val/loss": -np.log(right + 1e-9).mean()}, step=step)
    if wait:
        print("waiting", flush=True)
        sys.stdin.read()
    text = f"accuracy {net.score(x[1400:], y[1400:]):.3f}\\n"
    run.record_output("c", "stream", json.dumps({"name": "stdout", "text": text}).encode())
    run.finish()
"""

SEED = (
    TRAIN
    + """
train("lr=0.1", 0.1, 64, 300)
train("lr=0.03", 0.03, 64, 600)
train("lr=0.001", 0.001, 64, 600)
try:
    run = tracking.init(project="digits", name="lr=3", config={"lr": 3.0, "width": 64})
    run.log({"train/loss": float("inf")})
    raise FloatingPointError("loss is not finite at step 0")
except FloatingPointError as error:
    run.finish("failed", error)
train("lr=0.01 wide", 0.01, 256, 600)
train("lr=0.003", 0.003, 64, 600)
"""
)
LIVE = TRAIN + '\ntrain("lr=0.003 wide, second try", 0.003, 256, 250, wait=True)\n'


def picture(lab_page: LabPage, folder: Path, name: str) -> None:
    target = DOCS if os.environ.get("TRACKSIDE_SCREENSHOTS") else folder
    target.mkdir(parents=True, exist_ok=True)
    lab_page.page.mouse.move(700, 895)
    lab_page.page.screenshot(path=str(target / name), animations="disabled")


def overflowing(panel: Locator) -> list[str]:
    """Elements that stick out of the panel to the right, unless they clip or scroll themselves."""
    found: list[str] = panel.evaluate(
        """node => { const edge = node.getBoundingClientRect().right + 1;
             const clipped = e => { for (let p = e.parentElement; p && p !== node; p = p.parentElement)
               if (getComputedStyle(p).overflowX !== 'visible') return true; return false };
             return [...node.querySelectorAll('*')]
               .filter(e => e.getBoundingClientRect().right > edge && !clipped(e)).map(e => e.className) }"""
    )
    return found


@pytest.fixture(scope="module")
def trained(lab: Lab) -> Lab:
    lab.python(SEED)
    return lab


def test_the_sidebar_and_the_comparison_fit_and_look_right(
    trained: Lab, lab_page: LabPage, tmp_path: Path
) -> None:
    with trained.process(LIVE) as live:
        assert live.stdout.readline() == "waiting\n"
        sidebar = lab_page.open(trained).sidebar()
        expect(lab_page.row("lr=0.003 wide, second try")).to_contain_text("running")
        lab_page.row("lr=0.01 wide").click()
        picture(lab_page, tmp_path, "sidebar-light.png")
        assert overflowing(sidebar) == []
        lab_page.row("lr=0.01 wide").click()
        lab_page.compare("lr=0.003 wide, second try", "lr=0.003", "lr=0.01 wide", "lr=0.03", "lr=0.1")
        chart = lab_page.chart("train/loss", lines=5)
        lab_page.chart("val/loss", lines=5)
        lab_page.page.locator(".jp-trackside-legend").scroll_into_view_if_needed()
        box = chart.locator(".jp-trackside-plot").bounding_box()
        lab_page.page.mouse.move(box["x"] + 120, box["y"] + 90)
        expect(chart.locator(".jp-trackside-tip")).to_be_visible()
        target = DOCS if os.environ.get("TRACKSIDE_SCREENSHOTS") else tmp_path
        lab_page.page.screenshot(path=str(target / "compare-light.png"), animations="disabled")
        old = chart.locator("canvas").first.element_handle()
        lab_page.theme("JupyterLab Dark")
        lab_page.page.wait_for_function("node => !node.isConnected", arg=old)
        lab_page.chart("train/loss", lines=5)
        picture(lab_page, tmp_path, "compare-dark.png")
        view = lab_page.page.locator(".jp-trackside-compare")
        show = """(view, name) => {
            const part = view.querySelector(`[data-section=${name}]`);
            view.scrollTo(0, part.offsetTop - view.querySelector('.jp-trackside-legend').offsetHeight) }"""
        view.evaluate(show, "table")
        expect(view.locator("tr[data-key=lr] td")).to_have_count(5)
        picture(lab_page, tmp_path, "compare-details-dark.png")
        view.evaluate(show, "code")
        expect(view.locator("[data-section=code] ins").first).to_be_visible()
        view.evaluate(show, "code")
        picture(lab_page, tmp_path, "compare-code-dark.png")
        lab_page.theme("JupyterLab Light")  # the theme is the server's setting, and stays for the next test


def test_nothing_sticks_out_of_the_narrowest_sidebar(trained: Lab, lab_page: LabPage, tmp_path: Path) -> None:
    sidebar = lab_page.open(trained).sidebar()
    expect(lab_page.row("lr=0.003")).to_be_visible()
    handle = lab_page.page.locator("#jp-main-split-panel > .lm-SplitPanel-handle").first.bounding_box()
    lab_page.page.mouse.move(handle["x"] + 1, 400)
    lab_page.page.mouse.down()
    lab_page.page.mouse.move(220, 400, steps=5)
    lab_page.page.mouse.up()
    lab_page.row("lr=0.003").click()
    expect(sidebar.get_by_text("1 selected")).to_be_visible()
    assert overflowing(sidebar) == []
    picture(lab_page, tmp_path, "sidebar-narrow.png")


def test_the_table_and_groups_fit_and_look_right(trained: Lab, lab_page: LabPage, tmp_path: Path) -> None:
    page = lab_page.open(trained).page
    lab_page.command("trackside:open-table")
    table = page.locator(".jp-trackside-runTable")
    table.get_by_role("combobox", name="Filter runs").fill("train/loss.last < 1 or status = failed")
    expect(table.locator("[data-run-id]").filter(has_text="lr=3")).to_be_visible()
    table.locator("[data-run-id]").filter(has_text="lr=0.03").click()
    assert overflowing(table) == []
    picture(lab_page, tmp_path, "table-light.png")
    lab_page.sidebar()
    lab_page.compare("lr=0.003", "lr=0.01 wide", "lr=0.1", "lr=0.001")  # and the one chosen in the table
    lab_page.chart("train/loss", lines=5)
    page.locator("select[data-axis=group]").select_option("config.width")
    lab_page.chart("train/loss", lines=2)
    lab_page.chart("val/loss", lines=2)
    picture(lab_page, tmp_path, "compare-groups-light.png")
