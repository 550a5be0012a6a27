"""The code behind runs: sources, packages and repositories compared, all of it as text."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

HOSTILE = "<img src=x onerror='window.hacked=1'>"
SEED = f"""
from kernel_magics import tracking
body = [f"layer_{{i}} = Linear()" for i in range(12)]
def train(name, lr, torch, commit, extra=(), diff=""):
    lines = ["%%track " + name, f"lr = {{lr}}", *body, *extra, "fit()"]
    git = {{"root": "/r", "commit": commit, "branch": "main", "dirty": bool(diff), "diff": diff}}
    facts = {{"source": "\\n".join(lines), "packages": {{"numpy": "2.0", "torch": torch}}, "git": git}}
    run = tracking.init(project="digits", name=name, config={{"lr": lr}}, facts=facts)
    run.log({{"loss": lr}})
    return run
train("one", 0.1, "2.8", "a" * 40).finish()
train("two", 0.2, "2.9", "b" * 40, ["# {HOSTILE}"], "--- a/x.py\\n+++ b/x.py\\n-old\\n+{HOSTILE}\\n").finish()
third = train("three", 0.1, "2.8", "a" * 40)
third.record_facts({{"source_changed_from": {{"run": "earlier", "diff": "-lr = 0.3\\n+lr = 0.1"}}}})
third.finish()
"""


@pytest.fixture(scope="module")
def seeded(lab: Lab) -> Lab:
    lab.python(SEED)
    return lab


def test_sources_packages_and_commits_are_compared_as_text(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("one", "two", "three")
    code = view.locator("[data-section=code]")
    code.scroll_into_view_if_needed()
    two, three = code.locator("[data-source-diff]").all()
    expect(two.locator("del")).to_have_text(["%%track one", "lr = 0.1"])
    expect(two.locator("ins")).to_have_text(["%%track two", "lr = 0.2", f"# {HOSTILE}"])
    signs = two.locator("tr[data-kind=added] .jp-trackside-diffSign")
    expect(signs).to_have_text(["+", "+", "+"])
    expect(two.get_by_text("6 lines the same")).to_be_visible()
    expect(three.locator("ins")).to_have_text(["%%track three"])
    packages = code.locator("[data-code=packages]")
    expect(packages.locator("tbody tr")).to_have_count(1)
    expect(packages.locator("tr[data-key=torch] td")).to_have_text(["2.8", "2.9", "2.8"])
    git = code.locator("[data-code=git]")
    expect(git.get_by_text("a" * 10)).to_have_count(2)
    git.get_by_text("Changes that were not committed").click()
    expect(git.locator("[data-kind=added]")).to_have_text(f"+{HOSTILE}\n")
    assert code.locator("img").count() == 0
    assert lab_page.page.evaluate("window.hacked") is None


def test_the_baseline_can_be_another_run_and_sources_stand_side_by_side(
    seeded: Lab, lab_page: LabPage
) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("one", "two")
    code = view.locator("[data-section=code]")
    code.scroll_into_view_if_needed()
    code.get_by_label("Side by side").check()
    rows = code.locator("[data-source-diff] tr")
    changed = rows.filter(has=lab_page.page.get_by_text("lr = 0.1", exact=True))
    expect(changed.locator("del")).to_have_text("lr = 0.1")
    expect(changed.locator("ins")).to_have_text("lr = 0.2")
    code.get_by_label("Baseline").select_option(label="two")
    expect(changed.locator("del")).to_have_text("lr = 0.2")
    expect(changed.locator("ins")).to_have_text("lr = 0.1")


def test_a_run_by_itself_shows_what_changed_since_its_cell_ran_before(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    code = lab_page.compare("three").locator("[data-section=code]")
    code.scroll_into_view_if_needed()
    expect(code.get_by_text("Since the cell ran before")).to_be_visible()
    expect(code.locator("[data-kind=removed]")).to_have_text("-lr = 0.3\n")
