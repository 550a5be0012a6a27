"""A comparison leaves the panel as one file: a page that works offline, a notebook that opens it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

SEED = """
from kernel_magics import tracking
for seed in range(2):
    run = tracking.init(project="digits", name=f"<i>seed</i> {seed}", config={"lr": 0.1, "seed": seed})
    for step in range(30):
        run.log({"loss": seed + 1 / (step + 1)}, step=step)
    run.finish()
"""
NOTES = "Both seeds agree.\n<script>document.title = 'owned'</script>"


@pytest.fixture(scope="module")
def seeded(lab: Lab) -> Lab:
    lab.python(SEED)
    return lab


def save(lab_page: LabPage, item: str) -> Path:
    """The file that the toolbar's report menu gives."""
    page = lab_page.page
    page.get_by_role("button", name="Report", exact=True).click()
    with page.expect_download(timeout=60_000) as saved:
        page.get_by_role("menuitem", name=item).click()
    return saved.value.path().rename(saved.value.path().with_name(saved.value.suggested_filename))


def test_notes_and_charts_become_a_page_that_draws_itself_offline(
    seeded: Lab, lab_page: LabPage, browser: Browser
) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("<i>seed</i> 0", "<i>seed</i> 1")
    lab_page.chart("loss", lines=2)
    view.get_by_label("Notes on this comparison").fill(NOTES)
    file = save(lab_page, "Save as One Page (HTML)")
    assert file.name == "comparison.html"
    context = browser.new_context(offline=True)
    try:
        page = context.new_page()
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri())
        page.wait_for_function("() => window.Bokeh && Bokeh.documents.length > 0")
        expect(page.locator("section.notes")).to_have_text(NOTES)
        expect(page.locator(".chart canvas").first).to_be_visible()
        lines = page.evaluate(
            """() => [...Bokeh.documents[0].roots()[0].select(Bokeh.Models.get('GlyphRenderer'))]
                 .filter(r => r.glyph.type === 'Line').map(r => [r.name, r.data_source.data.last.at(-1)])"""
        )
        assert dict(lines) == {"<i>seed</i> 0": 1 / 30, "<i>seed</i> 1": 1 + 1 / 30}
        assert page.title() == "digits · 2 runs"
        assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    finally:
        context.close()


def test_a_notebook_names_runs_groups_and_axis(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("<i>seed</i> 0", "<i>seed</i> 1")
    lab_page.chart("loss", lines=2)
    page = lab_page.page
    ids = [lab_page.row(f"<i>seed</i> {n}").get_attribute("data-run-id") for n in range(2)]
    page.locator("select[data-axis=x]").select_option("relative")
    file = save(lab_page, "Save as Notebook")
    notebook = nbformat.read(file, as_version=4)
    assert notebook.cells[-1].source == f"%compare {' '.join(ids)} --x relative"


def test_a_report_that_cannot_be_made_is_said(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.expected.append("500")
    lab_page.open(seeded).sidebar()
    lab_page.compare("<i>seed</i> 0")
    page = lab_page.page
    body = {"message": "The disk is full.", "remedy": None}
    page.route("**/trackside/api/report*", lambda route: route.fulfill(status=500, json=body))
    page.get_by_role("button", name="Report", exact=True).click()
    page.get_by_role("menuitem", name="Save as Notebook").click()
    expect(page.get_by_role("dialog")).to_contain_text("The disk is full.")
