"""Nothing keeps out a person who uses a keyboard, a screen reader or little contrast (axe-core)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

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
