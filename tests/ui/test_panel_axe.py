"""Nothing keeps out a person who uses a keyboard, a screen reader or little contrast (axe-core)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.ui.test_panel_compare_report import save

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

AXE = Path(__file__).parents[2] / "labextension" / "node_modules" / "axe-core" / "axe.min.js"
FINDINGS = """
async include => {
  const results = await axe.run({ include }, { resultTypes: ['violations'] });
  return results.violations
    .filter(violation => ['serious', 'critical'].includes(violation.impact))
    .flatMap(({ id, nodes }) => nodes.map(node => `${id}: ${node.target.join(' ')} ${node.failureSummary}`)) }
"""

SEED = """
import json
from kernel_magics import tracking
for name, lr in [("slow", 0.001), ("fast", 0.1)]:
    facts = {"source": f"%%track {name}\\nlr = {lr}\\ntrain()", "packages": {"torch": f"2.{int(lr * 10)}"}}
    run = tracking.init(project="digits", name=name, config={"lr": lr}, tags=["a"], facts=facts)
    run.record_cell({"key": "c1", "execution_count": 3, "source": "train()", "name": name})
    for step in range(30):
        run.log({"train/loss": lr + step, "val/acc": step}, step=step)
    run.log_inferred({"guess": lr}, step=1)
    run.record_output("c1", "stream", json.dumps({"name": "stdout", "text": "trained"}).encode())
    run.finish()
try:
    broken = tracking.init(project="digits", name="broken")
    raise ValueError("no such digit")
except ValueError as error:
    broken.finish("failed", error)
"""


@pytest.fixture(scope="module")
def seeded(lab: Lab) -> Lab:
    lab.python(SEED)
    return lab


def findings(lab_page: LabPage, *include: str) -> list[str]:
    """Serious and critical ones, each as rule, element and explanation."""
    if not AXE.exists():
        pytest.skip("axe-core is not there: cd labextension && npm ci")
    lab_page.page.evaluate(AXE.read_text())
    found: list[str] = lab_page.page.evaluate(FINDINGS, [[one] for one in include])
    return found


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_sidebar_and_comparison_have_no_serious_finding(seeded: Lab, lab_page: LabPage, theme: str) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.theme(theme)
    lab_page.row("broken").click()
    view = lab_page.compare("slow", "fast")
    lab_page.chart("train/loss", lines=2)
    view.evaluate("node => node.scrollTo(0, 1e6)")
    expect(view.locator(".jp-trackside-outputCell").nth(1)).to_contain_text("trained")
    view.evaluate("node => node.scrollTo(0, 0)")
    found = findings(lab_page, "#trackside-sidebar", ".jp-MainAreaWidget:has(.jp-trackside-compare)")
    assert not found, "\n".join(found)
    lab_page.theme("JupyterLab Light")  # the theme is the server's setting, and stays for the next test


RICH = """
import numpy as np
import kernel_magics as km
from kernel_magics import tracking
for seed in range(4):
    facts = {"price": {"usd_per_hour": 3600.0}} if seed == 0 else {}
    run = km.init(project="rich", name=f"seed {seed}", config={"lr": 0.1 * (seed % 2 + 1)}, facts=facts)
    for step in range(20):
        run.log({"train/loss": seed + 1 / (step + 1)}, step=step)
        if step % 5 == 0:
            image = km.Image(np.full((8, 8, 3), step * 10, np.uint8), f"seed {seed} at {step}")
            table = km.Table(["digit", "count"], [[step, seed]])
            run.log({"sample": image, "spread": km.Histogram([0.0, 1.0, step]), "errors": table}, step=step)
        run.record_system({"system/gpu0/use": 40.0 + step, "system/cpu": 10.0}, {"system/gpu0/use": "%"})
    run.record_event("gpu-fault", "error", "Xid 79")
    run.finish()
"""


@pytest.fixture(scope="module")
def rich(lab: Lab) -> Lab:
    lab.python(RICH)
    return lab


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_charts_apart_media_and_one_chart_that_fills_the_page_have_no_serious_finding(
    rich: Lab, lab_page: LabPage, theme: str
) -> None:
    page = lab_page.page
    # The whole toolbar: JupyterLab's own button for what does not fit has an attribute that axe finds.
    page.set_viewport_size({"width": 2000, "height": 900})
    lab_page.open(rich).sidebar()
    lab_page.theme(theme)
    ids = [lab_page.row(f"seed {seed}").get_attribute("data-run-id") for seed in range(4)]
    state = {"runs": ids, "baseline": ids[0], "apart": True, "notes": "All agree."}
    lab_page.command("trackside:open-compare", state)
    view = page.locator(".jp-trackside-compare:visible")
    lab_page.chart("train/loss", lines=4)
    area = ".jp-MainAreaWidget:has(.jp-trackside-compare)"
    found = findings(lab_page, area)
    lab_page.chart("system/gpu0/use", lines=4)
    found += findings(lab_page, area)
    for part in ("events", "media"):
        view.locator(f"[data-section={part}]").scroll_into_view_if_needed()
        expect(view.locator(f"[data-section={part}] td").first).to_be_visible()
        found += findings(lab_page, area)
    view.evaluate("node => node.scrollTo(0, 0)")
    page.locator("select[data-axis=group]").select_option("config.lr")
    lab_page.chart("train/loss", lines=2)
    found += findings(lab_page, area)
    chart = lab_page.chart("train/loss", lines=2)
    chart.get_by_role("button", name="More of").click()
    page.get_by_role("menuitem", name="Full Screen").click()
    expect(page.get_by_role("dialog", name="train/loss").locator("canvas").first).to_be_visible()
    found += findings(lab_page, "dialog, [role=dialog]")
    page.keyboard.press("Escape")
    assert not found, "\n".join(found)
    lab_page.theme("JupyterLab Light")  # the theme is the server's setting, and stays for the next test


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_has_no_serious_finding(rich: Lab, lab_page: LabPage, browser: Browser, scheme: str) -> None:
    lab_page.page.set_viewport_size({"width": 2000, "height": 900})  # the whole toolbar is seen
    lab_page.open(rich).sidebar()
    ids = [lab_page.row(f"seed {seed}").get_attribute("data-run-id") for seed in range(4)]
    state = {"runs": ids, "baseline": ids[0], "groupBy": "config.lr", "notes": "All agree."}
    lab_page.command("trackside:open-compare", state)
    lab_page.chart("train/loss", lines=2)
    file = save(lab_page, "Save as One Page (HTML)")
    context = browser.new_context(color_scheme=scheme)
    try:
        report = lab_page.__class__(context.new_page())
        report.page.goto(file.as_uri())
        report.page.wait_for_function("() => window.Bokeh && Bokeh.documents.length > 0")
        expect(report.page.locator("section.media img:visible").first).to_be_visible()
        found = findings(report, "body")
        assert not found, "\n".join(found)
        assert report.unexpected() == []
    finally:
        context.close()
