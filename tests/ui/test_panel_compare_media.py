"""Images, tables, histograms and pages side by side, under one slider; no code of theirs runs."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

BLOCKED = "Blocked script execution"  # what the browser says of the page's script
SEED = """
import numpy as np
import kernel_magics as km
HTML = ("<b id=bold>bold</b><img src=x onerror='parent.hacked=1'><script>parent.hacked=2</script>"
        "<a href='javascript:parent.hacked=3'>x</a>")
SVG = ("<svg xmlns='http://www.w3.org/2000/svg' onload='parent.hacked=4' width='9' height='9'>"
       "<script>parent.hacked=5</script></svg>")
for name, stride in (("often", 1), ("seldom", 4)):
    run = km.init(project="digits", name=name)
    for step in range(0, 9, stride):
        shade = np.full((8, 8, 3), step * 20, np.uint8)
        run.log({"sample": km.Image(shade, f"{name} at {step} <script>hacked=6</script>"),
                 "spread": km.Histogram([0.0, 1.0, 1.0, step, float("nan")]),
                 "errors": km.Table(["digit", "<i>count</i>"], [[step, "<img src=x onerror=hacked=7>"]]),
                 "page": km.Html(HTML)}, step=step)
    open("drawing.svg", "w").write(SVG)
    run.log({"drawing": km.Image("drawing.svg")}, step=0)
    run.finish()
plain = km.init(project="digits", name="plain")
plain.log({"loss": 1.0})
plain.finish()
"""


@pytest.fixture(scope="module")
def seeded(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    lab.python(f"import os; os.chdir({str(tmp_path_factory.mktemp('work'))!r})\n{SEED}")
    return lab


def test_one_slider_moves_all_runs_to_a_step(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.expected += [BLOCKED, "Content Security Policy"]
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("often", "seldom")
    media = view.locator("[data-section=media]")
    media.scroll_into_view_if_needed()
    images = media.locator("tr[data-media=sample] figure")
    expect(images.nth(0)).to_contain_text("often at 8")
    expect(images.nth(1)).to_contain_text("seldom at 8")
    slider = media.get_by_role("slider", name="Step of what is shown")
    slider.fill("6")
    expect(images.nth(0)).to_contain_text("often at 6")
    expect(images.nth(1)).to_contain_text("seldom at 4")
    expect(media.locator("tr[data-media=sample] td").nth(1)).to_contain_text("of step 4")
    assert (
        images.nth(0).locator("img").evaluate("async i => { await i.decode(); return i.naturalWidth }") == 8
    )
    spread = media.locator("tr[data-media=spread] td").first
    expect(spread.locator("rect").first).to_be_visible()
    expect(spread).to_contain_text("1 × nan")
    expect(media.locator("tr[data-media=errors] td").first.locator("tbody td").first).to_have_text("6")


def test_what_is_shown_runs_no_code(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.expected += [BLOCKED, "Content Security Policy"]
    lab_page.open(seeded).sidebar()
    media = lab_page.compare("often", "seldom").locator("[data-section=media]")
    media.scroll_into_view_if_needed()
    page = media.locator("tr[data-media=page] iframe").first
    expect(page.content_frame.locator("#bold")).to_have_text("bold")
    drawing = media.locator("tr[data-media=drawing] img").first
    assert drawing.evaluate("async i => { await i.decode(); return i.naturalWidth }") == 9
    expect(media.locator("tr[data-media=errors] th", has_text="<i>count</i>").first).to_be_visible()
    expect(media.locator("figcaption").first).to_contain_text("<script>")
    assert media.locator("script").count() == 0
    assert lab_page.page.evaluate("window.hacked") is None


def test_runs_without_media_have_no_such_part(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("plain")
    lab_page.chart("loss", lines=1)
    expect(view.locator("tr[data-key='loss last']")).to_be_visible()
    expect(view.locator("[data-section=media]")).to_be_hidden()
