"""Whatever a run, a view, a machine or a file says, looking at it runs nothing, and asks nobody else.

The attacks and where they stand are in :mod:`tests.ui.hostile`. They are heard in every frame of every page;
that they would be is tested last, by one that is let in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.ui.hostile import LONG, LONG_SEED, SEED, attack
from tests.ui.test_panel_compare_report import save
from tests.ui.test_panel_gpus import kernel_is_idle, write_lease
from tests.waiting import eventually, wait_for

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

ROOT = Path(__file__).parents[2]
SIDEBAR = ("run-0", "run-1", "metric", "lease-name", "lease-machine", "lease-detail")
TABLE = ("run-0", "run-1", "tag", "config-key", "config-value-0", "config-value-1", "metric", "part", "leaf")
LEGEND_AND_CHARTS = ("run-0", "run-1", "metric", "unit", "part", "leaf", "inferred")
DETAILS = (
    *("run-0", "config-key", "config-value-0", "summary-key", "summary-value-1", "project", "group-0"),
    *("tag", "host", "error-name", "error-value", "event", "event-detail", "metric"),
)
MEDIA = ("media", "caption", "column", "table-cell")
CODE = ("source", "package", "v0", "v1", "branch", "git-diff")
OUTPUTS = ("cell", "output-stream", "output-json", "output-widget", "traceback")
SANITIZED = ("output-html", "output-markdown")
REPORT = (
    "run-0",
    "run-1",
    "metric",
    "config-key",
    "config-value-1",
    "event-detail",
    "caption",
    "table-cell",
    "note",
)
"""Places whose attacks are to be read, word by word, in a view; of sanitized ones only the place's name."""


def in_a_page(place: str) -> str:
    """What stands in a report: characters that nobody sees are spaces there, and long texts are cut."""
    return f"<img src=x onerror=heard('{place}"


class Guard:
    """Hears every attack that runs in a page of a context, and turns away what is asked of anybody else."""

    def __init__(self, context: BrowserContext, home: str) -> None:
        self.heard: list[str] = []
        self.others: list[str] = []
        self.dialogs: list[str] = []
        self._home = home
        context.expose_binding("heard", lambda _source, place: self.heard.append(place))
        context.route(self._is_elsewhere, self._turn_away)
        context.on("page", self._follow)
        for page in context.pages:
            self._follow(page)

    def nothing(self) -> None:
        assert (self.heard, self.others, self.dialogs) == ([], [], [])

    def _is_elsewhere(self, url: str) -> bool:
        return not url.startswith((self._home, "data:", "blob:", "about:", "file:"))

    def _turn_away(self, route: Any) -> None:
        self.others.append(route.request.url)
        route.abort()

    def _follow(self, page: Page) -> None:
        def on_dialog(dialog: Any) -> None:
            self.dialogs.append(dialog.message)
            dialog.dismiss()

        page.on("dialog", on_dialog)


@pytest.fixture(scope="module")
def ids(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two runs, a view and a lease that are hostile in every place."""
    work = tmp_path_factory.mktemp("work")
    where = f"import os, sys; sys.path.insert(0, {str(ROOT)!r}); os.chdir({str(work)!r})\n"
    made: list[str] = json.loads(lab.python(where + SEED).splitlines()[-1])
    names = {key: attack(f"lease-{key}") for key in ("name", "machine", "notebook", "detail", "target")}
    write_lease(lab, **names, state="lost", released=9e9)
    return made


@pytest.fixture
def guard(lab: Lab, lab_page: LabPage) -> Guard:
    # What the browser says of frames that may run nothing, and of addresses that it does not ask
    lab_page.expected += ["Blocked", "Content Security Policy", "Refused to execute", "ERR_FAILED"]
    return Guard(lab_page.page.context, lab.url)


def reads(view: Locator, places: tuple[str, ...], text: Callable[[str], str] = attack) -> None:
    """Waits until the view's text has the attack of every place, each as it was written."""

    def missing() -> list[str]:
        shown = view.evaluate_all("nodes => nodes.map(node => node.textContent).join()")
        return [place for place in places if text(place) not in shown]

    eventually(lambda: not missing())
    assert missing() == []


def show(view: Locator, part: str) -> Locator:
    """Scrolls to a part of a comparison."""
    section = view.locator(f"[data-section={part}]")
    expect(section).to_be_visible()
    section.evaluate("node => node.scrollIntoView({ block: 'start' })")
    return section


def test_sidebar_and_table_show_attacks_as_text(
    lab: Lab, ids: list[str], lab_page: LabPage, guard: Guard
) -> None:
    page = lab_page.page
    sidebar = lab_page.open(lab).sidebar()
    reads(sidebar, SIDEBAR)
    reads(sidebar, ("lease-notebook",), lambda place: f"heard('{place}')")  # of its path, the last part
    lab_page.command("trackside:open-table")
    table = page.locator(".jp-trackside-runTable")
    reads(table, TABLE)
    table.get_by_label("Group runs by").select_option("group")
    reads(table.locator("[data-group]"), ("group-0", "group-1"))
    table.get_by_role("combobox", name="Filter runs").press_sequentially("config.")
    reads(table.get_by_role("listbox"), ("config-key",))
    table.get_by_role("combobox", name="Filter runs").fill("status = " + attack("filter-text"))
    reads(table.locator(".jp-trackside-filterMistake"), ("filter-text",), lambda place: place)
    table.get_by_role("combobox", name="Filter runs").fill("")
    table.get_by_role("button", name="Views").click()
    lab_page.expected.append("404")  # the run that the view had chosen
    reads(page.locator(".lm-Menu-item"), ("view",))
    page.locator(".lm-Menu-item").first.click()
    expect(page.locator(".Toastify")).to_contain_text("had chosen is deleted.")  # said to its end
    table.locator("[data-run-id]").first.hover()
    guard.nothing()


def test_a_comparison_shows_attacks_as_text_and_sanitizes_outputs(
    lab: Lab, ids: list[str], lab_page: LabPage, guard: Guard
) -> None:
    lab_page.open(lab)
    lab_page.command("trackside:open-compare", {"runs": ids, "id": "hostile"})
    page, view = lab_page.page, lab_page.page.locator(".jp-trackside-compare")
    reads(view, LEGEND_AND_CHARTS)
    plot = view.locator("[data-lines='2'] .jp-trackside-plot").first
    plot.locator("canvas").first.wait_for()
    plot.hover()
    reads(view.locator(".jp-trackside-tip"), ("run-0", "run-1"))
    show(view, "table")
    reads(view, DETAILS)
    media = show(view, "media")
    reads(media, MEDIA)
    expect(media.locator("iframe").first.content_frame.get_by_text("media-page").first).to_be_visible()
    code = show(view, "code")
    reads(code, CODE)
    outputs = show(view, "outputs")
    reads(outputs, OUTPUTS)
    reads(outputs, SANITIZED, lambda place: place)
    for named in ("application/javascript", "application/vnd.vega.v5+json", "application/vnd.bokehjs"):
        expect(outputs.get_by_text(f"nothing of a run is carried out: {named}").first).to_be_attached()
    drawn = outputs.locator("img").first.evaluate("async i => { await i.decode(); return i.naturalWidth }")
    assert drawn == 9
    assert (
        page.evaluate("() => document.querySelectorAll('[href^=javascript], [onload], [onerror]').length")
        == 0
    )
    page.locator("select[data-axis=group]").select_option(value="group")
    reads(view.locator(".jp-trackside-legend"), ("group-0", "group-1"))
    guard.nothing()


def test_a_report_and_a_notebook_of_attacks_run_nothing_where_they_are_opened(
    lab: Lab, ids: list[str], lab_page: LabPage, guard: Guard, browser: Browser
) -> None:
    lab_page.page.set_viewport_size({"width": 2000, "height": 900})  # the whole toolbar is seen
    lab_page.open(lab)
    lab_page.command("trackside:open-compare", {"runs": ids, "id": "report", "notes": attack("note")})
    lab_page.chart(attack("metric").replace('"', '\\"'), lines=2)
    report = save(lab_page, "Save as One Page (HTML)")
    notebook = save(lab_page, "Save as Notebook")
    context = browser.new_context()
    try:
        elsewhere = Guard(context, "file:")
        page = context.new_page()
        page.goto(report.as_uri())
        page.wait_for_function("() => window.Bokeh && Bokeh.documents.length > 0")
        page.locator("details").evaluate_all("nodes => nodes.forEach(node => node.open = true)")
        reads(page.locator("body"), REPORT, in_a_page)
        elsewhere.nothing()
    finally:
        context.close()
    (lab.notebooks / "comparison.ipynb").write_bytes(notebook.read_bytes())
    lab_page.command("docmanager:open", {"path": "comparison.ipynb"})
    opened = lab_page.page.locator(".jp-Notebook:visible")
    reads(opened, ("note",), lambda place: place)
    kernel_is_idle(lab_page)
    lab_page.page.evaluate("() => void jupyterapp.commands.execute('notebook:run-all-cells')")
    shown = opened.locator("iframe").first.content_frame
    expect(shown.locator("canvas").first).to_be_visible(timeout=60_000)
    reads(shown.locator("body"), ("run-0", "config-key"), in_a_page)
    guard.nothing()


def test_an_attack_that_is_let_in_is_heard(lab: Lab, lab_page: LabPage, guard: Guard) -> None:
    lab_page.expected.append("404")  # the picture whose absence is the attack
    lab_page.open(lab)
    lab_page.page.evaluate("text => document.body.insertAdjacentHTML('beforeend', text)", attack("let-in"))
    wait_for(lambda: (lab_page.page.evaluate("() => 0"), "let-in" in guard.heard)[1], "the attack")
    asks = "<img src=https://elsewhere.test/let-in>"
    lab_page.page.evaluate("text => document.body.insertAdjacentHTML('beforeend', text)", asks)
    wait_for(lambda: (lab_page.page.evaluate("() => 0"), guard.others)[1], "the request")


def test_of_ten_megabytes_the_beginning_is_shown_and_how_many_there_are(
    fresh_lab: Lab, lab_page: LabPage
) -> None:
    run = fresh_lab.python(LONG_SEED).strip()
    page = lab_page.page
    lab_page.open(fresh_lab).sidebar()
    expect(lab_page.row("long")).to_be_visible()
    lab_page.command("trackside:open-table")
    cell = page.locator(".jp-trackside-runTable [data-column='config.text']").last
    expect(cell).to_have_text(re.compile("^[0-9]{100,1000}…$"))
    lab_page.command("trackside:open-compare", {"runs": [run]})
    page.set_default_timeout(90_000)  # they come over the wire as they are
    lab_page.chart("loss", lines=1)
    view = page.locator(".jp-trackside-compare")
    said = f"({LONG:,} characters)"
    expect(view.locator("[data-event=alert]")).to_contain_text(said, timeout=90_000)
    expect(view.locator("tr[data-key=text] td").first).to_contain_text(said, timeout=90_000)
    table = view.locator("tr[data-media=table] td").first
    table.scroll_into_view_if_needed()
    expect(table).to_contain_text("characters)", timeout=90_000)
    size = view.evaluate(
        "node => ['events', 'table', 'media'].map(name =>"
        " node.querySelector(`[data-section=${name}]`).textContent.length)"
    )
    assert max(size) < 50_000
