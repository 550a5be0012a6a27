"""The panel's charts in a real Chromium: 100 runs in six charts, from the data to the picture, and zoomed.

Painting is software here: no GPU takes part. The yardstick of the first paint is one chart of one run on the
same page.

    python tests/benchmarks/bench_charts.py [--quick] [--json FILE]
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from measurement import command_line, measurement
from playwright.sync_api import Page, sync_playwright

METRICS = ("train/loss", "train/acc", "val/loss", "val/acc", "lr", "grad_norm")
POINTS = 1000
SECONDS = 3.0
"""How long somebody turns the wheel."""
SEED = """
import math, random, sys
import kernel_magics as km
random.seed(1)
for number in range(int(sys.argv[1])):
    quiet = {{"packages": False, "diff": False}}
    with km.init("bench", f"run {{number}}", {{"lr": number}}, capture=quiet) as run:
        for step in range({points}):
            value = math.exp(-step * number / 1e5) + random.random() / 9
            run.log({{name: value * (place + 1) for place, name in enumerate({metrics})}}, step=step)
"""
WATCH = """lines => {
  const charts = '.jp-trackside-compare [data-metric][data-source=logged]';
  const painted = () => [...document.querySelectorAll(charts)]
    .filter(node => node.dataset.lines === String(lines)).length;
  window.whenPainted = count => new Promise(done => {
    const look = () => painted() >= count
      ? requestAnimationFrame(() => setTimeout(() => done(performance.now()), 0))
      : requestAnimationFrame(look);
    look();
  });
}"""
ANSWERED = """() => Math.max(...performance.getEntriesByType('resource')
  .filter(entry => entry.name.includes('/api/windows')).map(entry => entry.responseEnd))"""
COUNT_VIEWS = """seconds => new Promise(done => {
  const node = document.querySelector('.jp-trackside-compare [data-metric]'), begun = performance.now();
  let before = null, frames = 0;
  const look = () => {
    const { start, end } = node.trackside.view(), now = `${start} ${end}`;
    frames += before !== null && now !== before;
    before = now;
    const passed = performance.now() - begun;
    passed < seconds * 1000 ? requestAnimationFrame(look) : done(frames / passed * 1000);
  };
  look();
})"""


def run(quick: bool) -> list[dict[str, Any]]:
    """All measurements, each ``{name, value, unit, budget, within, …}``."""
    count, turns = (30, 1) if quick else (100, 3)
    ui = _ui()
    scratch = tempfile.TemporaryDirectory(prefix="trackside-bench-", ignore_cleanup_errors=True)
    with scratch as folder, ui.running_lab(Path(folder) / "lab") as lab, _page() as page:
        seed = SEED.format(points=POINTS, metrics=METRICS)
        lab.python(f"import sys; sys.argv = ['seed', '{count}']\n{seed}")
        driver = ui.LabPage(page)
        paints = [_first_paint(driver, lab, count) for _ in range(turns)]
        zooms = [_zoom(page) for _ in range(turns)]
        alone = [_first_paint(driver, lab, 1) for _ in range(turns)]
    paint = min(paints)
    where = f"{count} runs × {POINTS:,} points in {len(METRICS)} charts"
    return [
        measurement(
            f"{where}: data to picture", paint, "ms", 1500, yardstick={"one run": round(min(alone), 1)}
        ),
        measurement(f"{where}: zooming", max(zooms), "frames/s", 15),
    ]


def _ui() -> ModuleType:
    """How the UI tests start JupyterLab and drive its page."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    return importlib.import_module("tests.ui.jupyterlab")


@contextmanager
def _page() -> Iterator[Page]:
    wanted = os.environ.get("TRACKSIDE_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if wanted is None:
        raise SystemExit("There is no Chromium on PATH: apt-get install chromium, or set TRACKSIDE_CHROMIUM.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=wanted, headless=True, args=_ui().FLAGS)
        try:
            yield browser.new_page(viewport={"width": 1600, "height": 900})
        finally:
            browser.close()


def _first_paint(driver: Any, lab: Any, count: int) -> float:
    """Milliseconds from the last window's arrival to the frame with all lines of all charts."""
    driver.open(lab).sidebar()
    page: Page = driver.page
    ids = _run_ids(page, count)
    page.evaluate(WATCH, count)
    page.evaluate("() => performance.clearResourceTimings()")
    driver.command("trackside:open-compare", {"runs": ids})
    painted = page.evaluate("count => window.whenPainted(count)", len(METRICS))
    return float(painted - page.evaluate(ANSWERED))


def _run_ids(page: Page, count: int) -> list[str]:
    """The first so many runs, once all of them are indexed."""
    until = time.monotonic() + 60
    while True:
        answer = page.evaluate(
            """async () => { const { serverSettings } = jupyterapp.serviceManager;
                 const url = serverSettings.baseUrl + 'trackside/api/runs';
                 const headers = { Authorization: `token ${serverSettings.token}` };
                 return (await (await fetch(url, { headers })).json()).runs }"""
        )
        ids = sorted(run["id"] for run in answer if run["status"] == "finished")
        if len(ids) >= count:
            return ids[:count]
        if time.monotonic() > until:
            raise SystemExit(f"{len(ids)} of {count} runs were indexed within a minute.")
        page.wait_for_timeout(100)


def _zoom(page: Page) -> float:
    """Frames a second with another view while somebody turns the wheel to and fro over a chart; the others
    follow when it rests."""
    box = page.locator(".jp-trackside-compare [data-metric] .jp-trackside-plot").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.keyboard.down("Control")
    counting = page.evaluate_handle(f"() => ({{ done: ({COUNT_VIEWS})({SECONDS}) }})")
    until, turn = time.monotonic() + SECONDS, 0
    while time.monotonic() < until:
        page.mouse.wheel(0, -60 if turn // 10 % 2 == 0 else 60)
        turn += 1
    page.keyboard.up("Control")
    frames = float(page.evaluate("async counting => await counting.done", counting))
    page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    return frames


if __name__ == "__main__":
    command_line(__doc__, run)
