"""Smoothing and other x axes work on every point, before anything is reduced."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kernel_magics.errors import UsageMistake
from kernel_magics.store import Window

RUN = "20261122-141503-aaaaaa"


def ema(values: list[float], weight: float) -> list[float]:
    """The debiased moving average value by value, as a quotient of weighted sums."""
    out, total, weights = [], 0.0, 0.0
    for value in values:
        if math.isfinite(value):
            total, weights = total * weight + value, weights * weight + 1
            out.append(total / weights)
        else:
            out.append(value)
    return out


def assert_buckets(window: Window, x: list[float], values: list[float], exponent: int) -> None:
    """The window's extremes are those of all these points, cell by cell."""
    cells: dict[int, list[float]] = {}
    for place in np.argsort(x, kind="stable").tolist():
        cells.setdefault(math.floor(math.ldexp(x[place], -exponent)), []).append(values[place])
    assert window.points == len(x) and len(window) == len(cells)
    finite = [[value for value in cell if math.isfinite(value)] or [math.nan] for cell in cells.values()]
    np.testing.assert_allclose(window.min, [min(cell) for cell in finite], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(window.max, [max(cell) for cell in finite], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(window.last, [cell[-1] for cell in finite], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("weight", [0.01, 0.6, 0.9, 0.999, 0.999999])
def test_smoothing_is_that_of_every_point(weight, journal, reopen):
    values = np.cumsum(np.random.default_rng(1).normal(size=20_000)) + 100
    values[[3, 500, 501]] = math.nan
    values[7_000] = math.inf
    steps = np.arange(20_000)
    journal.log_many("loss", steps, steps * 1.0, values)
    (window,) = reopen().window([RUN], "loss", width=300, smoothing=weight)
    assert_buckets(window, steps.astype(float).tolist(), ema(values.tolist(), weight), 6)
    assert window.nan.sum() == 3 and window.posinf.sum() == 1
    (raw,) = reopen().window([RUN], "loss", start=0, stop=99, width=300, smoothing=weight)
    assert raw.raw
    np.testing.assert_allclose(raw.last[4:], ema(values.tolist(), weight)[4:100], rtol=1e-12)


def test_the_first_smoothed_value_is_the_first_value(journal, reopen):
    journal.log({"loss": 7.0}, 0)
    journal.log({"loss": 9.0}, 1)
    (window,) = reopen().window([RUN], "loss", smoothing=0.9)
    np.testing.assert_allclose(window.last, [7.0, (0.9 * 7.0 + 9.0) / 1.9])


def test_a_smoothed_curve_does_not_change_when_one_zooms(journal, reopen):
    values = np.random.default_rng(2).normal(size=9_000)
    journal.log_many("loss", np.arange(9_000), np.arange(9_000) * 1.0, values)
    store = reopen()
    (whole,) = store.window([RUN], "loss", width=9_000, smoothing=0.98)
    (part,) = store.window([RUN], "loss", start=4_000, stop=4_100, width=9_000, smoothing=0.98)
    np.testing.assert_array_equal(part.last, whole.last[4_000:4_101])


def test_smoothing_goes_along_the_axis_that_is_shown(journal, reopen):
    for step, value in [(2, 30.0), (0, 10.0), (1, 20.0)]:
        journal.log({"loss": value}, step, time=float(100 - step))
    store = reopen()
    for x, order in (("step", [10.0, 20.0, 30.0]), ("time", [30.0, 20.0, 10.0])):
        (window,) = store.window([RUN], "loss", x, smoothing=0.5)
        np.testing.assert_allclose(window.last, ema(order, 0.5))


def test_a_metric_can_be_the_x_axis(journal, reopen):
    random = np.random.default_rng(3)
    epoch, loss = np.sort(random.uniform(0, 3, 8_000)), random.normal(size=8_000)
    layout = journal.layout(["epoch", "loss"])
    frames = [journal.points(layout, 0, 5.0, [x, y]) for x, y in zip(epoch, loss, strict=True)]
    journal.append(b"".join(frames))  # all of one step and one instant: only the frames tell them apart
    store = reopen()
    (window,) = store.window([RUN], "loss", x="epoch", width=200)
    assert (window.x_kind, window.raw) == ("epoch", False)
    assert_buckets(window, epoch.tolist(), loss.tolist(), -7)
    (part,) = store.window([RUN], "loss", x="epoch", start=1.0, stop=2.0, width=100_000)
    inside = (epoch >= 1) & (epoch <= 2)
    np.testing.assert_array_equal(part.x, epoch[inside])
    np.testing.assert_array_equal(part.last, loss[inside])
    (smooth,) = store.window([RUN], "loss", x="epoch", width=100_000, smoothing=0.9)
    np.testing.assert_allclose(smooth.last, ema(loss.tolist(), 0.9))


def test_a_point_lies_where_the_other_metric_was_when_it_was_logged(journal, reopen):
    journal.log({"loss": 0.0}, 0, time=10.0)  # before the first epoch: it has no place
    journal.log({"epoch": 1.0}, 0, time=11.0)
    journal.log({"loss": 1.0}, 1, time=12.0)
    journal.log({"loss": 2.0, "epoch": 1.5}, 2, time=12.0)
    journal.log({"epoch": 2.0}, 0, time=13.0)  # steps begin anew
    journal.log({"loss": 3.0}, 0, time=14.0)
    journal.log({"epoch": math.nan}, 1, time=15.0)
    journal.log({"loss": 4.0}, 1, time=16.0)
    (window,) = reopen().window([RUN], "loss", x="epoch")
    assert window.x.tolist() == [1.0, 1.5, 2.0] and window.last.tolist() == [1.0, 2.0, 3.0]


def test_runs_without_the_x_metric_are_left_out_and_an_unknown_one_is_named(new_journal, reopen):
    ids = ["20261122-000000-aaaaaa", "20261122-000001-bbbbbb"]
    new_journal(ids[0]).log({"loss": 1.0, "epoch": 0.5}, 0)
    new_journal(ids[1]).log({"loss": 1.0}, 0)
    store = reopen()
    assert [window.run for window in store.window(ids, "loss", x="epoch")] == [ids[0]]
    with pytest.raises(UsageMistake, match="none of these runs has 'epohc'"):
        store.window(ids, "loss", x="epohc")


def test_an_inferred_metric_lies_over_an_inferred_one(journal, reopen):
    journal.log({"epoch": 7.0}, 0)
    journal.log({"loss": 1.0, "epoch": 2.0}, 1, source="inferred")
    (window,) = reopen().window([RUN], "loss", x="epoch", source="inferred")
    assert window.x.tolist() == [2.0]


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 2.0, math.nan])
def test_a_smoothing_that_makes_no_sense_is_refused(smoothing, journal, reopen):
    journal.log({"loss": 1.0}, 0)
    with pytest.raises(UsageMistake, match="below 1"):
        reopen().window([RUN], "loss", smoothing=smoothing)
