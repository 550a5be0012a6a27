"""``make bench``: runs every benchmark of this folder and writes ``docs/benchmarks.md`` and its chart.

Each script runs in a process of its own and gives measurements ``{name, value, unit, budget, within,
yardstick, …}``. A yardstick is the least that could do the same, measured in the same run, turn by turn.

    python tests/benchmarks/run.py [--quick] [--only log store …]
"""

from __future__ import annotations

import argparse
import datetime
import html
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

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE, CHART = ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "benchmarks.svg"
SUBJECTS = {
    "log": "Recording",
    "store": "Reading",
    "link": "Agent and Link",
    "bridge": "A bridged kernel beside a plain one",
    "server": "Server extension",
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
    CHART.write_text(chart([r for group in results.values() for r in group]))
    print(f"Written: {PAGE.relative_to(ROOT)}, {CHART.relative_to(ROOT)}")
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
    known = ("name", "value", "unit", "budget", "least", "within")
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


def chart(results: list[Result]) -> str:
    """One bar per budgeted measurement: how much of its budget it takes, on a logarithmic axis."""
    bars = [(r, share(r)) for r in results if r.get("budget")]
    left, width, step = 430, 420, 20
    low, high = -3.0, 1.0

    def at(value: float) -> float:
        return left + width * (min(max(math.log10(value), low), high) - low) / (high - low)

    height = step * len(bars) + 50
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 80} {height}"'
        ' font-family="sans-serif" font-size="11">',
        f'<rect width="100%" height="{height}" fill="#fff"/>',
    ]
    for power in range(-3, 2):
        x, label = at(10.0**power), f"{10.0**power * 100:g} %"
        out.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="20" y2="{height - 20}" stroke="#ddd"/>')
        out.append(f'<text x="{x:.0f}" y="14" text-anchor="middle" fill="#666">{label}</text>')
    for index, (result, part) in enumerate(bars):
        y, colour = 26 + index * step, "#0072b2" if result["within"] else "#d55e00"
        out.append(
            f'<text x="{left - 8}" y="{y + 11}" text-anchor="end">{html.escape(str(result["name"]))}</text>'
            f'<rect x="{left}" y="{y}" width="{at(part) - left:.0f}" height="13" fill="{colour}"/>'
            f'<text x="{at(part) + 5:.0f}" y="{y + 11}" fill="#333">{part:.0%}</text>'
        )
    x = at(1.0)
    out.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="18" y2="{height - 18}" stroke="#000"/>')
    out.append(f'<text x="{x:.0f}" y="{height - 6}" text-anchor="middle">the budget</text></svg>')
    return "\n".join(out) + "\n"


def share(result: Result) -> float:
    """How much of the budget is used: 1 means all of it."""
    value, budget = float(result["value"]), float(result["budget"])
    ratio = budget / value if result["least"] else value / budget
    return max(ratio, 1e-4)


def cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((text.split(":", 1)[1].strip() for text in lines if text.startswith("model name")), "unknown")


if __name__ == "__main__":
    sys.exit(main())
