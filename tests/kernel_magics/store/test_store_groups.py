"""Groups of runs: the mean of their lines, cell by cell, whatever the steps at which they logged."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_magics.errors import UnknownRun, UsageMistake
from kernel_magics.store import Store, Window
from kernel_magics.store.groups import Beyond, Grid, group_window

Log = Callable[[str, Sequence[float], Sequence[float]], str]


@pytest.fixture
def log(new_journal) -> Log:
    """Makes a run with these steps and values of `loss`; answers its id."""

    def make(word: str, steps: Sequence[float], values: Sequence[float]) -> str:
        run_id = f"20261122-141503-{word}"
        one = new_journal(run_id)
        one.log_many("loss", np.asarray(steps, np.int64), np.asarray(steps) * 1.0, np.asarray(values, float))
        return run_id

    return make


def mean_of(store: Store, groups: Sequence[Sequence[str]], **more: object) -> list[Window]:
    return store.window([], "loss", groups=groups, **more)


def test_runs_of_the_same_steps_are_averaged_step_by_step(log, reopen):
    values = np.random.default_rng(0).normal(size=(3, 50))
    runs = [log(word, range(50), row) for word, row in zip(("aaaaaa", "bbbbbb", "cccccc"), values)]
    (window,) = mean_of(reopen(), [runs])
    np.testing.assert_allclose(window.last, values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(window.group.std, values.std(axis=0, ddof=1), rtol=1e-12)
    assert window.min.tolist() == values.min(axis=0).tolist()
    assert window.max.tolist() == values.max(axis=0).tolist()
    assert window.x.tolist() == list(range(50)) and set(window.group.members) == {3}
    assert window.run == runs[0] and window.group.runs == tuple(runs) and window.points == 150


def test_runs_of_other_steps_count_with_their_lines_and_only_between_their_ends(log, reopen):
    dense = log("aaaaaa", range(11), [0.0] * 11)
    sparse = log("bbbbbb", [2, 6], [10.0, 30.0])
    (window,) = mean_of(reopen(), [[dense, sparse]])
    assert window.x.tolist() == list(range(11))
    assert window.group.members.tolist() == [1, 1, 2, 2, 2, 2, 2, 1, 1, 1, 1]
    np.testing.assert_allclose(window.last, [0, 0, 5, 7.5, 10, 12.5, 15, 0, 0, 0, 0])
    assert window.group.std[0] == 0.0, "one run lies beside nobody"


def test_a_zoom_changes_no_mean(log, reopen):
    """The line of a run that has no point in the view still goes through it."""
    dense = log("aaaaaa", range(1001), np.sin(np.arange(1001)))
    sparse = log("bbbbbb", [0, 1000], [0.0, 1000.0])
    store = reopen()
    (whole,) = mean_of(store, [[dense, sparse]], width=2000)
    (zoomed,) = mean_of(store, [[dense, sparse]], start=400, stop=450, width=2000)
    inside = (whole.x >= 400) & (whole.x <= 450)
    assert zoomed.x.tolist() == whole.x[inside].tolist() and len(zoomed) == 51
    np.testing.assert_allclose(zoomed.last, whole.last[inside], rtol=1e-12)
    assert set(zoomed.group.members) == {2}


def test_a_spike_of_one_run_in_one_step_of_a_million_stays(log, reopen):
    values = np.zeros(200_000)
    values[123_456] = 1e6
    runs = [log("aaaaaa", range(200_000), values), log("bbbbbb", range(200_000), np.ones(200_000))]
    (window,) = mean_of(reopen(), [runs], width=500)
    assert len(window) <= 1000 and window.max.max() == 1e6 and window.points == 400_000
    assert window.count.sum() == 400_000


def test_what_is_not_finite_takes_no_part_and_is_counted(log, reopen):
    runs = [log("aaaaaa", range(4), [1.0, math.nan, math.inf, 1.0]), log("bbbbbb", range(4), [3.0] * 4)]
    (window,) = mean_of(reopen(), [runs])
    assert window.last.tolist() == [2.0, 3.0, 3.0, 2.0]
    assert window.group.members.tolist() == [2, 1, 1, 2]
    assert (window.nan.tolist(), window.posinf.tolist()) == ([0, 1, 0, 0], [0, 0, 1, 0])


def test_a_line_broken_by_nan_is_not_read_across_the_break(log, reopen):
    broken = log("aaaaaa", [0, 2, 4], [0.0, math.nan, 0.0])
    whole = log("bbbbbb", range(5), [1.0] * 5)
    (window,) = mean_of(reopen(), [[broken, whole]])
    assert window.group.members.tolist() == [2, 1, 1, 1, 2]


def test_each_group_has_its_own_mean_and_a_run_without_the_metric_is_left_out(log, reopen, new_journal):
    first, second = log("aaaaaa", range(3), [1.0] * 3), log("bbbbbb", range(3), [5.0] * 3)
    empty = "20261122-141503-cccccc"
    new_journal(empty).log({"other": 1.0}, 0)
    store = reopen()
    windows = mean_of(store, [[empty, first], [second]])
    assert [window.run for window in windows] == [empty, second], "a group goes by its first run"
    assert [window.group.runs for window in windows] == [(first,), (second,)]
    assert [window.last.tolist() for window in windows] == [[1.0] * 3, [5.0] * 3]
    assert mean_of(store, [[empty]]) == []


def test_smoothing_is_of_each_run_before_the_mean(log, reopen):
    values = np.random.default_rng(2).normal(size=(2, 200))
    runs = [log(word, range(200), row) for word, row in zip(("aaaaaa", "bbbbbb"), values)]
    store = reopen()
    singles = store.window(runs, "loss", smoothing=0.9)
    (window,) = mean_of(store, [runs], smoothing=0.9)
    np.testing.assert_allclose(window.last, (singles[0].last + singles[1].last) / 2, rtol=1e-12)


def test_groups_that_make_no_sense_are_refused(log, reopen):
    run = log("aaaaaa", range(3), [1.0] * 3)
    store = reopen()
    for groups in ([[]], [[run, run]], [[run], [run]]):
        with pytest.raises(UsageMistake, match="A group has at least one run"):
            mean_of(store, groups)
    with pytest.raises(UnknownRun):
        mean_of(store, [["20261122-141503-zzzzzz"]])


def test_the_largest_numbers_have_a_mean(log, reopen):
    runs = [log(word, [0], [1.7e308]) for word in ("aaaaaa", "bbbbbb")]
    (window,) = mean_of(reopen(), [runs])
    assert window.last.tolist() == [1.7e308]


def raw_window(run: str, points: dict[int, float]) -> Window:
    steps = sorted(points)
    values = np.array([points[step] for step in steps], float)
    finite = np.where(np.isfinite(values), values, np.nan)
    ones, zeros = np.ones(len(steps), np.int32), np.zeros(len(steps), np.int32)
    nan = np.isnan(values).astype(np.int32)
    x = np.array(steps, float)
    columns = [finite] * 4
    return Window(run, "m", "step", True, len(steps), x, *columns, ones, nan, zeros, zeros)


points = st.dictionaries(
    st.integers(0, 60), st.one_of(st.floats(-1e6, 1e6), st.just(math.nan)), min_size=1, max_size=12
)


@settings(max_examples=200, deadline=None)
@given(st.lists(points, min_size=1, max_size=5))
def test_the_mean_is_that_of_the_lines_at_every_step(runs: list[dict[int, float]]) -> None:
    """Beside the definition, value by value."""
    windows = [raw_window(f"r{number}", one) for number, one in enumerate(runs)]
    window = group_window(windows, [Beyond()] * len(runs), Grid(0), "r0")
    assert window.x.tolist() == sorted({float(step) for one in runs for step in one})
    for place, step in enumerate(window.x):
        values = [value for one in runs if not math.isnan(value := line_at(one, int(step)))]
        assert window.group.members[place] == len(values)
        if values:
            assert window.last[place] == pytest.approx(sum(values) / len(values), rel=1e-9, abs=1e-6)
            assert window.min[place] == pytest.approx(min(values), abs=1e-6)
            assert window.max[place] == pytest.approx(max(values), abs=1e-6)
            spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
            assert window.group.std[place] == pytest.approx(spread, rel=1e-6, abs=1e-6)
        else:
            assert math.isnan(window.last[place])


def line_at(one: dict[int, float], step: int) -> float:
    """Where the line of a run is at a step; NaN where it has none."""
    if step in one:
        return one[step]
    before, after = [at for at in one if at < step], [at for at in one if at > step]
    if not before or not after:
        return math.nan
    left, right = max(before), min(after)
    return one[left] + (one[right] - one[left]) * (step - left) / (right - left)
