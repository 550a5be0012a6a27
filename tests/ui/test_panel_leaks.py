"""A comparison that is closed leaves nothing of itself behind in the tab, however often one is opened."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import CDPSession

from tests.waiting import wait_for

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

RUNS = 20
METRICS = ("train/loss", "val/loss", "lr")
SEED = f"""
from kernel_magics import tracking
for number in range({RUNS}):
    run = tracking.init(project="digits", name=f"run {{number}}", config={{"lr": number}})
    for step in range(50):
        run.log(dict.fromkeys({METRICS}, number + 1 / (step + 1)))
    run.finish()
"""


@pytest.fixture(scope="module")
def seeded(lab: Lab) -> Lab:
    lab.python(SEED)
    return lab


def canvases(session: CDPSession) -> int:
    """How many the tab holds after the garbage was collected, be they in the page or not."""
    for _ in range(3):  # what one collection finds may be what kept something else
        session.send("HeapProfiler.collectGarbage")
    prototype = session.send("Runtime.evaluate", {"expression": "HTMLCanvasElement.prototype"})["result"]
    found = session.send("Runtime.queryObjects", {"prototypeObjectId": prototype["objectId"]})["objects"]
    length = {"objectId": found["objectId"], "functionDeclaration": "function () { return this.length }"}
    counted = session.send("Runtime.callFunctionOn", {**length, "returnByValue": True})["result"]["value"]
    for one in (found, prototype):
        session.send("Runtime.releaseObject", {"objectId": one["objectId"]})
    return int(counted)


def held(session: CDPSession) -> tuple[int, int]:
    """Nodes of documents and listeners that the tab holds after the garbage was collected."""
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
    counted = session.send("Memory.getDOMCounters")
    return int(counted["nodes"]), int(counted["jsEventListeners"])


def run_ids(lab_page: LabPage) -> list[str]:
    """All runs, once the index knows them."""
    ids: list[str] = lab_page.eventually(
        """async count => {
             const { serverSettings } = jupyterapp.serviceManager;
             const headers = { Authorization: `token ${serverSettings.token}` };
             const url = serverSettings.baseUrl + 'trackside/api/runs';
             const { runs } = await (await fetch(url, { headers })).json();
             const ended = runs.filter(run => run.status === 'finished');
             return ended.length === count && ended.map(run => run.id) }""",
        RUNS,
    )
    return ids


def open_and_close(lab_page: LabPage, ids: list[str], session: CDPSession) -> int:
    """Opens the comparison until its charts are drawn, and closes it; how many canvases there were."""
    page = lab_page.page
    lab_page.command("trackside:open-compare", {"runs": ids})
    drawn = f".jp-trackside-compare [data-source=logged][data-lines='{len(ids)}'] .jp-trackside-plot > *"
    page.wait_for_function(
        "([css, n]) => document.querySelectorAll(css).length >= n", arg=[drawn, len(METRICS)], timeout=60_000
    )
    opened = canvases(session)
    page.evaluate(
        "() => [...jupyterapp.shell.widgets('main')]"
        ".filter(w => w.node.querySelector('.jp-trackside-compare')).forEach(w => w.close())"
    )
    page.wait_for_function("() => !document.querySelector('.jp-trackside-compare')")
    return opened


def test_comparisons_that_were_closed_hold_no_canvas(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    ids = run_ids(lab_page)
    session = lab_page.page.context.new_cdp_session(lab_page.page)
    before = canvases(session)
    for _ in range(3):
        assert open_and_close(lab_page, ids, session) >= before + len(METRICS), "what is open is counted"
    wait_for(lambda: canvases(session) <= before, "the canvases of closed charts are let go", 60)


def test_comparisons_that_were_closed_hold_neither_nodes_nor_listeners(
    seeded: Lab, lab_page: LabPage
) -> None:
    lab_page.open(seeded).sidebar()
    ids = run_ids(lab_page)
    session = lab_page.page.context.new_cdp_session(lab_page.page)
    for _ in range(2):
        open_and_close(lab_page, ids, session)  # what is made once and stays
    nodes, listeners = held(session)
    times = 3
    for _ in range(times):
        open_and_close(lab_page, ids, session)

    def is_little() -> bool:
        """Each has 400 nodes and 2,000 listeners, the smallest part of it that React draws 140 listeners.
        JupyterLab keeps 38 and 4 of each toolbar that was closed: its button for what has no room listens to
        the browser's scheme for ever. The rest is room for what JupyterLab makes meanwhile.
        """
        more = held(session)
        return more[0] - nodes < times * 60 + 60 and more[1] - listeners < times * 20 + 200

    wait_for(is_little, "what was in the closed comparisons is let go", 60)
