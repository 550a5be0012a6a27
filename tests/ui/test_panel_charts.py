"""Charts as things to work with: found by name, in parts, full screen, as data and as pictures."""

from __future__ import annotations

import csv
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage
Live = Any  # subprocess.Popen[str], with pipes

SEED = """
from kernel_magics import tracking
for name, rate in [("slow", 0.125), ("fast", 0.5)]:
    run = tracking.init(project="digits", name=name)
    for step in range(50):
        nan = float("nan")
        run.log({"train/loss": rate * step, "val/loss": rate, "val/acc": nan, "plain": 1.0}, step=step)
    run.finish()
"""
LIVE = """
import sys
from kernel_magics import tracking
run = tracking.init(project="digits", name="live one")
for line in sys.stdin:
    run.log({"jagged": float(line)})
    print("logged", flush=True)
run.finish()
"""


@pytest.fixture(scope="module")
def seeded(lab: Lab) -> Lab:
    lab.python(SEED)
    return lab


def log(live: Live, value: float) -> None:
    """Lets the live run log a value, and returns when it has."""
    live.stdin.write(f"{value}\n")
    live.stdin.flush()
    assert live.stdout.readline() == "logged\n"


def menu(chart: Locator, item: str) -> None:
    """Chooses from the chart's menu, by keyboard."""
    chart.get_by_role("button", name="More of").press("Enter")
    page = chart.page
    page.get_by_role("menuitem", name=item).wait_for()
    for _ in range(10):
        page.keyboard.press("ArrowDown")
        if page.locator(".lm-Menu-item.lm-mod-active").text_content() == item:
            break
    page.keyboard.press("Enter")


def test_metrics_stand_in_parts_by_prefix_and_are_found_by_name(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("slow", "fast")
    lab_page.chart("train/loss", lines=2)
    metrics = view.locator("[data-section=metrics]")
    assert metrics.locator("[data-prefix]").evaluate_all("l => l.map(n => n.dataset.prefix)") == [
        "",
        "train",
        "val",
    ]
    train = metrics.locator("[data-prefix=train] button[aria-expanded]").first
    train.click()
    expect(metrics.locator("[data-metric='train/loss']")).to_be_hidden()
    train.click()
    lab_page.chart("train/loss", lines=2)
    box = view.locator("xpath=..").get_by_label("Search metrics")
    box.press_sequentially("val LO")
    expect(metrics.locator("[data-metric]:visible")).to_have_count(1)
    lab_page.chart("val/loss", lines=2)
    box.fill("/^(train|plain)/")
    expect(metrics.locator("[data-metric]:visible")).to_have_count(2)
    box.fill("/(/")
    expect(view.locator(".jp-trackside-problem")).to_contain_text("no regular expression")
    expect(metrics.locator("[data-metric]:visible")).to_have_count(4)


def test_one_chart_fills_the_page_until_escape_and_the_focus_comes_back(
    seeded: Lab, lab_page: LabPage
) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("slow", "fast")
    chart = lab_page.chart("train/loss", lines=2)
    small = chart.locator("canvas").first.evaluate("node => node.clientHeight")
    menu(chart, "Full Screen")
    page = lab_page.page
    dialog = page.get_by_role("dialog", name="train/loss")
    canvas = dialog.locator("canvas").first
    page.wait_for_function("n => n.clientHeight > 700", arg=canvas.element_handle())
    assert set(lab_page.drawn(chart)) == {"slow", "fast"}
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    canvas = chart.locator("canvas").first
    page.wait_for_function("([n, h]) => n.clientHeight === h", arg=[canvas.element_handle(), small])
    expect(chart.get_by_role("button", name="More of")).to_be_focused()
    assert set(lab_page.drawn(chart)) == {"slow", "fast"}


def test_a_chart_becomes_csv_and_a_picture(seeded: Lab, lab_page: LabPage) -> None:
    page = lab_page.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    lab_page.open(seeded).sidebar()
    lab_page.compare("slow", "fast")
    chart = lab_page.chart("train/loss", lines=2)
    with page.expect_download() as saved:
        menu(chart, "Save What Is Seen as CSV")
    assert saved.value.suggested_filename == "train_loss.csv"
    with saved.value.path().open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["value"]) for row in rows if row["name"] == "fast"] == [
        0.5 * step for step in range(50)
    ]
    assert len(rows) == 100
    with page.expect_download() as saved:
        menu(chart, "Save as PNG")
    assert saved.value.suggested_filename == "train_loss.png"
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")
    menu(chart, "Copy as PNG")
    # The clipboard is written piece by piece: what is read meanwhile is refused.
    colours = """async () => {
        const png = await navigator.clipboard.read()
            .then(([item]) => item.getType('image/png')).catch(() => null);
        if (!png) return null;
        const image = await createImageBitmap(png);
        const { width, height } = image;
        const c = Object.assign(document.createElement('canvas'), { width, height });
        const context = c.getContext('2d'); context.drawImage(image, 0, 0);
        const d = context.getImageData(0, 0, c.width, c.height).data, seen = new Set();
        for (let i = 0; i < d.length; i += 4) seen.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]);
        return [...seen].map(n => '#' + n.toString(16).padStart(6, '0')) }"""
    seen = lab_page.eventually(colours)
    for stroke in page.locator(".jp-trackside-chip line").evaluate_all(
        "l => l.map(n => n.getAttribute('stroke'))"
    ):
        assert stroke.lower() in seen


def test_a_smoothed_line_follows_the_run_and_what_was_recorded_stays_behind_it(
    seeded: Lab, lab_page: LabPage
) -> None:
    def smoothed(values: list[float], weight: float) -> list[float]:
        """Debiased exponential moving average."""
        mean, means = 0.0, []
        for n, value in enumerate(values, 1):
            mean = weight * mean + (1 - weight) * value
            means.append(mean / (1 - weight**n))
        return means

    def shows(values: list[float], weight: float) -> None:
        lab_page.page.wait_for_function(
            """([values, means]) => {
                const [line] = document.querySelector('[data-metric=jagged]').trackside.drawn();
                const near = (a, b) => a.length === b.length && a.every((v, i) => Math.abs(v - b[i]) < 1e-9);
                return near(line.y, values) && near(line.smooth, means) }""",
            arg=[values, smoothed(values, weight) if weight else []],
        )

    with seeded.process(LIVE) as live:
        values = [float(step % 7) for step in range(20)]
        for value in values:
            log(live, value)
        lab_page.open(seeded).sidebar()
        view = lab_page.compare("live one")
        lab_page.chart("jagged", lines=1)
        shows(values, 0)
        slider = view.locator("xpath=..").get_by_role("slider", name="Smoothing")
        slider.fill("0.9")
        shows(values, 0.9)
        log(live, 50.0)
        values.append(50.0)
        shows(values, 0.9)
        slider.fill("0")
        shows(values, 0)


def test_pointing_at_a_run_anywhere_brings_it_forward_everywhere(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("slow", "fast")
    lab_page.chart("train/loss", lines=2)
    chip = view.locator(".jp-trackside-chip").filter(has_text="fast")
    lab_page.row("fast").hover()
    expect(chip).to_have_class("jp-trackside-chip jp-mod-pointed")
    chip.hover()
    expect(lab_page.row("fast")).to_contain_class("jp-mod-pointed")
    expect(lab_page.row("slow")).not_to_contain_class("jp-mod-pointed")
    lab_page.page.mouse.move(700, 895)
    expect(chip).to_have_class("jp-trackside-chip")


def test_a_pinned_chart_stands_first_also_after_a_reload(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    view = lab_page.compare("slow", "fast")
    names = "l => l.map(n => n.dataset.metric)"
    charts = view.locator("[data-section=metrics] [data-metric]")
    expect(charts).to_have_count(4)
    menu(lab_page.chart("val/loss", lines=2), "Pin or Unpin")
    assert charts.evaluate_all(names)[0] == "val/loss"
    menu(lab_page.chart("train/loss", lines=2), "Move Earlier")
    assert charts.evaluate_all(names)[:2] == ["train/loss", "val/loss"]
    assert set(lab_page.drawn(lab_page.chart("val/loss", lines=2))) == {"slow", "fast"}
    with lab_page.page.expect_response(lambda r: "/api/workspaces" in r.url and r.request.method == "PUT"):
        menu(lab_page.chart("val/loss", lines=2), "Move Earlier")
    lab_page.open(seeded, reset=False)
    lab_page.chart("val/loss", lines=2)
    charts = lab_page.page.locator(".jp-trackside-compare:visible [data-section=metrics] [data-metric]")
    assert charts.evaluate_all(names)[:2] == ["val/loss", "train/loss"]
    menu(lab_page.chart("val/loss", lines=2), "Pin or Unpin")
    assert charts.evaluate_all(names)[0] == "train/loss"
