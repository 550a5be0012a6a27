"""``make bench``: runs every benchmark of this folder and writes ``docs/benchmarks.md`` and its charts.

Each script runs in a process of its own and gives measurements ``{name, value, unit, budget, within,
yardstick, …}``. A yardstick is the least that could do the same, measured in the same run, turn by turn.

    python tests/benchmarks/run.py [--quick] [--only log store …]
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import charts

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE, CHART = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "benchmarks.svg"
FLAT = ROOT / "docs" / "benchmarks-window.svg"
SSH = ROOT / "docs" / "benchmarks-ssh.svg"
LIVE = ROOT / "docs" / "benchmarks-live.svg"
SUBJECTS = {
    "log": "Recording",
    "store": "Reading",
    "link": "Agent and Link",
    "ssh": "A kernel behind sshd, beside one behind ssh -L",
    "bridge": "A bridged kernel beside a plain one",
    "server": "Server extension",
    "panel": "Run table in the browser",
    "charts": "Charts of the panel",
    "live": "Charts of runs that go on",
}
Result = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions; writes nothing to docs/")
    parser.add_argument("--write", action="store_true", help="write docs/ even so; the page says so")
    parser.add_argument("--only", nargs="+", choices=sorted(SUBJECTS), help="these subjects only")
    arguments = parser.parse_args()
    chosen = arguments.only or list(SUBJECTS)
    load, started = os.getloadavg()[0], time.monotonic()
    results: dict[str, list[Result]] = {}
    for number, subject in enumerate(chosen, 1):
        print(f"[{number}/{len(chosen)}] {SUBJECTS[subject]} …", flush=True)
        results[subject] = measure(subject, arguments.quick)
        for result in results[subject]:
            print(f"    {line(result)}", flush=True)
    missed = [r for group in results.values() for r in group if r.get("within") is False]
    minutes = (time.monotonic() - started) / 60
    print(f"\n{minutes:.1f} minutes; {len(missed)} measurements outside their budget.")
    if arguments.only or (arguments.quick and not arguments.write):
        print("Nothing was written: docs/benchmarks.md comes from a whole run, `make bench`.")
        return 0
    PAGE.write_text(page(results, load, minutes, arguments.quick))
    every = [r for group in results.values() for r in group]
    CHART.write_text(charts.budgets(every))
    FLAT.write_text(charts.flatness(every))
    SSH.write_text(charts.ratios(every))
    LIVE.write_text(charts.memory(every))
    print(f"Written: {', '.join(str(path.relative_to(ROOT)) for path in (PAGE, CHART, FLAT, SSH, LIVE))}")
    return 0


def measure(subject: str, quick: bool) -> list[Result]:
    """The measurements of one script, run in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "results.json")
        command = [sys.executable, str(HERE / f"bench_{subject}.py"), "--json", str(answer)]
        done = subprocess.run([*command, *(["--quick"] if quick else [])], capture_output=True, text=True)
        if done.returncode != 0 or not answer.exists():
            raise SystemExit(f"bench_{subject}.py failed:\n{done.stdout}{done.stderr}")
        return list(json.loads(answer.read_text()))


def line(result: Result) -> str:
    """One measurement as a line of text."""
    mark = {True: "within", False: "OUTSIDE", None: "no budget"}[result.get("within")]
    budget = f" {bound(result)}" if "budget" in result else ""
    return f"{result['name']}: {figure(result['value'])} {result['unit']} ({mark}{budget})"


def page(results: dict[str, list[Result]], load: float, minutes: float, quick: bool) -> str:
    """The whole of ``docs/benchmarks.md``."""
    packages = ("ipykernel", "jupyter_server", "jupyterlab", "numpy", "bokeh")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    parts = [
        "# Benchmarks",
        "Made by `make bench`, never by hand. Each figure stands beside its budget and, where there is one,"
        " a yardstick: the least that does the same, measured in the same run, turn by turn. Trust the ratios"
        " more than the microseconds.",
        f"{today}; {os.cpu_count()} cores ({cpu()}), load {load:.1f} at the start;"
        f" Python {platform.python_version()}, {versions}; {minutes:.0f} minutes in all."
        + (" A quick run: few repetitions, smaller sizes." if quick else ""),
        "![Each measurement as a share of its budget](benchmarks.svg)",
    ]
    for subject, group in results.items():
        rows = [row(result) for result in group]
        head = "| what | measured | budget | yardstick and more |\n|---|---|---|---|"
        parts.append(f"## {SUBJECTS[subject]}\n\n{head}\n" + "\n".join(rows))
        if subject == "store":
            parts.append(
                "![The cost of a window does not grow with the points of its run](benchmarks-window.svg)"
            )
        if subject == "ssh":
            parts.append(
                "![How many times what ssh -L with ZeroMQ carries in the same time](benchmarks-ssh.svg)"
            )
        if subject == "live":
            parts.append("![The memory of the tab does not grow with the minutes](benchmarks-live.svg)")
    return "\n\n".join(parts) + "\n"


def row(result: Result) -> str:
    measured = f"{figure(result['value'])} {result['unit']}"
    return f"| {result['name']} | {measured} | {verdict(result)} | {beside(result)} |"


def verdict(result: Result) -> str:
    if "budget" not in result:
        return ""
    return f"{'✓' if result['within'] else '✗'} {bound(result)}"


def bound(result: Result) -> str:
    return f"{'≥' if result['least'] else '≤'} {figure(result['budget'])}"


def beside(result: Result) -> str:
    known = ("name", "value", "unit", "budget", "least", "within", "series", "points", "ratio_to", "samples")
    more = {key: value for key, value in result.items() if key not in known}
    inner = more.get("yardstick")
    if isinstance(inner, dict):
        more = {**inner, **{key: value for key, value in more.items() if key != "yardstick"}}
    return ", ".join(f"{key} {figure(value)}" for key, value in more.items())


def figure(value: Any) -> str:
    """A number as people read it: three significant digits, thousands separated."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((text.split(":", 1)[1].strip() for text in lines if text.startswith("model name")), "unknown")


if __name__ == "__main__":
    sys.exit(main())
