"""Who may only read sees nothing to write with, in any view, and keys that would write do nothing."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

SEED = """
from kernel_magics import tracking
for name in ("slow", "fast"):
    with tracking.init(project="digits", name=name, config={"lr": 0.1}) as run:
        run.log({"loss": 1.0})
"""
WRITING = {
    "Edit",
    "Rename…",
    "Tags…",
    "Notes…",
    "Group…",
    "Colour…",
    "Pin",
    "Archive",
    "Delete",
    "Save This View…",
}
ASKING = ("/api/windows", "/api/report")
"""What is sent in a body because it is long; nothing is written."""


@pytest.fixture
def readable(lab: Lab, lab_page: LabPage) -> list[str]:
    """The runs for one who may only read; what the page asked the server to write."""
    lab.python(SEED)
    wrote: list[str] = []

    def read_only(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "read_only": True})

    def on_request(request: Any) -> None:
        path = request.url.partition("?")[0]
        if "/trackside/api/" in path and request.method != "GET" and not path.endswith(ASKING):
            wrote.append(f"{request.method} {path}")

    lab_page.page.route("**/trackside/api/info*", read_only)
    lab_page.page.on("request", on_request)
    return wrote


def offered(*places: Locator) -> set[str]:
    """What all buttons and entries of menus in these places are called."""
    selector = "button, [role=button], .lm-Menu-itemLabel"
    return {text.strip() for place in places for text in place.locator(selector).all_text_contents()}


def test_no_view_offers_to_write_and_no_key_does(lab: Lab, lab_page: LabPage, readable: list[str]) -> None:
    page = lab_page.page
    sidebar, menu = lab_page.open(lab).sidebar(), page.locator(".lm-Menu")
    expect(lab_page.row("fast")).to_be_visible()
    expect(sidebar.get_by_role("button", name="Views")).to_be_visible()
    lab_page.row("fast").click(button="right")
    expect(menu.get_by_text("Copy Id")).to_be_visible()
    assert not offered(sidebar, menu) & WRITING
    page.keyboard.press("Escape")
    sidebar.get_by_role("button", name="Views").click()
    expect(menu.get_by_text("No view is saved")).to_be_visible()
    assert not offered(menu) & WRITING
    page.keyboard.press("Escape")
    sidebar.get_by_role("button", name="Table", exact=True).click()
    table = page.locator(".jp-trackside-runTable")
    table.locator("[data-run-id]").first.click()
    for key in ("Delete", "F2"):
        page.keyboard.press(key)
    table.locator("[data-run-id]").first.click(button="right")
    expect(menu.get_by_text("Compare")).to_be_visible()
    assert not offered(table, menu) & WRITING
    page.keyboard.press("Escape")
    lab_page.sidebar()
    lab_page.row("slow").click()
    sidebar.get_by_role("button", name="Compare", exact=True).click()
    chart = lab_page.chart("loss", lines=2)
    chart.get_by_role("button", name="More of").click()
    expect(menu.get_by_text("Full Screen")).to_be_visible()
    assert not offered(page.locator(".jp-MainAreaWidget:has(.jp-trackside-compare)"), menu) & WRITING
    page.keyboard.press("Escape")
    expect(page.locator(".jp-Dialog")).to_have_count(0)
    assert readable == []
