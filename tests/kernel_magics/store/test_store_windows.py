"""Windows tell the truth: every bucket is what the points in it say, at every zoom, whatever the series."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel_magics.errors import UnknownRun, UsageMistake
from kernel_magics.store import Window, open_store

RUN = "20261122-141503-aaaaaa"
CREATED = 1000.0


def reference(x, values, start, stop, exponent) -> dict[str, np.ndarray]:
    """Buckets of all points, one by one, in plain Python."""
    cells: dict[float, list[int]] = {}
    for place in np.argsort(x, kind="stable").tolist():
        if (start is None or x[place] >= start) and (stop is None or x[place] <= stop):
            key = place if exponent is None else math.floor(math.ldexp(x[place], -exponent))
            cells.setdefault(key, []).append(place)
    rows = []
    for places in cells.values():
        finite = [place for place in places if math.isfinite(values[place])] or places
        real = [values[place] for place in finite if math.isfinite(values[place])] or [math.nan]
        inside = [values[place] for place in places]
        odd = [sum(map(math.isnan, inside)), inside.count(math.inf), inside.count(-math.inf)]
        rows.append([x[finite[-1]], min(real), max(real), real[0], real[-1], len(places), *odd])
    names = ("x", "min", "max", "first", "last", "count", "nan", "posinf", "neginf")
    return dict(zip(names, np.array(rows, float).reshape(-1, 9).T, strict=True))


def exponent_of(low: float, high: float, width: int, finest: int) -> int:
    """The widest power of two within a pixel."""
    pixel = (high - low) / width
    if pixel <= 0:
        return finest
    exponent = finest
    while 2.0 ** (exponent + 1) <= pixel:
        exponent += 1
    return exponent


def assert_true(window: Window, x, values, start, stop, width, finest) -> None:
    low, high = (min(x) if start is None else start), (max(x) if stop is None else stop)
    exponent = None if window.raw else exponent_of(low, high, width, finest)
    expected = reference(x, values, start, stop, exponent)
    for name, column in expected.items():
        np.testing.assert_array_equal(getattr(window, name), column, err_msg=name)
    assert window.points == expected["count"].sum()
    assert window.raw == (window.points <= 2 * width)
    assert len(window) <= 2 * width + 2


def nasty(kind: str, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    steps = np.arange(n)
    times = 5e3 + np.cumsum(random.exponential(0.01, n))
    values = np.cumsum(random.normal(size=n))
    if kind == "resumed":
        steps = np.where(steps < n // 2, steps, steps - n // 3)
    elif kind == "every epoch from zero":
        steps = steps % 1000
    elif kind == "shuffled":
        steps = random.permutation(n)
    elif kind == "one step":
        steps = np.zeros(n, int)
    elif kind == "negative and sparse":
        steps = (steps - n // 2) * 977
    elif kind == "a jump":
        steps = np.where(steps < n - 20, steps, steps + 10**12)
    elif kind == "not finite":
        values[1000:6000] = np.nan
        values[random.integers(0, n, 200)] = np.inf
        values[random.integers(0, n, 200)] = -np.inf
    elif kind == "all nan":
        values[:] = np.nan
    elif kind == "a clock that jumps":
        times[n // 2 :] -= 300.0
        times[10] = np.nan
        times[20] = np.inf
    elif kind == "huge values":
        values = values * 1e304
    return steps, times, values


KINDS = [
    *("plain", "resumed", "every epoch from zero", "shuffled", "one step", "negative and sparse", "a jump"),
    *("not finite", "all nan", "a clock that jumps", "huge values"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_windows_of_nasty_series_are_the_buckets_of_all_their_points(kind, journal, reopen):
    steps, times, values = nasty(kind, 30_000)
    journal.log_many("loss", steps, times, values)
    store = reopen()
    clock = np.where(np.isfinite(times), times, 0.0)
    axes = {
        "step": (steps.astype(float), 0),
        "time": (clock, -20),
    }
    for axis, (x, finest) in axes.items():
        low, high = float(x.min()), float(x.max())
        third = (high - low) / 3
        for start, stop in [(None, None), (low + third, None), (low + third, low + 2 * third), (high, None)]:
            for width in (1, 100, 1000):
                (window,) = store.window([RUN], "loss", axis, start, stop, width)
                assert_true(window, x.tolist(), values.tolist(), start, stop, width, finest)


def test_relative_time_is_wall_time_from_the_run_s_start(journal, reopen):
    steps, times, values = nasty("plain", 9_000)
    journal.log_many("loss", steps, times, values)
    (wall,) = reopen().window([RUN], "loss", "time", width=300)
    (relative,) = reopen().window([RUN], "loss", "relative", width=300)
    np.testing.assert_array_equal(relative.x, wall.x - CREATED)
    np.testing.assert_array_equal(relative.max, wall.max)
    (part,) = reopen().window([RUN], "loss", "relative", start=4000.0 + 1.0, stop=4000.0 + 2.0)
    inside = (times - CREATED >= 4001.0) & (times - CREATED <= 4002.0)
    assert part.points == inside.sum()


def test_all_fifty_spikes_of_a_million_points_are_there(journal, reopen):
    random = np.random.default_rng(1)
    values = random.normal(size=1_000_000)
    spikes = random.choice(1_000_000, 50, replace=False)
    values[spikes] = 1000.0 + np.arange(50)
    journal.log_many("loss", np.arange(1_000_000), np.arange(1_000_000) * 0.01, values)
    (window,) = reopen().window([RUN], "loss", width=1000)
    assert not window.raw and len(window) <= 2000
    for spike in spikes:
        near = np.abs(window.x - spike) <= 1000
        assert values[spike] in set(window.max[near]) or window.max[near].max() > values[spike]
    shown = set(window.max[window.max >= 1000.0])
    columns = {int(spike) >> 9 for spike in spikes}
    assert len(shown) == len(columns), "one spike per cell must be its maximum"


def raster(x, low, high, span, width) -> np.ndarray:
    """Lowest and highest value drawn in each pixel column by a line through (x, low..high) segments."""
    drawn = np.full((width, 2), [np.inf, -np.inf])
    columns = np.clip(((np.asarray(x) - span[0]) / (span[1] - span[0]) * width).astype(int), 0, width - 1)
    np.minimum.at(drawn[:, 0], columns, low)
    np.maximum.at(drawn[:, 1], columns, high)
    return drawn


@pytest.mark.parametrize("kind", ["plain", "resumed", "shuffled", "negative and sparse"])
@pytest.mark.parametrize("zoom", [1, 3, 17])
def test_what_a_window_draws_is_what_all_points_draw_within_a_pixel_column(kind, zoom, journal, reopen):
    steps, times, values = nasty(kind, 40_000)
    journal.log_many("loss", steps, times, values)
    width = 500
    low, high = float(steps.min()), float(steps.max())
    span = (low + (high - low) * (1 - 1 / zoom) / 2, low + (high - low) * (1 + 1 / zoom) / 2)
    (window,) = reopen().window([RUN], "loss", "step", *span, width=width)
    inside = (steps >= span[0]) & (steps <= span[1])
    full = raster(steps[inside], values[inside], values[inside], span, width)
    reduced = raster(window.x, window.min, window.max, span, width)
    assert np.isfinite(full[:, 0]).sum() > width // 2
    for column in range(width):
        near = slice(max(0, column - 1), column + 2)
        assert reduced[near, 0].min() <= full[column, 0] and reduced[near, 1].max() >= full[column, 1]
        assert full[near, 0].min() <= reduced[column, 0] and full[near, 1].max() >= reduced[column, 1]
    assert window.min.min() == values[inside].min() and window.max.max() == values[inside].max()


points = st.lists(
    st.tuples(
        st.integers(-(2**40), 2**40) | st.integers(0, 50),
        st.floats(0, 1e9, allow_nan=False) | st.just(math.nan),
        st.floats(allow_nan=True, allow_infinity=True),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=points,
    times=st.integers(1, 120),
    width=st.integers(1, 40),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_any_series_at_any_zoom(rows, times, width, cut, new_journal, data_dir):
    run_id = f"20261122-000000-{os.urandom(4).hex()}"
    steps, clock, values = (np.array(column * times) for column in zip(*rows, strict=True))
    new_journal(run_id).log_many("m", steps, clock, values)
    x = np.where(np.isfinite(clock), clock, 0.0)
    with open_store(data_dir) as store:
        series = store.series(run_id, "m")
        np.testing.assert_array_equal(series.step, steps)
        np.testing.assert_array_equal(series.value, values)
        for axis, along, finest in (("step", steps.astype(float), 0), ("time", x, -20)):
            low, high = float(along.min()), float(along.max())
            start, stop = sorted(low + (high - low) * share for share in cut)
            (window,) = store.window([run_id], "m", axis, start, stop, width)
            assert_true(window, along.tolist(), values.tolist(), start, stop, width, finest)


def test_buckets_stay_where_they_are_while_a_run_grows(journal, reopen):
    values = np.random.default_rng(3).normal(size=50_000)
    journal.log_many("loss", np.arange(20_000), np.arange(20_000) * 1.0, values[:20_000])
    store = reopen()
    (before,) = store.window([RUN], "loss", start=0, stop=60_000, width=600)
    journal.log_many("loss", np.arange(20_000, 50_000), np.arange(20_000, 50_000) * 1.0, values[20_000:])
    assert (RUN, "loss") in store.refresh().metrics
    (after,) = store.window([RUN], "loss", start=0, stop=60_000, width=600)
    full = len(before) - 1  # the last bucket was still filling
    np.testing.assert_array_equal(after.max[:full], before.max[:full])
    np.testing.assert_array_equal(after.x[:full], before.x[:full])


def test_runs_of_one_chart_share_their_cells(new_journal, reopen):
    ids = ["20261122-000000-aaaaaa", "20261122-000001-bbbbbb"]
    for run_id, n in zip(ids, (40_000, 10_000), strict=True):
        new_journal(run_id).log_many("loss", np.arange(n), np.arange(n) * 1.0, np.sin(np.arange(n)))
    long, short = reopen().window(ids, "loss", width=400)
    assert set(np.floor(short.x[:-1] / 64)) <= set(np.floor(long.x / 64))
    assert not short.raw and not long.raw


def test_several_writers_of_one_metric_are_one_series(new_journal, reopen):
    for rank in range(2):
        writer = new_journal(writer=f"w{rank}", created=1000.0 + rank)
        writer.log_many("loss", np.arange(0, 100), np.arange(100) * 2.0 + rank, np.arange(100) * 2.0 + rank)
    store = reopen()
    np.testing.assert_array_equal(store.series(RUN, "loss").value, np.arange(200))
    (window,) = store.window([RUN], "loss", width=10)
    assert window.points == 200 and window.min[0] == 0.0 and window.max[-1] == 199.0


def test_a_window_is_of_those_runs_that_have_the_metric(new_journal, reopen):
    new_journal("20261122-000000-aaaaaa").log({"loss": 1.0}, 0)
    new_journal("20261122-000001-bbbbbb").log({"other": 1.0}, 0)
    windows = reopen().window(["20261122-000000-aaaaaa", "20261122-000001-bbbbbb"], "loss")
    assert [window.run for window in windows] == ["20261122-000000-aaaaaa"]


def test_metrics_of_different_sources_are_never_mixed(journal, reopen):
    journal.log({"loss": 1.0}, 0, source="inferred")
    journal.log({"loss": 2.0}, 0)
    journal.log({"gpu0.memory": 3.0}, 0, source="system")
    store = reopen()
    assert store.series(RUN, "loss").value.tolist() == [2.0]
    assert store.series(RUN, "loss", source="inferred").value.tolist() == [1.0]
    assert [window.last[0] for window in store.window([RUN], "loss", source="inferred")] == [1.0]
    assert store.series(RUN, "gpu0.memory").value.tolist() == [3.0]


@pytest.mark.parametrize(
    "arguments",
    [{"x": "epoch"}, {"width": 0}, {"start": 5.0, "stop": 1.0}, {"start": math.nan}, {"stop": math.inf}],
)
def test_a_window_that_makes_no_sense_is_refused_with_a_sentence(arguments, journal, reopen):
    journal.log({"loss": 1.0}, 0)
    with pytest.raises(UsageMistake):
        reopen().window([RUN], "loss", **arguments)


def test_unknown_runs_and_metrics_are_named(journal, reopen):
    journal.log({"loss": 1.0}, 0)
    store = reopen()
    with pytest.raises(UnknownRun, match="20261122-000000-zzzzzz") as caught:
        store.window(["20261122-000000-zzzzzz"], "loss")
    assert caught.value.remedy == "trackside ls", "a script has no magics"
    with pytest.raises(UsageMistake, match="It has: loss"):
        store.series(RUN, "los")


def test_a_window_survives_that_its_store_was_closed(journal, reopen, data_dir: Path):
    journal.log({"loss": 1.0}, 0)
    with open_store(data_dir) as store:
        (window,) = store.window([RUN], "loss")
    assert window.last.tolist() == [1.0] and window.raw
