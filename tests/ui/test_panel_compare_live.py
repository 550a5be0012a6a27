"""A comparison while runs go on: pushed to, hidden, cut off."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage
Live = Any  # subprocess.Popen[str], with pipes

SEED = """
from kernel_magics import tracking
for name in ("slow", "other"):
    run = tracking.init(project="digits", name=name)
    for step in range(30):
        run.log({"loss": 1 / (step + 1), "acc": step / 30})
    run.finish()
"""
SIDES = {"left": "slow", "right": "other"}
LIVE = """
import sys
from kernel_magics import tracking
run = tracking.init(project="digits", name="live one")
for line in sys.stdin:
    name, value = line.split()
    run.log({name: float(value)})
    print("logged", flush=True)
run.finish()
"""


@pytest.fixture(scope="module")
def seeded(lab: Lab) -> Lab:
    lab.python(SEED)
    return lab


def log(live: Live, name: str, value: float) -> None:
    live.stdin.write(f"{name} {value}\n")
    live.stdin.flush()
    assert live.stdout.readline() == "logged\n"


def test_two_comparisons_of_one_metric_are_pushed_to_and_ask_for_nothing(
    seeded: Lab, lab_page: LabPage
) -> None:
    lab_page.open(seeded).sidebar()
    page = lab_page.page
    with seeded.process(LIVE.replace("live one", "shared")) as live:
        log(live, "loss", 3.0)
        expect(lab_page.row("shared")).to_be_visible()
        ids = [lab_page.row(name).get_attribute("data-run-id") for name in ("shared", "slow")]
        lab_page.command("trackside:open-compare", {"runs": [ids[0]]})
        lab_page.command("trackside:open-compare", {"runs": ids})
        page.evaluate(
            """() => { const [a, b] = [...document.querySelectorAll('.jp-trackside-compare')]
                 .map(n => n.closest('.jp-MainAreaWidget').id);
               const widgets = [...jupyterapp.shell.widgets('main')];
               const second = widgets.find(w => w.id === b);
               jupyterapp.shell.add(second, 'main', { ref: a, mode: 'split-right' }) }"""
        )
        charts = page.locator(".jp-trackside-compare:visible [data-metric=loss][data-lines]")
        expect(charts).to_have_count(2)
        asked: list[str] = []
        page.on("request", lambda request: "/api/windows" in request.url and asked.append(request.url))
        for value in (2.0, 4.0, 5.0, 6.0, 7.0):
            asked.clear()
            log(live, "loss", value)
            for i in range(2):
                page.wait_for_function(
                    "([n, value]) => n.trackside.drawn().find(l => l.name === 'shared').y.at(-1) === value",
                    arg=[charts.nth(i).element_handle(), value],
                )
            if not asked:
                break  # the views were still being laid out before: another width is asked for
        assert asked == []


def test_a_chart_grows_while_a_run_trains_without_being_made_anew(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    with seeded.process(LIVE) as live:
        log(live, "loss", 3.0)
        lab_page.compare("live one", "slow")
        chart = lab_page.chart("loss", lines=2)
        canvas = chart.locator("canvas").first.element_handle()
        log(live, "loss", 2.0)
        lab_page.page.wait_for_function(
            "() => { const lines = document.querySelector('[data-metric=loss]').trackside.drawn();"
            " return JSON.stringify(lines.find(l => l.name === 'live one').y) === '[3,2]' }"
        )
        assert canvas.evaluate("node => node.isConnected"), "the same canvas: nothing flickered"
        log(live, "fresh/metric", 1.0)
        lab_page.chart("fresh/metric", lines=1)
        live.stdin.close()
        chip = lab_page.page.locator(".jp-trackside-chip").filter(has_text="live one")
        expect(chip).to_contain_text("finished")


def test_a_hidden_view_asks_for_no_points_and_catches_up_when_shown(seeded: Lab, lab_page: LabPage) -> None:
    watched: list[int] = []

    def on_frame(payload: str | bytes) -> None:
        message = json.loads(payload)
        if message["type"] == "watch":
            watched.append(len(message["series"]))

    def on_socket(socket: Any) -> None:
        if "/trackside/api/feed" in socket.url:
            socket.on("framesent", on_frame)

    lab_page.page.on("websocket", on_socket)
    lab_page.open(seeded).sidebar()
    with seeded.process(LIVE.replace("live one", "patient")) as live:
        log(live, "loss", 3.0)
        lab_page.compare("patient")
        lab_page.chart("loss", lines=1)
        assert watched[-1] >= 1
        lab_page.command("launcher:create")
        lab_page.page.locator(".jp-Launcher:visible").wait_for()
        assert watched[-1] == 0
        log(live, "loss", 2.0)
        lab_page.page.locator(".lm-TabBar-tab").filter(has_text="patient").click()
        lab_page.page.wait_for_function(
            "() => { const n = document.querySelector('.jp-trackside-compare [data-metric=loss]');"
            " return n.trackside.drawn()[0]?.y.at(-1) === 2 }"
        )


def test_a_cut_connection_is_made_again_and_nothing_is_missing(seeded: Lab, lab_page: LabPage) -> None:
    sockets: list[Any] = []

    def through(socket: Any) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    lab_page.page.route_web_socket("**/trackside/api/feed*", through)
    lab_page.open(seeded).sidebar()
    with seeded.process(LIVE.replace("live one", "tunnel")) as live:
        log(live, "loss", 3.0)
        lab_page.compare("tunnel")
        lab_page.chart("loss", lines=1)
        sockets[-1].close()
        log(live, "loss", 2.0)
        lab_page.page.wait_for_function(
            "() => document.querySelector('.jp-trackside-compare [data-metric=loss]')"
            ".trackside.drawn()[0]?.y.at(-1) === 2"
        )
        assert len(sockets) >= 2


def test_a_chart_that_is_laid_out_anew_asks_once_for_its_final_width(seeded: Lab, lab_page: LabPage) -> None:
    page, asked = lab_page.page, list[dict[str, Any]]()
    page.on("request", lambda request: "/api/windows" in request.url and asked.append(request.post_data_json))
    lab_page.open(seeded).sidebar()
    runs = {id: lab_page.row(name).get_attribute("data-run-id") for id, name in SIDES.items()}
    lab_page.command("trackside:open-compare", {"runs": [runs["left"]], "id": "left"})
    lab_page.chart("loss", lines=1)
    lab_page.command("trackside:open-compare", {"runs": [runs["right"]], "id": "right"})
    page.evaluate(
        """() => { const widgets = [...jupyterapp.shell.widgets('main')];
             const [left, right] = ['left', 'right'].map(id => widgets.find(w => w.id === id));
             jupyterapp.shell.add(right, 'main', { ref: left.id, mode: 'split-right' }) }"""
    )
    charts = page.locator(".jp-trackside-compare:visible [data-metric][data-lines='1']")
    page.wait_for_function(
        """() => { const nodes = [...document.querySelectorAll('.jp-trackside-compare [data-lines="1"]')];
             return nodes.filter(n => n.dataset.metric === 'loss').length === 2
                 && nodes.every(n => n.getAttribute('aria-busy') === 'false') }"""
    )
    expect(charts.first).to_be_visible()
    loss = [one for one in asked if one["metric"] == "loss"]
    for run in runs.values():
        widths = [one["width"] for one in loss if one["runs"] == [run]]
        assert widths.count(widths[-1]) == 1, f"asked for {widths}"


def test_a_chart_says_that_it_is_busy_until_its_answer_is_there(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    held: list[Any] = []
    lab_page.page.route("**/trackside/api/windows*", lambda route: held.append(route))
    view = lab_page.compare("slow")
    chart = view.locator("[data-metric=loss]")
    expect(chart).to_have_attribute("aria-busy", "true")
    for route in held:
        route.continue_()
    lab_page.page.unroute("**/trackside/api/windows*")
    expect(chart).to_have_attribute("aria-busy", "false")
    lab_page.chart("loss", lines=1)
