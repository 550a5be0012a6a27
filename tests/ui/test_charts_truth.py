"""The picture is true: column by column, the panel's pixels are those of a drawing of every single point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage
Floats = NDArray[np.float64]

NASTY = """
import numpy as np
N, INF = 60_000, np.inf
rng = np.random.default_rng(5)
steps = np.arange(N)
gap = np.concatenate([np.arange(20_000), [30_000, 41_234], 50_000 + np.arange(20_000)])
SERIES = {
    "noise": (steps, rng.normal(size=N)),
    "spikes": (steps, np.where(np.isin(steps, [0, 777, 31_415, 31_417, 59_999]), 1e3, np.sin(steps / 9e3))),
    "square": (steps, np.where(steps % 7 < 3, 1.0, -1.0)),
    "chirp": (steps, np.sin((steps / 4e3) ** 3)),
    "constant": (steps, np.full(N, 3.25)),
    "odd": (steps, np.where(steps % 9_000 < 300, np.nan, np.where(steps % 20_011, np.cos(steps / 3e3), INF))),
    "gap": (gap, rng.normal(size=len(gap)) + gap / 2e4),
    "few": (np.array([0, 10, 500, 501, 502, 59_999]), np.array([1.0, -4.0, 9.0, 8.0, -9.0, 0.0])),
    "jumps": (steps, np.floor(steps / 10_000) * 5.0 + (steps % 2) * 0.01),
}
"""
SEED = f"""
{NASTY}
from kernel_magics import tracking
from kernel_magics.figures.palette import LIGHT, preferred_slot
while True:
    run = tracking.init(project="truth", name="nasty")
    if preferred_slot(run.id) != len(LIGHT) - 1:
        break  # the last colour is grey, and so is the grid
    run.change(name="grey")
    run.finish()
for name, (steps, values) in SERIES.items():
    for step, value in zip(steps.tolist(), values.tolist()):
        run.log({{name: value}}, step=step)
run.finish()
"""
_made: dict[str, Any] = {}
exec(NASTY, _made)
SERIES: dict[str, tuple[Floats, Floats]] = _made["SERIES"]

# A pixel counts when half of it is covered: bars and lines are drawn smoothly, bars half transparent.
COLUMNS = """node => {
  const frame = node.trackside.frame(), canvas = node.trackside.picture();
  const { width, height } = canvas, data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
  const left = Math.round(frame.left), top = Math.round(frame.top);
  const columns = [];
  for (let c = 0; c < Math.round(frame.width); c++) {
    const rows = [];
    for (let r = 0; r < Math.round(frame.height); r++) {
      const i = 4 * ((top + r) * width + left + c), rgb = [data[i], data[i + 1], data[i + 2]];
      if (data[i + 3] > 56 && Math.max(...rgb) - Math.min(...rgb) > 24) rows.push(r); // the grid is grey
    }
    columns.push(rows.length ? [rows[0], rows[rows.length - 1]] : null);
  }
  return { frame, columns, marks: node.trackside.drawn()[0].marks };
}"""
INK = 2.5
"""Pixels that a smooth line, 1.75 pixels wide, reaches beyond its middle, and the rounding of a row."""


@dataclass(frozen=True)
class Drawn:
    """Highest and lowest painted row of each pixel column, NaN where nothing is; rows count from the top."""

    top: Floats
    bottom: Floats

    def widened(self, columns: int) -> Drawn:
        """The extremes of so many columns on both sides, too."""
        shifts = range(-columns, columns + 1)
        tops = np.stack([_shifted(self.top, by) for by in shifts])
        bottoms = np.stack([_shifted(self.bottom, by) for by in shifts])
        return Drawn(np.fmin.reduce(tops, axis=0), np.fmax.reduce(bottoms, axis=0))


def _shifted(values: Floats, by: int) -> Floats:
    out = np.full(len(values), np.nan)
    out[max(0, by) : len(values) + min(0, by)] = values[max(0, -by) : len(values) + min(0, -by)]
    return out


def full_resolution(steps: Floats, values: Floats, frame: dict[str, Any]) -> Drawn:
    """Every point and every line between neighbours, each in all columns that it crosses."""
    width, height = round(frame["width"]), round(frame["height"])
    # BokehJS draws at the middles of pixels: half a pixel to the right and down.
    x = 0.5 + (steps - frame["x"]["start"]) / (frame["x"]["end"] - frame["x"]["start"]) * frame["width"]
    y = 0.5 + (frame["y"]["end"] - values) / (frame["y"]["end"] - frame["y"]["start"]) * height
    top, bottom = np.full(width, np.inf), np.full(width, -np.inf)

    def paint(at: Floats, row: Floats) -> None:
        there = np.isfinite(row) & (at >= 0) & (at < width)
        np.minimum.at(top, at[there].astype(int), row[there])
        np.maximum.at(bottom, at[there].astype(int), row[there])

    paint(x, y)
    for edge in range(width + 1):  # where lines cross from one column into the next
        right = int(np.searchsorted(x, edge))
        if 0 < right < len(x) and np.isfinite(y[right - 1 : right + 1]).all():
            share = (edge - x[right - 1]) / (x[right] - x[right - 1])
            row = y[right - 1] + share * (y[right] - y[right - 1])
            paint(np.array([edge - 0.5, float(edge)]), np.array([row, row]))
    empty = np.isinf(top)
    return Drawn(np.where(empty, np.nan, top), np.where(empty, np.nan, bottom))


@pytest.fixture(scope="module")
def seeded(lab: Lab) -> Lab:
    lab.python(SEED)
    return lab


def test_the_pixels_are_those_of_every_point_within_one_column(seeded: Lab, lab_page: LabPage) -> None:
    lab_page.open(seeded).sidebar()
    lab_page.compare("nasty")
    wrong = []
    for name, (steps, values) in SERIES.items():
        chart = lab_page.chart(name, lines=1)
        found = chart.evaluate(COLUMNS)
        frame = found["frame"]
        tops = np.array([np.nan if one is None else one[0] for one in found["columns"]], float)
        bottoms = np.array([np.nan if one is None else one[1] for one in found["columns"]], float)
        seen = Drawn(tops, bottoms)
        true = full_resolution(np.asarray(steps, float), values, frame)
        near, allowed = seen.widened(1), true.widened(1)
        missing = ~np.isnan(true.top) & ~((near.top <= true.top + INK) & (near.bottom >= true.bottom - INK))
        scale = frame["width"] / (frame["x"]["end"] - frame["x"]["start"])
        marks = (np.array(found["marks"], float) - frame["x"]["start"]) * scale
        marked = np.array([bool(len(marks)) and np.abs(marks - c).min() < 7 for c in range(len(tops))])
        invented = (
            ~np.isnan(seen.top)
            & ~marked
            & ~((seen.top >= allowed.top - INK) & (seen.bottom <= allowed.bottom + INK))
        )
        assert np.count_nonzero(~np.isnan(seen.top)) > 0, f"{name}: nothing is drawn"
        if missing.any() or invented.any():
            wrong.append((name, np.flatnonzero(missing)[:9].tolist(), np.flatnonzero(invented)[:9].tolist()))
    assert wrong == [], "metric, columns that lack ink, columns with ink that no point explains"


@pytest.mark.parametrize("share", [0.2, 0.5, 0.77])
def test_the_pointer_reads_original_values(share: float, seeded: Lab, lab_page: LabPage) -> None:
    """What is told as value, step, least and greatest is what was logged there."""
    lab_page.open(seeded).sidebar()
    lab_page.compare("nasty")
    _steps, values = SERIES["noise"]
    chart = lab_page.chart("noise", lines=1)
    box = chart.locator(".jp-trackside-plot").bounding_box()
    lab_page.page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
    tip = chart.locator(".jp-trackside-tip")
    tip.wait_for()
    told = tip.inner_text().replace("−", "-").replace(",", "")
    step = int(told.split("step ")[1].split()[0])
    row = tip.locator("b").inner_text().replace("−", "-")
    assert float(row) == pytest.approx(values[step], rel=1e-3)
    count = int(told.split("1 of ")[1].split()[0])
    least, greatest = (float(word) for word in told.split("min ")[1].split(" … max "))
    cell = values[step - count + 1 : step + 1]
    assert (least, greatest) == pytest.approx((cell.min(), cell.max()), rel=1e-3)
