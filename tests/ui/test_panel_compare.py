"""The comparison: true lines, zoom, axes, table, outputs; live, themed, restored."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage
Live = Any  # subprocess.Popen[str], with pipes

X_AXIS, Y_AXIS = "select[data-axis=x]", "select[data-axis=y]"
HOSTILE_HTML = (
    "<b>bold result</b><img src='data:image/png;base64,eA==' onerror='window.hacked=1'>"
    "<script>window.hacked=2</script>"
    "<a href='javascript:window.hacked=3'>link</a>"
)

SEED = f"""
import json, math, random
from kernel_magics import tracking

def output(run, kind, content):
    run.record_output("c1", kind, json.dumps(content).encode())

random.seed(7)
for name, lr in [("slow", 0.001), ("medium", 0.01), ("fast", 0.1)]:
    config = {{"lr": lr, "batch": 64, "opt": {{"name": "sgd"}}}}
    run = tracking.init(project="digits", name=name, config=config)
    run.record_cell({{"key": "c1", "cell_id": "abc", "execution_count": 3, "source": "%%track\\ntrain()",
                      "started": 1.0, "notebook": "n.ipynb", "name": name}})
    for step in range(30):
        run.log({{"loss": math.exp(-step * lr) + lr, "acc": 1 - math.exp(-step * lr)}})
    run.log_inferred({{"guess": lr}}, step=1)
    output(run, "stream", {{"name": "stdout", "text": f"trained {{name}}\\n"}})
    data = {{"text/html": {HOSTILE_HTML!r}, "text/plain": "bold"}}
    output(run, "display_data", {{"data": data, "metadata": {{}}}})
    run.finish()

both = tracking.init(project="digits", name="both")
for step in range(200):
    both.log({{"loss": 1 / (step + 1)}}, step=step)
for epoch in range(3):
    both.log_inferred({{"loss": 10.0 + epoch}}, step=epoch)
both.finish()

spiky = tracking.init(project="digits", name="spiky", config={{"lr": 9.0}})
for step in range(20_000):
    value = 500.0 if step == 12_345 else float("nan") if step == 777 else 1 + 0.1 * math.sin(step / 50)
    spiky.log({{"norm": value}})
spiky.finish()

try:
    broken = tracking.init(project="digits", name="broken")
    broken.log({{"loss": 1.0}})
    raise ValueError("no such digit")
except ValueError as error:
    broken.finish("failed", error)
"""

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


def ink(chart: Locator) -> int:
    """How many pixels of the chart's canvases are painted."""
    return sum(
        canvas.evaluate(
            """node => { const c = node.getContext('2d'); if (!c || !node.width) return 0;
                         const d = c.getImageData(0, 0, node.width, node.height).data;
                         let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n }"""
        )
        for canvas in chart.locator("canvas").all()
    )


def test_three_runs_are_three_lines_of_one_chart_with_true_last_values(
    seeded: Lab, lab_page: LabPage
) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("slow", "medium", "fast")
    drawn = lab_page.drawn(lab_page.chart("loss", lines=3))
    expected = {
        name: math.exp(-29 * lr) + lr for name, lr in [("slow", 0.001), ("medium", 0.01), ("fast", 0.1)]
    }
    assert set(drawn) == set(expected)
    for name, value in expected.items():
        assert drawn[name]["y"][-1] == pytest.approx(value, rel=1e-12)
        assert drawn[name]["x"] == list(range(30))


def test_runs_have_different_colours_the_same_as_in_the_sidebar(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("slow", "medium", "fast")
    look = "node => node.getAttribute('stroke') + node.getAttribute('stroke-dasharray')"
    chips = view.locator(".jp-trackside-chip").all()
    looks = {chip.get_attribute("data-run-id"): chip.locator("line").evaluate(look) for chip in chips}
    assert len(set(looks.values())) == 3
    for run, seen in looks.items():
        row = lab_page.page.locator(f"#trackside-sidebar [data-run-id='{run}']")
        assert row.locator("line").evaluate(look) == seen


def test_an_inferred_metric_is_marked_inferred(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("slow")
    expect(lab_page.chart("guess", lines=1).get_by_text("inferred", exact=True)).to_be_visible()
    expect(lab_page.chart("loss", lines=1).get_by_text("inferred", exact=True)).to_have_count(0)


def test_a_logged_and_an_inferred_metric_of_one_name_are_two_charts_with_axes_of_their_own(
    seeded: Lab, lab_page: LabPage
) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("both")
    logged, inferred = (view.locator(f"[data-metric=loss][data-source={s}]") for s in ("logged", "inferred"))
    for chart in (logged, inferred):
        chart.scroll_into_view_if_needed()
        expect(chart).to_have_attribute("data-lines", "1")
    assert len(lab_page.drawn(logged)["both"]["y"]) == 200
    assert lab_page.drawn(inferred)["both"]["y"] == [10.0, 11.0, 12.0]
    span = "node => node.trackside.view().end"
    assert logged.evaluate(span) > 199
    assert inferred.evaluate(span) < 3
    expect(view.get_by_role("button", name="Read from output")).to_be_visible()


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


def test_metrics_that_cannot_be_read_are_said_and_read_later(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.expected.append("503")
    lab_page.open(seeded).sidebar()
    page, answers = lab_page.page, [0]

    def refuse(route: Any) -> None:
        answers[0] += 1
        route.fulfill(status=503, json={"message": "The index is being built.", "remedy": None})

    page.route("**/trackside/api/metrics*", refuse)
    view = lab_page.compare("slow")
    expect(view.get_by_text("The index is being built.")).to_be_visible()
    expect(page.locator("#trackside-sidebar [data-feed]")).to_have_count(0)
    page.unroute("**/trackside/api/metrics*")
    lab_page.chart("loss", lines=1)
    expect(view.get_by_text("The index is being built.")).to_have_count(0)


def test_a_spike_among_thousands_of_points_is_in_the_picture(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("spiky")
    chart = lab_page.chart("norm", lines=1)
    line = lab_page.drawn(chart)["spiky"]
    assert len(line["x"]) < 4000, "the server reduced it to the chart's width"
    assert max(line["high"]) == 500.0
    assert len(line["marks"]) == 1, "one NaN, one mark"


def test_hovering_tells_value_step_run_and_points_behind(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("spiky")
    chart = lab_page.chart("norm", lines=1)
    box = chart.locator(".jp-trackside-plot").bounding_box()
    lab_page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = chart.locator(".jp-trackside-tip")
    expect(tip).to_contain_text("step ")
    expect(tip).to_contain_text("spiky")
    expect(tip).to_contain_text("points: min")
    lab_page.page.mouse.move(5, 5)
    expect(tip).to_be_hidden()


def test_the_crosshair_stands_at_the_same_step_in_every_chart(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("slow", "fast")
    loss, acc = lab_page.chart("loss", lines=2), lab_page.chart("acc", lines=2)
    box = loss.locator(".jp-trackside-plot").bounding_box()
    lab_page.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(loss.locator(".jp-trackside-crosshair")).to_be_visible()
    expect(acc.locator(".jp-trackside-crosshair")).to_be_visible()
    expect(acc.locator(".jp-trackside-tip")).to_be_hidden()


def test_zooming_brings_every_point_and_a_double_click_everything(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("spiky")
    chart = lab_page.chart("norm", lines=1)
    whole = chart.evaluate("node => node.trackside.view()")
    box = chart.locator(".jp-trackside-plot").bounding_box()
    page, middle = lab_page.page, box["y"] + box["height"] / 2

    def zoom(start: float, stop: float) -> None:
        """Drags over a part of the chart, from and to in shares of its width."""
        before = chart.evaluate("node => node.trackside.view()")
        page.mouse.move(box["x"] + start * box["width"], middle)
        page.mouse.down()
        page.mouse.move(box["x"] + stop * box["width"], middle, steps=4)
        page.mouse.up()
        page.wait_for_function(
            "old => { const v = document.querySelector('[data-metric=norm]').trackside.view();"
            " return v.end - v.start < (old.end - old.start) / 3 }",
            arg=before,
        )

    zoom(0.5, 0.65)
    zoom(0.5, 0.6)
    raw = "() => { const [l] = document.querySelector('[data-metric=norm]').trackside.drawn();"
    page.wait_for_function(raw + " return l.low.length === 0 && l.x.length > 50 && l.x[1] - l.x[0] === 1 }")
    page.mouse.dblclick(box["x"] + box["width"] / 2, middle)
    page.wait_for_function(raw + " return l.low.length > 0 && l.x.at(-1) === 19999 }")
    assert chart.evaluate("node => node.trackside.view()") == whole


def test_the_x_axis_can_be_time_and_the_y_axis_logarithmic(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("slow", "fast")
    lab_page.chart("loss", lines=2)
    page = lab_page.page
    page.locator(X_AXIS).select_option("relative")
    last_x = "document.querySelector('[data-metric=loss]').trackside.drawn().map(l => l.x.at(-1))"
    both = f"() => {{ const x = {last_x}; return x.length === 2 && x.every(IS) }}"
    page.wait_for_function(both.replace("IS", "v => v > 0 && v < 20"))
    page.locator(X_AXIS).select_option("time")
    page.wait_for_function(both.replace("IS", "v => v > 1e9"))
    page.locator(Y_AXIS).select_option("log")
    assert ink(lab_page.chart("loss", lines=2)) > 0
    expect(view).to_be_visible()


def test_the_table_marks_differences_and_can_show_only_them(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("slow", "fast")
    config = view.locator("tbody[data-group=config]")
    expect(config.locator("tr[data-key=lr]")).to_have_attribute("data-differs", "true")
    expect(config.locator("tr[data-key=lr] td")).to_have_text(["0.001", "0.1"])
    assert config.locator("tr[data-key=batch]").get_attribute("data-differs") is None
    view.get_by_label("Only differences").check()
    expect(config.locator("tr[data-key=batch]")).to_have_count(0)
    expect(config.locator("tr[data-key=lr]")).to_have_count(1)


def test_outputs_stand_side_by_side_and_run_no_script(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("slow", "fast")
    columns = view.locator(".jp-trackside-column")
    columns.first.scroll_into_view_if_needed()
    expect(columns.nth(0)).to_contain_text("trained slow")
    expect(columns.nth(1)).to_contain_text("trained fast")
    expect(columns.nth(0).locator("b")).to_have_text("bold result")
    assert columns.locator("script").count() == 0
    assert columns.locator("[onerror]").count() == 0
    assert columns.locator("a[href^='javascript']").count() == 0
    assert lab_page.page.evaluate("window.hacked") is None


def test_a_failed_run_shows_its_traceback(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("broken")
    column = view.locator(".jp-trackside-column")
    column.scroll_into_view_if_needed()
    expect(column).to_contain_text("ValueError")
    expect(column).to_contain_text("no such digit")


def test_a_theme_switch_redraws_every_chart_on_screen(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("slow", "fast")
    chart = lab_page.chart("loss", lines=2)
    key = lab_page.page.locator(".jp-trackside-chip line").first
    light = key.get_attribute("stroke")
    before = chart.locator("canvas").first.element_handle()
    lab_page.theme("JupyterLab Dark")
    expect(key).not_to_have_attribute("stroke", light or "")
    lab_page.page.wait_for_function("node => !node.isConnected", arg=before)
    chart = lab_page.chart("loss", lines=2)
    assert ink(chart) > 1000
    assert set(lab_page.drawn(chart)) == {"slow", "fast"}
    lab_page.theme("JupyterLab Light")
    expect(key).to_have_attribute("stroke", light or "")


def test_a_reload_brings_the_view_back_with_runs_axis_and_folds(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("slow", "medium", "fast")
    lab_page.chart("loss", lines=3)
    lab_page.page.locator(X_AXIS).select_option("relative")
    view.get_by_role("button", name="Outputs").click()
    with lab_page.page.expect_response(lambda r: "/api/workspaces" in r.url and r.request.method == "PUT"):
        pass
    lab_page.open(seeded, reset=False)
    view = lab_page.page.locator(".jp-trackside-compare:visible")
    expect(view.locator(".jp-trackside-chip")).to_have_count(3)
    assert len(lab_page.drawn(lab_page.chart("loss", lines=3))) == 3
    expect(lab_page.page.locator(X_AXIS)).to_have_value("relative")
    expect(view.get_by_role("button", name="Outputs")).to_have_attribute("aria-expanded", "false")


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
