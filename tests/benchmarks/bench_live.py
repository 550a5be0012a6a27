"""The panel's charts while 20 runs go on: from log() to the picture, and the memory of a tab over an hour.

The hour passes on a fast clock: what the server would push of 20 runs goes into the page's own socket, every
frame half of the charts, four seconds on. The memory is what is left after the garbage was collected: of
scripts, of what the browser keeps for them, and of arrays.

    python tests/benchmarks/bench_live.py [--quick] [--json FILE]
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from bench_charts import METRICS, _page, _ui
from measurement import Measurement, command_line, measurement
from playwright.sync_api import Page

RUNS = 20
SAMPLES = 12
"""Of the tab's memory, evenly over the hour."""
CLOCK = 4
"""Seconds that pass in a frame."""
WIDEST = 600
"""How many buckets a window comes to."""
LIVE = f"""
import sys, threading, time
import kernel_magics as km
quiet = {{"packages": False, "diff": False}}
runs = [km.init("bench", f"run {{n}}", capture=quiet, nested=True) for n in range({RUNS})]
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
print(" ".join(run.id for run in runs), flush=True)
while not over.is_set():
    for run in runs:  # each twice a second
        run.log(dict.fromkeys({METRICS}, time.time()))
        over.wait(0.5 / {RUNS})
for run in reversed(runs):
    run.finish()
"""
SOCKET = """
window.bench = { feed: null, watch: null };
window.WebSocket = class extends WebSocket {
  constructor(...args) {
    super(...args);
    if (String(args[0]).includes('/trackside/api/feed')) window.bench.feed = this;
  }
  send(data) {
    const said = window.bench.feed === this ? JSON.parse(data) : {};
    if (said.type === 'watch') window.bench.watch = said;
    super.send(data);
  }
};
"""
# A value is the second in which it was logged. It counts when the frame after the next has begun: by then
# what was drawn is in the picture.
SAMPLE = """seconds => new Promise(done => {
  const node = document.querySelector('.jp-trackside-compare [data-metric="train/loss"]');
  const newest = new Map(), late = [], end = Date.now() + seconds * 1000;
  const look = () => {
    const seen = [];
    for (const { run, y } of node.trackside.drawn()) {
      const last = y.at(-1);
      if (newest.has(run) && last > newest.get(run)) seen.push(last);
      newest.set(run, last);
    }
    if (seen.length) requestAnimationFrame(() => requestAnimationFrame(
      () => seen.forEach(logged => late.push(Date.now() - logged * 1000))));
    Date.now() < end ? requestAnimationFrame(look) : done(late);
  };
  look();
})"""
ENDED = """async () => { const { serverSettings } = jupyterapp.serviceManager;
  const headers = { Authorization: `token ${serverSettings.token}` };
  const { runs } = await (await fetch(serverSettings.baseUrl + 'trackside/api/runs', { headers })).json();
  return runs.every(run => run.status === 'finished') }"""
# Seconds `from` to `to` of runs that began at 0: losses that fall, with a little noise, and a band as soon as
# there are more seconds than buckets.
PUSH = """async ({ from, to, clock, most }) => {
  const base64 = array => {
    const bytes = new Uint8Array(array.buffer);
    let text = '';
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return btoa(text);
  };
  const floats = array => ({ dtype: 'float64', base64: base64(array) });
  const counts = (n, value) => ({ dtype: 'int32', base64: base64(new Int32Array(n).fill(value)) });
  const { feed, watch } = window.bench;
  const half = Math.ceil(watch.series.length / 2);
  const push = (second, index) => {
    const n = Math.min(second, most), each = second / n, raw = n === second;
    const of = value => floats(Float64Array.from({ length: n }, (_, i) => value(i)));
    const { metric, source, runs, x } = watch.series[index];
    const none = counts(n, 0), count = counts(n, Math.ceil(each));
    const windows = runs.map((run, place) => {
      const loss = Float64Array.from({ length: n }, (_, i) =>
        place / 10 + Math.exp(-i * each / 900) + Math.random() / 50);
      const value = of(i => loss[i]), room = raw ? 0 : 0.02;
      return { run, metric, x_kind: x, raw, points: second, x: of(i => (i + 1) * each),
        last: value, first: value, min: of(i => loss[i] - room), max: of(i => loss[i] + room),
        count, nan: none, posinf: none, neginf: none };
    });
    const message = { type: 'series', watch: watch.id, index, metric, source, windows };
    feed.onmessage({ data: JSON.stringify(message) });
  };
  for (let second = from; second < to; second += clock) {
    const first = second / clock % 2 < 1 ? 0 : half;
    watch.series.slice(first, first + half).forEach((_, i) => push(second, first + i));
    await new Promise(requestAnimationFrame);
  }
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""
TAIL = """() => {
  const node = document.querySelector('.jp-trackside-compare [data-metric="train/loss"]');
  return Math.max(...node.trackside.drawn().map(line => line.x.at(-1)));
}"""


def run(quick: bool) -> list[Measurement]:
    """All measurements, each ``{name, value, unit, budget, within, …}``."""
    ui = _ui()
    scratch = tempfile.TemporaryDirectory(prefix="trackside-bench-", ignore_cleanup_errors=True)
    with scratch as folder, ui.running_lab(Path(folder) / "lab") as lab, _page() as page:
        page.add_init_script(SOCKET)
        driver = ui.LabPage(page)
        with lab.process(LIVE) as live:
            assert live.stdout is not None
            _open(driver, lab, live.stdout.readline().split())
            page.wait_for_timeout(2000)  # until the first answers are drawn
            late = sorted(page.evaluate(SAMPLE, 5 if quick else 20))
        # The runs have ended: what is pushed from now on is the fast clock's alone.
        driver.eventually(ENDED)
        latency = measurement(
            f"log() to picture with {RUNS} live runs, p95",
            late[len(late) * 95 // 100],
            "ms",
            500,
            p50=late[len(late) // 2],
            values=len(late),
        )
        return [latency, *_hour(page, 720 if quick else 3600)]


def _open(driver: Any, lab: Any, ids: list[str]) -> None:
    """The comparison of these runs, once all of them are in every chart."""
    driver.open(lab).sidebar()
    driver.command("trackside:open-compare", {"runs": ids})
    drawn = f"[data-source=logged][data-lines='{len(ids)}']"
    driver.page.wait_for_function(
        "([css, n]) => document.querySelectorAll(css).length >= n",
        arg=[f".jp-trackside-compare {drawn}", len(METRICS)],
        timeout=60_000,
    )


class _Tab:
    """What the tab holds, after the garbage was collected."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def held(self) -> tuple[float, int, int]:
        """Memory in MiB, elements and other nodes, listeners."""
        for _ in range(3):  # what one collection finds may be what kept something else
            self._session.send("HeapProfiler.collectGarbage")
        heap = self._session.send("Runtime.getHeapUsage")
        counters = self._session.send("Memory.getDOMCounters")
        kinds = ("usedSize", "embedderHeapUsedSize", "backingStorageSize")
        memory = sum(heap.get(kind, 0) for kind in kinds) / 2**20
        return memory, counters["nodes"], counters["jsEventListeners"]


def _hour(page: Page, seconds: int) -> list[Measurement]:
    """What the tab holds in the course of so many seconds of pushes; a quarter of them fills it."""
    tab, part = _Tab(page), seconds // SAMPLES
    held = []
    for start in range(0, seconds, part):
        push = {"from": start + CLOCK, "to": start + part + CLOCK, "clock": CLOCK, "most": min(WIDEST, part)}
        page.evaluate(PUSH, push)
        held.append(tab.held())
    if page.evaluate(TAIL) < seconds - 2 * CLOCK:
        raise SystemExit("The page does not show what was pushed: the memory of that hour says nothing.")
    memory, nodes, listeners = zip(*held, strict=True)
    quarter = SAMPLES // 4 - 1
    late = max(memory[SAMPLES // 2 :])
    what = f"{seconds // 60} minutes of {RUNS} live runs"
    samples = [[(place + 1) * part / 60, round(one, 2)] for place, one in enumerate(memory)]
    return [
        measurement(
            f"{what}: memory in the second half, times that after the first quarter",
            late / memory[quarter],
            "×",
            1.25,
            quarter_mib=memory[quarter],
        ),
        measurement(f"{what}: the most memory in the second half", late, "MiB", 128, samples=samples),
        _gained(f"{what}: elements gained since the first quarter", nodes[quarter:], 300),
        _gained(f"{what}: listeners gained since the first quarter", listeners[quarter:], 50),
    ]


def _gained(name: str, counted: tuple[int, ...], budget: int) -> Measurement:
    gained = max(0, counted[-1] - counted[0])
    return measurement(name, gained, "", budget, first=counted[0])


if __name__ == "__main__":
    command_line(__doc__, run)
