"""The charts of ``docs/benchmarks.md``, as SVG: how much of each budget is used, and what does not grow."""

from __future__ import annotations

import html
import math
from typing import Any

Result = dict[str, Any]
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"


def budgets(results: list[Result]) -> str:
    """One bar per budgeted measurement: how much of its budget it takes, on a logarithmic axis."""
    bars = [(r, share(r)) for r in results if r.get("budget")]
    left, width, step = 430, 420, 20
    low, high = -3.0, 1.0

    def at(value: float) -> float:
        return left + width * (min(max(math.log10(value), low), high) - low) / (high - low)

    height = step * len(bars) + 50
    out = _page(left + width + 80, height)
    for power in range(-3, 2):
        x, label = at(10.0**power), f"{10.0**power * 100:g} %"
        out.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="20" y2="{height - 20}" stroke="#ddd"/>')
        out.append(f'<text x="{x:.0f}" y="14" text-anchor="middle" fill="#666">{label}</text>')
    for index, (result, part) in enumerate(bars):
        y, colour = 26 + index * step, BLUE if result["within"] else ORANGE
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


def flatness(results: list[Result]) -> str:
    """What a window costs over the points of its run: a line per ``series`` of those that name one.

    The axis of points is logarithmic, that of milliseconds begins at zero: what grows can be seen to grow.
    """
    lines: dict[str, list[Result]] = {}
    for result in results:
        if "series" in result:
            lines.setdefault(result["series"], []).append(result)
    if not lines:
        return ""
    measured = [result for line in lines.values() for result in line]
    budget = float(measured[0]["budget"])
    plot = _Plot([int(result["points"]) for result in measured], max(budget, *_costs(measured)) * 1.15)
    out = [*_page(plot.WIDTH, plot.HEIGHT), *plot.axes(), *plot.level(budget, "the budget")]
    for (name, line), colour in zip(lines.items(), (BLUE, ORANGE, GREEN), strict=False):
        out += plot.line(name, [(int(one["points"]), float(one["value"])) for one in line], colour)
        if all("cpu_ms" in one for one in line):
            cpu = [(int(one["points"]), float(one["cpu_ms"])) for one in line]
            out += plot.line(f"{name}, CPU", cpu, colour, dashed=True)
    return "\n".join([*out, "</svg>"]) + "\n"


def ratios(results: list[Result]) -> str:
    """A bar for each result with ``ratio_to``: how many times as much as that, on a logarithmic axis."""
    bars = [result for result in results if "ratio_to" in result]
    left, width, step, low, high = 430, 420, 20, -2.0, 3.0

    def at(value: float) -> float:
        return left + width * (min(max(math.log2(value), low), high) - low) / (high - low)

    height = step * len(bars) + 50
    out = _page(left + width + 80, height)
    for power in range(int(low), int(high) + 1):
        x = at(2.0**power)
        out.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="20" y2="{height - 20}" stroke="#ddd"/>')
        out.append(f'<text x="{x:.0f}" y="14" text-anchor="middle" fill="#666">{2.0**power:g} ×</text>')
    for index, result in enumerate(bars):
        y, value, start = 26 + index * step, float(result["value"]), at(1.0)
        begin, end = sorted((start, at(value)))
        colour = BLUE if result["within"] else ORANGE
        out.append(
            f'<text x="{left - 8}" y="{y + 11}" text-anchor="end">{html.escape(str(result["name"]))}</text>'
            f'<rect x="{begin:.0f}" y="{y}" width="{max(1.0, end - begin):.0f}" height="13" fill="{colour}"/>'
            f'<text x="{max(end, start) + 5:.0f}" y="{y + 11}" fill="#333">{value:.2f} ×</text>'
        )
    x, against = at(1.0), html.escape(str(bars[0]["ratio_to"])) if bars else ""
    out.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="18" y2="{height - 18}" stroke="#000"/>')
    out.append(f'<text x="{x:.0f}" y="{height - 6}" text-anchor="middle">{against}</text></svg>')
    return "\n".join(out) + "\n"


def memory(results: list[Result]) -> str:
    """What the tab holds over the minutes: the ``samples`` (minutes, MiB) of the result that has them.

    "" when none has. Both axes begin at zero.
    """
    found = next((result for result in results if "samples" in result), None)
    if found is None:
        return ""
    samples: list[tuple[float, float]] = found["samples"]
    last, highest = samples[-1][0], float(found["budget"]) * 1.15

    def at(minutes: float, mib: float) -> tuple[float, float]:
        return 60 + 440 * minutes / last, 250 - 220 * mib / highest

    out = [*_page(620, 300), '<text x="60" y="18">memory of the tab after garbage collection, in MiB</text>']
    for mib in range(0, int(highest) + 1, 32):
        y = at(0, mib)[1]
        out.append(f'<line x1="60" x2="500" y1="{y:.0f}" y2="{y:.0f}" stroke="#eee"/>')
        out.append(f'<text x="54" y="{y + 4:.0f}" text-anchor="end" fill="#666">{mib}</text>')
    for quarter in range(5):
        minutes = last * quarter / 4
        x = at(minutes, 0)[0]
        out.append(f'<text x="{x:.0f}" y="266" text-anchor="middle" fill="#666">{minutes:g}</text>')
    y = at(0, float(found["budget"]))[1]
    out.append(f'<line x1="60" x2="500" y1="{y:.0f}" y2="{y:.0f}" stroke="#000"/>')
    out.append(f'<text x="506" y="{y + 4:.0f}">the budget</text>')
    places = [at(minutes, mib) for minutes, mib in samples]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    out.append(f'<polyline points="{path}" fill="none" stroke="{BLUE}" stroke-width="2"/>')
    out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{BLUE}"/>' for x, y in places]
    return "\n".join(
        [*out, '<text x="280" y="286" text-anchor="middle" fill="#666">minutes</text></svg>', ""]
    )


def _costs(results: list[Result]) -> list[float]:
    return [float(result[key]) for result in results for key in ("value", "cpu_ms") if key in result]


class _Plot:
    """Places on a chart of milliseconds over points."""

    WIDTH, HEIGHT = 720, 300
    _LEFT, _RIGHT, _TOP, _BOTTOM = 60, 500, 30, 250

    def __init__(self, points: list[int], highest: float) -> None:
        self._decades = math.floor(math.log10(min(points))), math.ceil(math.log10(max(points)))
        self._highest = highest
        self._labels = 0

    def _x(self, points: int) -> float:
        low, high = self._decades
        return self._LEFT + (self._RIGHT - self._LEFT) * (math.log10(points) - low) / max(1, high - low)

    def _y(self, milliseconds: float) -> float:
        return self._BOTTOM - (self._BOTTOM - self._TOP) * milliseconds / self._highest

    def axes(self) -> list[str]:
        out = ['<text x="60" y="18">a window of 1,000 pixels over one run, by a fresh process, in ms</text>']
        for decade in range(self._decades[0], self._decades[1] + 1):
            x = self._x(10**decade)
            out.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="30" y2="250" stroke="#ddd"/>')
            out.append(f'<text x="{x:.0f}" y="266" text-anchor="middle" fill="#666">{10**decade:,}</text>')
        for tick in range(0, int(self._highest) + 1, 5):
            y = self._y(tick)
            out.append(f'<line x1="60" x2="500" y1="{y:.0f}" y2="{y:.0f}" stroke="#eee"/>')
            out.append(f'<text x="54" y="{y + 4:.0f}" text-anchor="end" fill="#666">{tick}</text>')
        return [*out, '<text x="280" y="286" text-anchor="middle" fill="#666">points of the run</text>']

    def level(self, milliseconds: float, label: str) -> list[str]:
        y = self._y(milliseconds)
        return [
            f'<line x1="60" x2="500" y1="{y:.0f}" y2="{y:.0f}" stroke="#000"/>',
            f'<text x="506" y="{y + 4:.0f}">{html.escape(label)}</text>',
        ]

    def line(
        self, name: str, places: list[tuple[int, float]], colour: str, *, dashed: bool = False
    ) -> list[str]:
        at = [(self._x(points), self._y(cost)) for points, cost in sorted(places)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self._labels += 1
        y = 60 + 18 * self._labels
        return [
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>',
            *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in at),
            f'<line x1="520" x2="545" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"{dash}/>',
            f'<text x="552" y="{y + 4}">{html.escape(name)}</text>',
        ]


def _page(width: int, height: int) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="11">',
        f'<rect width="100%" height="{height}" fill="#fff"/>',
    ]
