"""What goes wrong around an open panel is said where it shows, and passes by itself."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.ui.feeds import Feeds
from tests.waiting import wait_for

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

NAMES = ["loss", "Loss", "a/b", "a.b", "lr", "caf\u00e9", "cafe\u0301"]
SEED = f"""
from kernel_magics import tracking
for n in range(2):
    run = tracking.init(name=f"run-{{n}}", config={{"lr": 0.1 * n, "loss": "mse", "a": {{"b": 3}}}})
    for step in range(3):
        run.log({{name: place * 10 + n + step for place, name in enumerate({NAMES!r})}}, step=step)
        run.log({{"phase": float(step) if n == 0 else "warm", "words": "no number"}}, step=step)
    run.finish()
"""
LATER = """
from kernel_magics import tracking
run = tracking.init(name="{name}")
run.log({{"loss": 1.0}})
run.finish()
"""
LIVE = """
import sys
from kernel_magics import tracking
run = tracking.init(name="live")
for line in sys.stdin:
    run.log({"loss": float(line)})
    print("logged", flush=True)
run.finish()
"""
LAST = """value => document.querySelector('.jp-trackside-compare [data-metric=loss]')
          ?.trackside.drawn().find(line => line.name === 'live')?.y.at(-1) === value"""


@pytest.fixture(scope="module")
def seeded(lab: Lab) -> Lab:
    lab.python(SEED)
    return lab


def test_metrics_whose_names_collide_are_never_mixed(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("run-0", "run-1")
    for place, name in enumerate(NAMES):
        drawn = lab_page.drawn(lab_page.chart(name, lines=2))
        assert drawn["run-1"]["y"] == [place * 10 + 1 + step for step in range(3)], name
    spelled = view.locator("[data-metric='cafe\u0301'] [data-kind=spelling]")
    expect(spelled).to_have_text("cafe\\u{301}")
    expect(view.locator("[data-kind=spelling]")).to_have_count(1)
    lab_page.command("trackside:open-table")
    heads = lab_page.page.locator(".jp-trackside-runTable [role=columnheader]")
    for label in ("config.loss", "loss.last", "Loss", "a/b"):  # what is both configured and logged says which
        expect(heads.get_by_text(label, exact=True)).to_be_visible()


def test_a_metric_that_was_text_is_said_where_its_chart_is(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("run-0", "run-1")
    lab_page.chart("phase", lines=1)
    events = view.locator("[data-event=value-refused]")
    expect(events.filter(has_text="'phase' is a str ('warm') and not a number")).to_have_count(1)
    expect(events.filter(has_text="'words' is a str ('no number')")).to_have_count(2)
    expect(view.locator("[data-metric=words]")).to_have_count(0)
    phase = view.locator("tr[data-key='phase last'] td")
    expect(phase).to_have_text(["2 at 2", "–"])


def test_an_index_that_is_made_anew_under_an_open_panel_leaves_it_right(
    fresh_lab: Lab, lab_page: LabPage
) -> None:
    fresh_lab.python(SEED)
    lab_page.open(fresh_lab).sidebar()
    lab_page.compare("run-0", "run-1")
    lab_page.chart("loss", lines=2)
    fresh_lab.python("import sys; from jupyter_ext.cli import main; sys.exit(main(['rebuild']))")
    fresh_lab.python(LATER.format(name="after the rebuild"))
    expect(lab_page.row("after the rebuild")).to_be_visible(timeout=60_000)
    for file in (fresh_lab.folder / "cache" / "trackside" / "index").iterdir():
        file.unlink()  # also the hard way
    fresh_lab.python(LATER.format(name="after the loss"))
    expect(lab_page.row("after the loss")).to_be_visible(timeout=60_000)
    lab_page.row("after the loss").click()
    lab_page.page.locator("#trackside-sidebar").get_by_role("button", name="Compare", exact=True).click()
    chart = lab_page.chart("loss", lines=3)
    assert lab_page.drawn(chart)["run-1"]["y"] == [1, 2, 3]


def test_a_comparison_survives_a_cut_line_and_a_restarted_server(fresh_lab: Lab, lab_page: LabPage) -> None:
    lab_page.expected += ["ERR_", "WebSocket", "Failed to", "502", "503", "404", "fetch", "Connection"]
    page = lab_page.page
    feeds = Feeds(page)
    lost = page.get_by_role("dialog", name="Server Connection Error")  # JupyterLab's own
    page.add_locator_handler(lost, lambda: lost.get_by_role("button").first.click())
    fresh_lab.python(SEED)
    lab_page.open(fresh_lab).sidebar()
    with fresh_lab.process(LIVE) as live:

        def log(value: float) -> None:
            live.stdin.write(f"{value}\n")
            live.stdin.flush()
            assert live.stdout.readline() == "logged\n"

        log(3.0)
        view = lab_page.compare("live", "run-0")
        chart = lab_page.chart("loss", lines=2)
        canvas = chart.locator("canvas").first.element_handle()
        said = view.locator(".jp-trackside-notice")
        feeds.cut()
        expect(said).to_be_visible(timeout=60_000)
        expect(said.get_by_role("button", name="Try now")).to_be_visible()
        log(4.0)
        wait_for(lambda: (page.evaluate("() => 0"), feeds.refused >= 3)[1], "three attempts", 60)
        assert not page.evaluate(LAST, 4.0)
        feeds.mend()
        page.wait_for_function(LAST, arg=4.0, timeout=90_000)
        expect(said).to_have_count(0)
        fresh_lab.stop()
        expect(said).to_be_visible(timeout=60_000)
        log(5.0)
        fresh_lab.start()
        page.wait_for_function(LAST, arg=5.0, timeout=90_000)
        expect(said).to_have_count(0)
        log(6.0)
        page.wait_for_function(LAST, arg=6.0, timeout=60_000)
        assert canvas.evaluate("node => node.isConnected"), "the same chart: nothing was made anew"
