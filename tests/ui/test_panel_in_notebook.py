"""What `%runs` and `%compare` show in a notebook fits into JupyterLab: its theme, its width."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Frame, Page, expect

from tests.waiting import wait_for

pytestmark = pytest.mark.ui

Desk = Any  # desk.Desk
Lab = Any  # conftest.Lab

SEED = """
from kernel_magics import tracking
for number in range(2):
    with tracking.init(project="digits", name=f"run {number}", config={"lr": number}) as run:
        for step in range(20):
            run.log({"loss": 1 / (step + 1 + number)})
"""
LIGHT, DARK = "rgb(246, 247, 249)", "rgb(17, 20, 24)"
TITLES = """() => [...Bokeh.documents].flatMap(doc => doc.roots())
  .map(figure => figure.title.text_color)"""


def compared(page: Page) -> Frame:
    """The page within the output of ``%compare``."""
    node = page.locator("iframe[title='comparison of runs']").element_handle(timeout=60_000)
    assert node.get_attribute("sandbox") == "allow-scripts allow-downloads", "it cannot reach JupyterLab"
    frame = node.content_frame()
    assert frame is not None
    return frame


def ground(page: Page) -> str:
    """The colour behind the comparison."""
    return str(compared(page).evaluate("() => getComputedStyle(document.body).backgroundColor"))


def test_a_comparison_in_a_notebook_follows_the_theme(lab: Lab, desk: Desk) -> None:
    lab.python(SEED)
    desk.write("%load_ext kernel_magics", "%compare")
    desk.start()
    desk.run(0, wait=True)
    desk.run(1, wait=True)
    page = desk.page
    wait_for(lambda: ground(page) == LIGHT, "a light page in a light JupyterLab", 60)
    compared(page).wait_for_function("() => window.Bokeh && Bokeh.documents.length > 0")
    desk.driver.theme("JupyterLab Dark")
    wait_for(lambda: ground(page) == DARK, "it turns dark with JupyterLab", 30)
    assert set(compared(page).evaluate(TITLES)) == {"#e4e7eb"}, "and its charts with it"
    chip = compared(page).locator(".legend .chip").first
    own = chip.evaluate("node => node.style.getPropertyValue('--dark')")
    seen = chip.evaluate("node => getComputedStyle(node).borderTopColor")
    assert seen == f"rgb({', '.join(str(int(own[at : at + 2], 16)) for at in (1, 3, 5))})"
    desk.run(1, wait=True)
    wait_for(lambda: ground(page) == DARK, "one that is made in the dark is dark at once", 60)
    desk.driver.theme("JupyterLab Light")
    wait_for(lambda: ground(page) == LIGHT, "and it turns light again", 30)


def test_a_browser_that_prefers_dark_does_not_darken_a_light_jupyterlab(lab: Lab, desk: Desk) -> None:
    lab.python(SEED)
    desk.page.emulate_media(color_scheme="dark")
    desk.write("%load_ext kernel_magics", "%compare")
    desk.start()
    desk.driver.theme("JupyterLab Light")
    desk.run(0, wait=True)
    desk.run(1, wait=True)
    wait_for(lambda: ground(desk.page) == LIGHT, "JupyterLab's theme counts", 60)


def test_a_line_of_runs_is_one_line_also_in_a_narrow_notebook_and_a_dark_theme(lab: Lab, desk: Desk) -> None:
    lab.python(SEED)
    desk.write("%load_ext kernel_magics", "%runs")
    desk.page.set_viewport_size({"width": 900, "height": 700})
    desk.start()
    desk.run(0, wait=True)
    desk.run(1, wait=True)
    ids = desk.page.locator(".trackside-runs td code")
    expect(ids.first).to_be_visible()
    lines = ids.evaluate_all("nodes => nodes.map(node => node.getClientRects().length)")
    assert lines and set(lines) == {1}
    key = desk.page.locator(".trackside-runs td i").first
    colour = "node => getComputedStyle(node).borderTopColor"
    light = key.evaluate(colour)
    desk.driver.theme("JupyterLab Dark")
    assert key.evaluate(colour) != light
