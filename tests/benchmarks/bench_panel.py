"""The run table over ten thousand runs in a real JupyterLab and a real Chromium: paint, filter, sort, scroll.

Needs the built panel (``npm run build:prod``) and Chromium; without them it measures nothing and says so.
What the page's thread computes is measured as processor time, so that a busy machine does not count; beside
it stands what the clock said until the second frame, and the same of two frames in which nothing happens.

    python tests/benchmarks/bench_panel.py [--quick] [--json FILE]
"""

from __future__ import annotations

import importlib
import shutil
import struct
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measurement import Measurement, command_line, measurement

FILTERS = (
    "config.lr < 0.01",
    "config.lr < 0.01 and loss.last < 0.5",
    '"run 77" in name',
    "tags = keep or seed=12",
)
METRICS = ("loss", "acc", "lr")
IN_PAGE = """
window.bench = {
  frames: () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))),
  idle: async () => {
    const began = performance.now();
    await window.bench.frames();
    return performance.now() - began;
  },
  type: async text => {
    const box = document.querySelector('.jp-trackside-runTable input[role=combobox]');
    const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set;
    const began = performance.now();
    set.call(box, text);
    box.dispatchEvent(new Event('input', { bubbles: true }));
    await window.bench.frames();
    return performance.now() - began;
  },
  sort: async column => {
    const began = performance.now();
    document.querySelector(`.jp-trackside-headCell[data-column="${column}"] button`).click();
    await window.bench.frames();
    return performance.now() - began;
  },
  scroll: async step => {
    const grid = document.querySelector('.jp-trackside-runGrid');
    grid.scrollTop = (step * 613 * 7) % (grid.scrollHeight - grid.clientHeight);
    const began = performance.now();
    await window.bench.frames();
    return performance.now() - began;
  }
};
"""


def run(quick: bool) -> list[Measurement]:
    """All measurements; none where there is no panel or no browser."""
    ui = _ui_tests()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or not (ui.BUILT / "package.json").exists():
        print("No Chromium, or the panel is not built: nothing was measured.", file=sys.stderr)
        return []
    from playwright.sync_api import sync_playwright

    count = 2_000 if quick else 10_000
    with (
        tempfile.TemporaryDirectory(prefix="trackside-bench-", ignore_cleanup_errors=True) as folder,
        ui.running_lab(Path(folder, "lab")) as lab,
        sync_playwright() as playwright,
    ):
        _record(lab.data_dir, count)
        lab.python("from kernel_magics.store import open_store; open_store().refresh()")
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=ui.FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        found = _measured(ui.LabPage(page).open(lab), count, turns=2 if quick else 5)
        browser.close()
    return found


def _measured(lab_page: Any, count: int, turns: int) -> list[Measurement]:
    page = lab_page.page
    page.evaluate(IN_PAGE)
    idle = sorted(page.evaluate("bench.idle()") for _ in range(20))[10]
    began = time.perf_counter()
    lab_page.command("trackside:open-table")
    page.locator(".jp-trackside-runTable [data-run-id]").first.wait_for()
    first = (time.perf_counter() - began) * 1e3
    page.locator(".jp-trackside-runTable .jp-trackside-count").get_by_text(f"{count} runs").wait_for()
    meter = _Meter(page)
    texts = [text[:end] for _ in range(turns) for text in FILTERS for end in range(1, len(text) + 1)]
    keys = [meter("t => bench.type(t)", text) for text in texts]
    meter("t => bench.type(t)", " ")
    sorts = [meter("c => bench.sort(c)", column) for _ in range(turns) for column in ("name", "loss.last")]
    jumps = [meter("n => bench.scroll(n)", step) for step in range(40 * turns)]
    page_of = f"table of {count:,} runs"
    return [
        measurement(f"{page_of}: command to first row", first, "ms", 1500.0),
        _cpu(f"{page_of}: the page's CPU per key of a filter, p95", keys, 100.0, idle),
        _cpu(f"{page_of}: the page's CPU to sort by another column, p95", sorts, 100.0, idle),
        _cpu(f"{page_of}: the page's CPU per jump of the scroll bar, p95", jumps, 50.0, idle),
    ]


class _Meter:
    """Calls a function of the page: milliseconds of processor time that its thread needed, whoever else is
    busy, and what the function answered (its own milliseconds until the second frame)."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def __call__(self, function: str, argument: Any) -> tuple[float, float]:
        before = self._spent()
        until_frame = self._page.evaluate(function, argument)
        return self._spent() - before, until_frame

    def _spent(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in metrics if one["name"] == "TaskDuration")) * 1e3


def _cpu(name: str, found: list[tuple[float, float]], budget: float, idle: float) -> Measurement:
    """The 95th percentile of the processor time; beside it what the clock said, and of two empty frames."""
    cpu, frames = [one for one, _ in found], [one for _, one in found]
    yardstick = {"two empty frames": round(idle, 3)}
    return measurement(
        name, _p(cpu, 95), "ms", budget, yardstick=yardstick, p50=_p(cpu, 50), until_frame_p50=_p(frames, 50)
    )


def _record(data_dir: Path, count: int) -> None:
    """So many finished runs as their journals say them, without the seconds that real ones take."""
    from kernel_magics.journal import format as fmt
    from kernel_magics.model import new_run_id

    def frame(kind: fmt.Kind, **content: Any) -> bytes:
        return fmt.pack_frame(kind, fmt.pack_json(content))

    for number in range(count):
        began = 1.79e9 + number
        run_id = new_run_id(began)
        writer = {"id": "w1", "pid": 1, "host": "bench", "role": "main", "rank": None, "world_size": None}
        tags = ["keep"] if number % 50 == 0 else []
        head = {"project": "bench", "name": f"run {number}", "group": f"g{number % 9}", "tags": tags}
        config = {"lr": 10.0 ** -(number % 5), "seed": number % 97, "opt": {"name": "adam", "wd": number % 3}}
        values = struct.pack("<3d", 1.0 / (1 + number % 31), number % 7, 0.5)
        data = [
            frame(fmt.Kind.RUN, id=run_id, created=began, writer=writer, **head),
            frame(fmt.Kind.CONFIG, **config),
            *(frame(fmt.Kind.METRIC, id=i, name=name, source="logged") for i, name in enumerate(METRICS)),
            frame(fmt.Kind.LAYOUT, id=0, metrics=[0, 1, 2]),
            fmt.pack_frame(fmt.Kind.POINTS, fmt.POINTS_HEAD.pack(0, 5, began + 1) + values),
            frame(fmt.Kind.FINISH, time=began + 60, status="finished", detail=""),
        ]
        folder = data_dir / "runs" / run_id
        folder.mkdir(parents=True)
        (folder / "w1.journal").write_bytes(fmt.pack_header() + b"".join(data))


def _p(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def _ui_tests() -> Any:
    """The JupyterLab and the page of the browser tests."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    return importlib.import_module("tests.ui.jupyterlab")


if __name__ == "__main__":
    command_line(__doc__, run)
