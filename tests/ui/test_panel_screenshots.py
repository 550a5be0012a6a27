"""Pictures of the panel for the documentation, with real trainings on real data.

``TRACKSIDE_SCREENSHOTS=1`` writes them to ``docs/screenshots/``; otherwise they go to the test's own folder,
and what is checked is that the views fit: nothing overflows, also in a narrow sidebar.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.ui.test_panel_compare_report import save
from tests.waiting import wait_for

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

DOCS = Path(__file__).parents[2] / "docs" / "screenshots"

TRAIN = """
import base64, io, json, sys, warnings
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from sklearn.metrics import confusion_matrix
import kernel_magics as km
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
        if step % 60 == 0:
            guess = net.predict(x[1400:])
            worst = int(np.argmin(net.predict_proba(x[1400:])[range(397), y[1400:]]))
            digit = np.kron(data.images[1400 + worst] / 16, np.ones((12, 12)))
            run.log({"worst digit": km.Image(digit, f"{guess[worst]} for {y[1400 + worst]}"),
                     "weights": km.Histogram(net.coefs_[0].ravel(), bins=30)}, step=step)
    if wait:
        print("waiting", flush=True)
        sys.stdin.read()
    def show(cell, kind, content):
        run.record_output(cell, kind, json.dumps(content).encode())
    text = f"accuracy {net.score(x[1400:], y[1400:]):.3f}\\n"
    show("c", "stream", {"name": "stdout", "text": text})
    ask = "plt.imshow(confusion_matrix(truth, guess))"
    run.record_cell({"key": "m", "cell_id": "m", "execution_count": 5, "source": ask, "name": name})
    matrix, picture = confusion_matrix(y[1400:], net.predict(x[1400:])), io.BytesIO()
    figure, axes = plt.subplots(figsize=(2.6, 2.2), layout="constrained")
    figure.colorbar(axes.imshow(np.log1p(matrix)))
    axes.set(xlabel="guess", ylabel="truth", xticks=range(10), yticks=range(10))
    figure.savefig(picture, format="png", dpi=80)
    plt.close(figure)
    image = base64.b64encode(picture.getvalue()).decode()
    show("m", "display_data", {"data": {"image/png": image, "text/plain": "<Figure>"}, "metadata": {}})
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
        show_part(view, "table")
        expect(view.locator("tr[data-key=lr] td")).to_have_count(5)
        picture(lab_page, tmp_path, "compare-details-dark.png")
        show_part(view, "code")
        expect(view.locator("[data-section=code] ins").first).to_be_visible()
        show_part(view, "code")
        picture(lab_page, tmp_path, "compare-code-dark.png")
        lab_page.theme("JupyterLab Light")  # the theme is the server's setting, and stays for the next test


def show_part(view: Locator, name: str) -> Locator:
    """Scrolls to a part of a comparison, below the legend, until what comes on screen moves it no more."""
    part = view.locator(f"[data-section={name}]")
    top = """([view, part]) => { const legend = view.querySelector('.jp-trackside-legend').offsetHeight;
             view.scrollTo(0, part.offsetTop - legend); return part.offsetTop }"""
    both = [view.element_handle(), part.element_handle()]
    wait_for(lambda: view.page.evaluate(top, both) == view.page.evaluate(top, both), name)
    return part


def test_charts_apart_media_system_and_outputs_fit_and_look_right(
    trained: Lab, lab_page: LabPage, tmp_path: Path
) -> None:
    lab_page.open(trained).sidebar()
    view = lab_page.compare("lr=0.003", "lr=0.01 wide", "lr=0.03", "lr=0.1")
    lab_page.chart("train/loss", lines=4)
    show_part(view, "system")
    lab_page.chart("system/cpu_percent")
    lab_page.chart("system/memory_gib")
    lab_page.theme("JupyterLab Dark")
    lab_page.chart("system/cpu_percent")
    show_part(view, "system")
    picture(lab_page, tmp_path, "compare-system-dark.png")
    outputs = show_part(view, "outputs")
    expect(outputs.locator("img")).to_have_count(4)
    expect(view.locator("[data-section=media] [aria-busy=true]")).to_have_count(0)
    show_part(view, "outputs")
    picture(lab_page, tmp_path, "compare-outputs-dark.png")
    lab_page.theme("JupyterLab Light")  # the theme is the server's setting, and stays for the next test
    show_part(view, "outputs")
    assert overflowing(view) == []
    picture(lab_page, tmp_path, "compare-outputs-light.png")
    lab_page.page.set_viewport_size({"width": 900, "height": 700})
    show_part(view, "outputs")
    picture(lab_page, tmp_path, "compare-outputs-narrow.png")
    lab_page.page.set_viewport_size({"width": 1400, "height": 900})
    media = show_part(view, "media")
    media.get_by_role("slider", name="Step of what is shown").fill("2")
    expect(media.locator("tr[data-media='worst digit'] td").nth(3).locator("img")).to_be_visible()
    expect(media.locator("[aria-busy=true]")).to_have_count(0)
    picture(lab_page, tmp_path, "compare-media-light.png")
    view.evaluate("node => node.scrollTo(0, 0)")
    lab_page.page.get_by_role("button", name="Layout").click()
    lab_page.page.get_by_role("menuitem", name="One Plot per Run").click()
    chart = lab_page.chart("train/loss", lines=4)
    expect(chart.locator(".jp-trackside-multiple canvas")).not_to_have_count(0)
    chart.get_by_role("button", name="Size of train/loss").focus()
    for _ in range(2):
        lab_page.page.keyboard.press("ArrowRight")
    lab_page.chart("val/accuracy", lines=4)
    assert overflowing(view) == []
    view.evaluate("node => { node.focus(); node.scrollTo(0, 0) }")
    picture(lab_page, tmp_path, "compare-apart-light.png")


def test_a_report_looks_right(trained: Lab, lab_page: LabPage, browser: Browser, tmp_path: Path) -> None:
    lab_page.page.set_viewport_size({"width": 2000, "height": 900})  # the whole toolbar is seen
    lab_page.open(trained).sidebar()
    ids = [lab_page.row(name).get_attribute("data-run-id") for name in ("lr=0.003", "lr=0.03", "lr=0.1")]
    notes = "0.03 learns fastest and stays there; 0.1 forgets."
    lab_page.command("trackside:open-compare", {"runs": ids, "baseline": ids[0], "notes": notes})
    lab_page.chart("train/loss", lines=3)
    file = save(lab_page, "Save as One Page (HTML)")
    context = browser.new_context(viewport={"width": 1400, "height": 900}, color_scheme="light")
    try:
        page = context.new_page()
        page.goto(file.as_uri())
        page.wait_for_function("() => window.Bokeh && Bokeh.documents.length > 0")
        expect(page.locator(".chart canvas").first).to_be_visible()
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        target = DOCS if os.environ.get("TRACKSIDE_SCREENSHOTS") else tmp_path
        page.screenshot(path=str(target / "report-light.png"), animations="disabled")
    finally:
        context.close()


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
    lab_page.theme("JupyterLab Dark")
    picture(lab_page, tmp_path, "table-dark.png")
    lab_page.theme("JupyterLab Light")  # the theme is the server's setting, and stays for the next test
    lab_page.sidebar()
    lab_page.compare("lr=0.003", "lr=0.01 wide", "lr=0.1", "lr=0.001")  # and the one chosen in the table
    lab_page.chart("train/loss", lines=5)
    page.locator("select[data-axis=group]").select_option("config.width")
    lab_page.chart("train/loss", lines=2)
    lab_page.chart("val/loss", lines=2)
    picture(lab_page, tmp_path, "compare-groups-light.png")
