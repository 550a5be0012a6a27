"""A comparison leaves the panel as one file: a page that works offline, a notebook that opens it again."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

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


@contextlib.contextmanager
def offline(browser: Browser, file: Path, color_scheme: Literal["light", "dark"] = "light") -> Iterator[Page]:
    """The report in a browser without a network, drawn; at the end it has asked nobody for anything."""
    context = browser.new_context(offline=True, color_scheme=color_scheme)
    try:
        page = context.new_page()
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri())
        page.wait_for_function("() => window.Bokeh && Bokeh.documents.length > 0")
        yield page
        assert [url for url in requests if not url.startswith(("file:", "data:", "blob:", "about:"))] == []
    finally:
        context.close()


def test_notes_and_charts_become_a_page_that_draws_itself_offline(
    seeded: Lab, lab_page: LabPage, browser: Browser
) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("<i>seed</i> 0", "<i>seed</i> 1")
    lab_page.chart("loss", lines=2)
    view.get_by_label("Notes on this comparison").fill(NOTES)
    file = save(lab_page, "Save as One Page (HTML)")
    assert file.name == "comparison.html"
    with offline(browser, file) as page:
        expect(page.locator("section.notes")).to_have_text(NOTES)
        expect(page.locator(".chart canvas").first).to_be_visible()
        lines = page.evaluate(
            """() => [...Bokeh.documents[0].roots()[0].select(Bokeh.Models.get('GlyphRenderer'))]
                 .filter(r => r.glyph.type === 'Line').map(r => [r.name, r.data_source.data.last.at(-1)])"""
        )
        assert dict(lines) == {"<i>seed</i> 0": 1 / 30, "<i>seed</i> 1": 1 + 1 / 30}
        assert page.title() == "digits · 2 runs"


def test_a_notebook_names_runs_groups_and_axis(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("<i>seed</i> 0", "<i>seed</i> 1")
    lab_page.chart("loss", lines=2)
    page = lab_page.page
    ids = [lab_page.row(f"<i>seed</i> {n}").get_attribute("data-run-id") for n in range(2)]
    page.locator("select[data-axis=x]").select_option("relative")
    file = save(lab_page, "Save as Notebook")
    notebook = nbformat.read(file, as_version=4)
    line, styles = notebook.cells[-1].source.split(" --styles ")
    assert line == f"%compare {' '.join(ids)} --x relative"
    assert len(set(styles.split(","))) == 2


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


RICH = """
import json
import numpy as np
import kernel_magics as km
ids = []
for seed in range(4):
    facts = {"price": {"usd_per_hour": 3600.0}} if seed == 0 else {}
    run = km.init(project="rich", name="again", config={"lr": 0.1 * (seed % 2 + 1)}, facts=facts)
    for step in range(20):
        run.log({"loss": seed + 1 / (step + 1)}, step=step)
        run.log_inferred({"loss": seed + 1 / (step + 1)}, step=step)
        if step % 5 == 0:
            image = km.Image(np.full((8, 8, 3), step * 10, np.uint8), f"seed {seed} at {step} <b>x</b>")
            run.log({"sample": image, "spread": km.Histogram([0.0, 1.0, step])}, step=step)
    if seed == 1:
        run.record_event("gpu-fault", "error", "Xid 79 <script>document.title='owned'</script>")
    run.finish()
    ids.append(run.id)
print(json.dumps(ids))
"""
LINES = """() => [...Bokeh.documents[0].roots()[0].select(Bokeh.Models.get('GlyphRenderer'))]
             .map(renderer => renderer.glyph.type)"""


def test_a_page_has_baseline_groups_with_bands_events_and_media_offline(
    lab: Lab, lab_page: LabPage, browser: Browser
) -> None:
    ids = json.loads(lab.python(RICH).splitlines()[-1])
    lab_page.page.set_viewport_size({"width": 2000, "height": 900})  # the whole toolbar is seen
    lab_page.open(lab)
    lab_page.command(
        "trackside:open-compare", {"runs": ids, "baseline": ids[0], "groupBy": "config.lr", "band": "std"}
    )
    lab_page.chart("loss", lines=2)
    file = save(lab_page, "Save as One Page (HTML)")
    with offline(browser, file, "dark") as page:
        # The charts have the colours of the reader's scheme, also when they come after the page has loaded.
        page.wait_for_function("() => Bokeh.documents[0].roots()[0].title.text_color === '#e4e7eb'")
        kinds = page.evaluate(LINES)
        assert (kinds.count("Line"), kinds.count("Patches")) == (2, 2), "two means, each with its band"
        assert kinds.count("Segment") == 1, "the event is marked"
        expect(page.locator(".chart")).to_have_count(1)
        expect(page.get_by_text("and not shown again: loss")).to_be_visible()
        legend = page.locator(".legend li")
        expect(legend.nth(0)).to_contain_text("mean of 2 runs, ± the standard deviation · baseline")
        expect(page.locator("section.events")).to_contain_text("Xid 79 <script>")
        row = page.locator("tr", has=page.get_by_role("rowheader", name="loss", exact=True))
        expect(row.locator("td").nth(1)).to_contain_text("+1 (+2")
        media = page.locator("section.media")
        images = media.locator("figure:visible img")
        expect(images).to_have_count(4)
        expect(media).to_contain_text("seed 3 at 15 <b>x</b>")
        media.get_by_role("slider").fill("1")
        expect(media.locator("output")).to_have_text("5")
        expect(media.locator("figcaption:visible").first).to_have_text("seed 0 at 5 <b>x</b>")
        assert images.first.evaluate("async i => { await i.decode(); return i.naturalWidth }") == 8
        expect(media.locator("svg:visible rect").first).to_be_visible()
        assert page.title() == "rich · 4 runs"
    lab_page.page.locator("select[data-axis=group]").select_option("")
    notebook = nbformat.read(save(lab_page, "Save as Notebook"), as_version=4)
    assert notebook.cells[-1].source.startswith(f"%compare {' '.join(ids)} --baseline {ids[0]} --styles ")


FAR_APART = """
from kernel_magics import tracking
for number in range(9):
    with tracking.init(project="colours", name=f"colour {number}") as run:
        run.log({"loss": number})
"""
LISTING = """
from kernel_magics.figures import runs_listing
from kernel_magics.store import open_store
with open_store() as store:
    store.refresh()
    print(runs_listing(store, store.runs()).html)
"""
DASHES = {None: "solid", "4 2": "dashed", "1.5 2": "dotted"}


def chips(html: str) -> list[tuple[str, str]]:
    """Colour on a light ground and dash of each run in a page of ours, in order."""
    return [
        (colour, dash)
        for dash, colour in re.findall(r'<i class="(?:chip )?(\w+)" style="--light:(#\w+)', html)
    ]


def looks(place: Locator) -> list[tuple[str, str]]:
    """Colour and dash of each run in a part of the panel, in order."""
    lines = place.locator("[data-run-id] .jp-trackside-swatch line").all()
    return [
        (str(line.get_attribute("stroke")), DASHES[line.get_attribute("stroke-dasharray")]) for line in lines
    ]


def test_a_run_has_one_colour_in_the_sidebar_the_comparison_runs_and_the_report(
    lab: Lab, lab_page: LabPage, browser: Browser
) -> None:
    lab.python(FAR_APART)
    sidebar = lab_page.open(lab).sidebar()
    sidebar.get_by_label("Filter runs").fill("project = colours")
    expect(sidebar.locator("[data-run-id]")).to_have_count(9)
    listed = looks(sidebar)
    assert chips(lab.python(LISTING))[:9] == listed, "as %runs shows them"
    names = [f"colour {8 - place}" for place in range(9)]  # nine of eight colours: one has to look otherwise
    view = lab_page.compare(*names)
    lab_page.chart("loss", lines=len(names))
    legend = looks(view.locator(".jp-trackside-legend"))
    assert len(set(legend)) == len(names)
    assert sorted(legend) == sorted(looks(sidebar)[: len(names)]), "the sidebar has those of the comparison"
    file = save(lab_page, "Save as One Page (HTML)")
    assert chips(file.read_text("utf-8")) == legend * 3, "in its legend, its table and above its outputs"
    page = browser.new_page(viewport={"width": 1300, "height": 800})
    try:
        page.goto(file.as_uri())
        expect(page.locator("article")).to_have_count(len(names))
        outside = "nodes => nodes.filter(n => n.getBoundingClientRect().right > innerWidth).length"
        assert page.locator("article").evaluate_all(outside) == 0, "no run is off the right edge"
    finally:
        page.close()
