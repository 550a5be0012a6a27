"""Runs of one name are told apart where they are named; what a run cost is its own price times its time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

SEED = """
import json
from kernel_magics import tracking
PRICE = {"usd_per_hour": 36000.0, "as_of": "2026-09-20", "source": "price list coreweave"}
ids = {}
UNKNOWN = {"usd_per_hour": None}
runs = ("first", "again", {}), ("second", "again", {"price": UNKNOWN}), ("other", "other", {"price": PRICE})
for key, name, facts in runs:
    run = tracking.init(project="digits", name=name, facts=facts)
    run.log({"loss": 1.0}, step=0)
    run.log({"loss": 0.5}, step=1)
    run.record_event("watch-out", level="warning")
    run.finish()
    ids[key] = run.id
print(json.dumps(ids))
"""
LIVE = """
import sys
from kernel_magics import tracking
run = tracking.init(name="goes on", facts={"price": {"usd_per_hour": 36000.0}})
run.log({"loss": 1.0})
print(run.id, flush=True)
sys.stdin.read()
run.finish()
"""


@pytest.fixture(scope="module")
def ids(lab: Lab) -> dict[str, str]:
    made: dict[str, str] = json.loads(lab.python(SEED).splitlines()[-1])
    return made


def of(where: Locator, run: str) -> Locator:
    return where.locator(f"[data-run-id='{run}']")


def compare(lab_page: LabPage, *run_ids: str) -> Locator:
    lab_page.command("trackside:open-compare", {"runs": list(run_ids)})
    view: Locator = lab_page.page.locator(".jp-trackside-compare:visible")
    view.wait_for()
    return view


def test_runs_of_one_name_show_the_end_of_their_ids_in_sidebar_and_table(
    lab: Lab, ids: dict[str, str], lab_page: LabPage
) -> None:
    sidebar = lab_page.open(lab).sidebar()
    lab_page.command("trackside:open-table")
    table = lab_page.page.locator(".jp-trackside-runTable")
    for where in (sidebar, table):
        for key in ("first", "second"):
            expect(of(where, ids[key]).locator(".jp-trackside-shortId")).to_have_text(ids[key][-6:])
        expect(of(where, ids["other"])).to_be_visible()
        expect(of(where, ids["other"]).locator(".jp-trackside-shortId")).to_have_count(0)


def test_a_comparison_names_runs_of_one_name_by_the_end_of_their_ids(
    lab: Lab, ids: dict[str, str], lab_page: LabPage
) -> None:
    lab_page.open(lab)
    view = compare(lab_page, ids["first"], ids["second"], ids["other"])
    labels = [f"again ({ids['first'][-6:]})", f"again ({ids['second'][-6:]})", "other"]
    assert set(lab_page.drawn(lab_page.chart("loss", lines=3))) == set(labels)
    expect(view.locator(".jp-trackside-chipName")).to_have_text(labels)
    expect(view.locator("[data-section=table] thead th span")).to_have_text(labels)
    code = view.locator("[data-section=code]")
    code.scroll_into_view_if_needed()
    expect(code.get_by_label("Baseline").locator("option")).to_have_text(labels)
    events = view.locator("[data-section=events] [data-event=watch-out] td:nth-child(3)")
    assert {text.strip() for text in events.all_text_contents()} == set(labels)


def test_a_comparison_of_runs_with_names_of_their_own_shows_no_ids(
    lab: Lab, ids: dict[str, str], lab_page: LabPage
) -> None:
    lab_page.open(lab)
    view = compare(lab_page, ids["second"], ids["other"])
    expect(view.locator(".jp-trackside-chipName")).to_have_text(["again", "other"])


def test_the_cost_of_a_run_is_told_with_its_price_or_that_none_is_known(
    lab: Lab, ids: dict[str, str], lab_page: LabPage
) -> None:
    lab_page.open(lab)
    view = compare(lab_page, ids["first"], ids["second"], ids["other"])
    about = view.locator("[data-section=table] tbody[data-group=run]")
    cost = about.locator("tr[data-key=cost] td")
    expect(cost.nth(0)).to_have_text("")
    expect(cost.nth(1)).to_have_text("no price known")
    expect(cost.nth(2)).to_contain_text("$")
    expect(about.locator("tr[data-key=price] td").nth(2)).to_have_text(
        "≈ $36000.00/h, price list coreweave, 2026-09-20"
    )
    lab_page.command("trackside:open-table")
    table = lab_page.page.locator(".jp-trackside-runTable")
    table.get_by_role("button", name="Columns").click()
    table.get_by_role("checkbox", name="cost", exact=True).check()
    expect(of(table, ids["second"]).locator("[data-column=cost]")).to_have_text("no price known")
    priced = of(table, ids["other"]).locator("[data-column=cost]")
    expect(priced).to_contain_text("$")
    expect(priced).to_have_attribute("title", "≈ $36000.00/h, price list coreweave, 2026-09-20")


def test_what_a_run_costs_grows_under_the_readers_eyes(lab: Lab, lab_page: LabPage) -> None:
    with lab.process(LIVE) as live:
        run = live.stdout.readline().strip()
        lab_page.open(lab)
        chip = of(compare(lab_page, run), run).locator(".jp-trackside-chipState")
        expect(chip).to_contain_text("≈ $")
        before = (chip.text_content() or "").split("≈ ")[1]
        expect(chip).not_to_contain_text(before)
        expect(chip).to_contain_text("≈ $")
        expect(chip).to_contain_text("running")
