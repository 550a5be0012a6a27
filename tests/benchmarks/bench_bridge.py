"""A notebook's cell through the bridge, each figure beside a plain kernel, alternating in the same run.

python tests/benchmarks/bench_bridge.py [--quick] [--json FILE]
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measurement import beside_plain, command_line, seconds

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.kernel_magics.bridge.conftest import own_environment  # noqa: E402 - found by the path above
from tests.kernel_magics.bridge.notebook_driver import Notebook, no_orphans, release_all  # noqa: E402
from tests.waiting import UNTIL_INTERRUPTED  # noqa: E402

_TEXT_BYTES = 100_000_000
_DISPLAYS = (
    "from IPython.display import publish_display_data as p\n"
    "for i in range({count}): p({{'application/x': {{'i': i, 'p': 'x' * 200}}}})"
)


def run(quick: bool) -> list[dict[str, Any]]:
    """All measurements, each ``{name, value, unit, budget, within, yardstick}``; beside a plain kernel."""
    with _own_folders() as (environ, root):
        started = _start(environ, root, 1 if quick else 3)
        with (
            _notebook(environ, root, bridged=False) as plain,
            _notebook(environ, root, bridged=True) as bridged,
        ):
            return [
                started,
                *_round_trips(plain, bridged, 60 if quick else 400),
                *_rates(plain, bridged, quick),
                _interrupts(plain, bridged, 2 if quick else 6),
            ]


@contextlib.contextmanager
def _own_folders() -> Iterator[tuple[dict[str, str], Path]]:
    root = Path(tempfile.mkdtemp(prefix="tsb-"))
    environ = own_environment(root)
    try:
        with no_orphans(str(root)):
            yield environ, root
            release_all(environ)
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def _notebook(environ: dict[str, str], root: Path, bridged: bool) -> Iterator[Notebook]:
    notebook = Notebook(environ, root / "work")
    try:
        if bridged:
            notebook.must("%load_ext kernel_magics")
            notebook.must("%gpu_provision cpu", timeout=120)
        yield notebook
    finally:
        notebook.close()


def _start(environ: dict[str, str], root: Path, times: int) -> dict[str, Any]:
    """``%gpu_provision cpu`` in a notebook that is open, until its first cell is done there."""
    ours, plain = [], []
    for _ in range(times):
        begun = time.perf_counter()
        notebook = Notebook(environ, root / "work")
        try:
            notebook.must("pass")
            plain.append(time.perf_counter() - begun)
            notebook.must("%load_ext kernel_magics")
            begun = time.perf_counter()
            notebook.must("%gpu_provision cpu", timeout=120)
            notebook.must("pass")
            ours.append(time.perf_counter() - begun)
            notebook.must("%gpu_release")
        finally:
            notebook.close()
    return beside_plain(
        "%gpu_provision cpu to first cell done", statistics.median(ours), "s", 2.0, statistics.median(plain)
    )


def _round_trips(plain: Notebook, bridged: Notebook, times: int) -> list[dict[str, Any]]:
    """Seconds for a ``pass``, by turns."""
    for notebook in (plain, bridged):
        for _ in range(10):
            notebook.must("pass")
    pairs = [
        (seconds(lambda: plain.must("pass")), seconds(lambda: bridged.must("pass"))) for _ in range(times)
    ]
    plains, bridgeds = ([1000 * each for each in column] for column in zip(*pairs, strict=True))
    results = []
    for name, pick in (
        ("p50", statistics.median),
        ("p99", lambda values: statistics.quantiles(values, n=100)[98]),
    ):
        added = pick(bridgeds) - pick(plains)
        budget = 8.0 if name == "p50" else pick(plains)  # the tail is the machine's: no worse than double
        results.append(beside_plain(f"round trip of pass, added, {name}", added, "ms", budget, pick(plains)))
    return results


def _rates(plain: Notebook, bridged: Notebook, quick: bool) -> list[dict[str, Any]]:
    times, count = (1, 2_000) if quick else (3, 10_000)
    cases = [
        ("small displays", "messages/s", 2000.0, count, _DISPLAYS.format(count=count)),
        ("output, one text of 100 MB", "MB/s", 30.0, _TEXT_BYTES / 1e6, f"print('y' * {_TEXT_BYTES})"),
        (
            "output, 100,000 printed lines",
            "MB/s",
            None,
            9.6,
            "for i in range(100000): print('line', i, 'x' * 80)",
        ),
    ]
    results = []
    for name, unit, budget, amount, code in cases:
        plains, bridgeds = [], []
        for _ in range(times):
            plains.append(amount / seconds(lambda code=code: plain.must(code, timeout=300)))
            bridgeds.append(amount / seconds(lambda code=code: bridged.must(code, timeout=300)))
        # Where printing itself is the limit, half of what a plain kernel does.
        results.append(beside_plain(name, max(bridgeds), unit, budget or max(plains) / 2, max(plains)))
    return results


def _interrupts(plain: Notebook, bridged: Notebook, times: int) -> dict[str, Any]:
    """From Ctrl-C to the cell's end; of this the bridge holds it for 0.3 s, see trap 2."""
    took: dict[str, list[float]] = {"plain": [], "bridged": []}
    for _ in range(times):
        for name, notebook in (("plain", plain), ("bridged", bridged)):
            cell = notebook.execute(f"print('begun', flush=True)\n{UNTIL_INTERRUPTED}")
            notebook.pump(lambda cell=cell: "begun" in cell.text())
            begun = time.perf_counter()
            notebook.interrupt()
            notebook.pump(lambda cell=cell: cell.done)
            took[name].append(time.perf_counter() - begun)
    return beside_plain(
        "interrupt to end of cell, slowest", max(took["bridged"]), "s", 0.6, max(took["plain"])
    )


if __name__ == "__main__":
    command_line(__doc__, run)
