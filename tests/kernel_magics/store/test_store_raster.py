"""What a window draws is what all points draw: within one pixel column, at every zoom, its extremes exactly.

A raster here is, for each pixel column, the lowest and the highest value that a line through the points
touches in it. The line goes through the points in the order of x and breaks where a value is not finite. Of a
window it goes through each bucket's first, min, max and last at the bucket's x (M4: Jugel et al., VLDB 2014).
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel_magics.store import Window, open_store
from kernel_magics.store.index import Index

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RUN = "20261122-141503-aaaaaa"


@dataclass(frozen=True)
class Raster:
    """Per pixel column the lowest and highest value drawn; +Inf and -Inf where nothing is."""

    low: Floats
    high: Floats

    def near(self) -> Raster:
        """The same with every column as wide as three."""
        low = np.pad(self.low, 1, constant_values=np.inf)
        high = np.pad(self.high, 1, constant_values=-np.inf)
        return Raster(
            np.minimum.reduce([low[:-2], low[1:-1], low[2:]]),
            np.maximum.reduce([high[:-2], high[1:-1], high[2:]]),
        )

    def holds(self, other: Raster) -> NDArray[np.bool_]:
        """Per column: whether all that ``other`` draws is in this one, up to rounding."""
        values = np.abs(np.concatenate([other.low, other.high]))
        rounding = 1e-9 * np.max(values[np.isfinite(values)], initial=0.0)
        nothing = other.low > other.high
        return nothing | ((self.low <= other.low + rounding) & (self.high >= other.high - rounding))


def draw(x: Floats, y: Floats, span: tuple[float, float], width: int) -> Raster:
    """The line through (x, y), x ascending, on ``width`` columns from ``span[0]`` to ``span[1]``."""
    low, high = np.full(width, np.inf), np.full(width, -np.inf)
    size = (span[1] - span[0]) or 1.0
    column = np.clip((x - span[0]) / size * width, 0, width - 1).astype(np.int64)
    finite = np.isfinite(y)
    if not finite.any():
        return Raster(low, high)
    at, values = column[finite], y[finite]
    starts = np.flatnonzero(np.r_[True, at[1:] != at[:-1]])
    low[at[starts]] = np.minimum.reduceat(values, starts)
    high[at[starts]] = np.maximum.reduceat(values, starts)
    for i in np.flatnonzero((column[1:] != column[:-1]) & finite[1:] & finite[:-1]).tolist():
        edge = np.arange(column[i] + 1, column[i + 1] + 1)
        share = np.clip((span[0] + size * edge / width - x[i]) / (x[i + 1] - x[i]), 0.0, 1.0)
        between = y[i] * (1 - share) + y[i + 1] * share
        for columns in (edge - 1, edge):
            low[columns] = np.minimum(low[columns], between)
            high[columns] = np.maximum(high[columns], between)
    return Raster(low, high)


def draw_window(window: Window, span: tuple[float, float], width: int, *, certain: bool) -> Raster:
    """The raster of a window.

    Args:
        certain: leave out the line to and from a bucket that holds something not finite: it may break there.
    """
    parts = [window.first, window.min, window.max, window.last]
    x, y = np.repeat(window.x, 5), np.stack([*parts, window.last], axis=1)
    if certain:
        odd = window.nan + window.posinf + window.neginf > 0
        y[odd, 4] = np.nan
        y[:-1][odd[1:], 4] = np.nan
    return draw(x, y.ravel(), span, width)


def assert_same_picture(window: Window, x: Floats, y: Floats, span: tuple[float, float], width: int) -> None:
    inside = (x >= span[0]) & (x <= span[1])
    x, y = x[inside], y[inside]
    order = np.argsort(x, kind="stable")
    whole = draw(x[order], y[order], span, width)
    hidden = ~draw_window(window, span, width, certain=False).near().holds(whole)
    assert not hidden.any(), f"columns {np.flatnonzero(hidden)[:5]} hide what the points draw"
    invented = ~whole.near().holds(draw_window(window, span, width, certain=True))
    assert not invented.any(), f"columns {np.flatnonzero(invented)[:5]} draw what no point does"
    finite = y[np.isfinite(y)]
    if len(finite):
        assert (np.nanmin(window.min), np.nanmax(window.max)) == (finite.min(), finite.max())
    assert window.points == len(y)
    assert window.nan.sum() == np.isnan(y).sum()
    assert window.posinf.sum() == (y == np.inf).sum() and window.neginf.sum() == (y == -np.inf).sum()


def steps_of(kind: str, n: int, random: np.random.Generator) -> NDArray[np.int64]:
    steps = np.arange(n)
    if kind == "gaps":
        steps = np.cumsum(np.where(random.random(n) < 0.01, random.integers(1, 5000, n), 1))
    elif kind == "duplicates":
        steps = steps // 7
    elif kind == "resumed":
        steps = np.where(steps < n // 2, steps, steps - n // 3)
    elif kind == "shuffled":
        steps = random.permutation(n)
    elif kind == "descending":
        steps = -3 * steps
    elif kind == "anywhere":
        steps = random.integers(-(2**40), 2**40, n)
    return steps


def values_of(kind: str, n: int, random: np.random.Generator) -> Floats:
    values = np.cumsum(random.normal(size=n))
    if kind == "steps":
        values = np.floor(values / 10)
    elif kind == "spikes":
        values[random.integers(0, n, 1 + n // 500)] *= 1e6
    elif kind == "nan runs":
        for begin in random.integers(0, n, 1 + n // 1000).tolist():
            values[begin : begin + int(random.integers(1, 300))] = np.nan
    elif kind == "not finite":
        values = np.where(random.random(n) < 0.3, random.choice([np.nan, np.inf, -np.inf], n), values)
    elif kind == "huge":
        values = random.choice([-1e308, 1e308, 0.0], n)
    return values


def zooms(low: float, high: float, random: np.random.Generator) -> list[tuple[float, float]]:
    """The whole, then ever closer, down to a millionth, around places anywhere."""
    found = [(low, high)]
    for part in (0.7, 0.3, 0.1, 1e-2, 1e-3, 1e-4, 1e-6):
        begin = low + (high - low) * (1 - part) * random.random()
        found.append((begin, begin + (high - low) * part))
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.sampled_from(["plain", "gaps", "duplicates", "resumed", "shuffled", "descending", "anywhere"]),
    kind=st.sampled_from(["walk", "steps", "spikes", "nan runs", "not finite", "huge"]),
    n=st.integers(1, 20_000),
    width=st.integers(1, 1200),
    seed=st.integers(0, 2**32 - 1),
    axis=st.sampled_from(["step", "time"]),
)
def test_any_nasty_series_looks_from_its_windows_as_from_its_points(
    order, kind, n, width, seed, axis, new_journal, data_dir
):
    random = np.random.default_rng(seed)
    steps, values = steps_of(order, n, random), values_of(kind, n, random)
    clock = 1e9 + np.cumsum(random.exponential(0.01, n))
    run_id = f"20261122-000000-{os.urandom(4).hex()}"
    new_journal(run_id).log_many("loss", steps, clock, values)
    x = steps.astype(float) if axis == "step" else clock
    with open_store(data_dir) as store:
        for span in zooms(float(x.min()), float(x.max()), random):
            (window,) = store.window([run_id], "loss", axis, *span, width=width)
            assert_same_picture(window, x, values, span, width)


def write_points(journal, steps: NDArray[np.int64], values: Floats) -> None:
    """Ten million points as frames; ``log_many`` would take a minute."""
    layout = journal.layout(["loss"])
    parts = [("marker", "S2"), ("length", "<u4"), ("kind", "u1"), ("layout", "<u4")]
    parts += [("step", "<i8"), ("time", "<f8"), ("value", "<f8"), ("crc", "<u4")]
    for begin in range(0, len(steps), 500_000):
        part = slice(begin, begin + 500_000)
        frames = np.zeros(len(steps[part]), parts)
        frames["marker"], frames["length"], frames["kind"], frames["layout"] = b"\xd6\x9c", 28, 7, layout
        frames["step"], frames["time"], frames["value"] = steps[part], steps[part] * 0.01, values[part]
        size, data = frames.itemsize, memoryview(frames.tobytes())
        frames["crc"] = [zlib.crc32(data[at : at + size - 4]) for at in range(0, len(data), size)]
        journal.append(frames.tobytes())


def test_ten_million_points_look_from_their_windows_as_from_themselves(journal, data_dir: Path):
    n, width = 10_000_000, 1000
    random = np.random.default_rng(20261122)
    steps = np.arange(n)
    steps[n // 2 :] -= 100_000  # resumed from a checkpoint
    values = np.cumsum(random.normal(size=n))
    spikes = random.choice(n, 50, replace=False)
    values[spikes] = 1e5 + np.arange(50)
    values[3_000_000:3_030_000] = np.nan
    values[random.integers(0, n, 1000)] = np.inf
    values[spikes] = 1e5 + np.arange(50)
    write_points(journal, steps, values)
    index = Index(data_dir)
    assert index.catch_up() == 0
    index.close()
    x = steps.astype(float)
    with open_store(data_dir, ingest=False) as store:
        for span in zooms(0.0, float(x.max()), random):
            (window,) = store.window([RUN], "loss", "step", *span, width=width)
            assert len(window) <= 2 * width + 2
            assert_same_picture(window, x, values, span, width)
        (whole,) = store.window([RUN], "loss", width=width)
    shown = {float(high) for high in whole.max if high >= 1e5}
    cells = np.floor(np.ldexp(x[spikes], -int(np.floor(np.log2(x.max() / width)))))
    expected = {float(values[spikes][cells == cell].max()) for cell in np.unique(cells)}
    assert shown == expected, "every spike that is the highest of its cell is there exactly"
