"""``log()`` keeps every number it can read, says once what it cannot, and never raises."""

from __future__ import annotations

import decimal
import fractions
import math
import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import kernel_magics as km
from kernel_magics.journal import format as fmt
from kernel_magics.journal.format import Kind
from kernel_magics.model import MetricSource
from kernel_magics.tracking.notices import TracksideWarning

Records = Callable[[str], list[Any]]


@pytest.fixture
def run() -> Iterator[km.Run]:
    with km.init(project="test") as found:
        yield found


def test_a_returned_log_is_in_the_journal(run: km.Run, records: Records) -> None:
    for step in range(3):
        run.log({"loss": 0.5 * step})
        assert records(run.id)[0].points("loss") == [(n, 0.5 * n) for n in range(step + 1)]


@pytest.mark.parametrize(
    "value",
    [
        0.25,
        True,
        7,
        np.float64(0.25),
        np.float32(0.25),
        np.float16(0.25),
        np.int8(-3),
        np.uint64(2**63),
        np.bool_(True),
        np.array(0.25),
        np.array([[0.25]]),
        torch.tensor(0.25),
        torch.tensor([3], dtype=torch.int64),
        torch.tensor(0.25, dtype=torch.bfloat16, requires_grad=True),
        torch.tensor(True),
        decimal.Decimal("0.25"),
        fractions.Fraction(1, 4),
        math.inf,
        -math.inf,
        -0.0,
        5e-324,
    ],
    ids=lambda value: f"{type(value).__name__}-{value}",
)
def test_numbers_of_every_kind_are_kept(run: km.Run, records: Records, value: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):  # the first defines, the later ones take the quick way
            run.log({"x": value})
    assert records(run.id)[0].points("x") == [
        (step, float(getattr(value, "item", lambda: value)())) for step in range(3)
    ]


def test_nan_stays_nan(run: km.Run, records: Records) -> None:
    run.log({"x": float("nan"), "y": np.float32("nan")})
    for name in "xy":
        ((step, value),) = records(run.id)[0].points(name)
        assert step == 0
        assert math.isnan(value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("cat", r"a str \('cat'\)"),
        ("0.5", "a str"),
        (None, "None"),
        (1j, "a complex"),
        (np.complex64(1), "a complex64"),
        (np.array(["a"]), "a ndarray"),
        (np.zeros((2, 3)), r"a ndarray of shape \(2, 3\)"),
        (torch.zeros(4), r"a Tensor of shape \(4,\)"),
        (np.datetime64("2026-01-01"), "a datetime64"),
        ([1.0], "a list"),
        (object(), "an object"),
        (10**400, "too large"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_number_is_said_once_and_the_rest_is_kept(
    run: km.Run, records: Records, value: Any, said: str
) -> None:
    with pytest.warns(
        TracksideWarning, match=f"'x' is {said if said != 'too large' else 'an int too large'}"
    ) as heard:
        for step in range(3):
            run.log({"good": step, "x": value, "also": 2.0})
    assert len(heard) == 1
    record = records(run.id)[0]
    assert record.points("good") == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert record.points("also") == [(0, 2.0), (1, 2.0), (2, 2.0)]
    assert record.points("x") == []
    assert [event["name"] for event in record.all(Kind.EVENT)] == ["value-refused"]


def test_a_metric_that_was_a_number_and_then_is_not_goes_on_afterwards(run: km.Run, records: Records) -> None:
    run.log({"x": 1.0})
    with pytest.warns(TracksideWarning, match="'x' is a str"):
        run.log({"x": "oops"})
    run.log({"x": 2.0})
    assert [value for _, value in records(run.id)[0].points("x")] == [1.0, 2.0]


def test_values_that_raise_when_looked_at_cost_only_themselves(run: km.Run, records: Records) -> None:
    class Nasty:
        def __float__(self) -> float:
            raise RuntimeError("no")

        def __repr__(self) -> str:
            raise RuntimeError("no")

        @property
        def shape(self) -> Any:
            raise RuntimeError("no")

    with pytest.warns(TracksideWarning, match="'x' is a Nasty"):
        run.log({"x": Nasty(), "y": 1.0})
    assert records(run.id)[0].points("y") == [(0, 1.0)]


@pytest.mark.parametrize("data", [None, 3.0, "loss", [("loss", 1.0)], {1, 2}])
def test_what_is_no_dict_is_said_once(run: km.Run, data: Any) -> None:
    with pytest.warns(TracksideWarning, match="log\\(\\) takes a dict") as heard:
        run.log(data)
        run.log(data)
    assert len(heard) == 1


def test_nested_dicts_become_paths(run: km.Run, records: Records) -> None:
    run.log({"train": {"loss": 1.0, "acc": {"top1": 2.0}}, "lr": 3.0})
    run.log({"train/loss": 4.0})
    record = records(run.id)[0]
    assert record.points("train/loss") == [(0, 1.0), (1, 4.0)]
    assert record.points("train/acc/top1") == [(0, 2.0)]
    assert record.points("lr") == [(0, 3.0)]


def test_a_dict_inside_itself_is_refused_not_followed_for_ever(run: km.Run, records: Records) -> None:
    loop: dict[str, Any] = {"x": 1.0}
    loop["again"] = loop
    with pytest.warns(TracksideWarning, match="again/again"):
        run.log(loop)
    assert records(run.id)[0].points("x") == [(0, 1.0)]


def test_other_mappings_and_other_keys_are_fine(run: km.Run, records: Records) -> None:
    run.log(OrderedDict(a=1.0))
    run.log({1: 2.0, "größe/∞": 3.0})  # type: ignore[dict-item]
    record = records(run.id)[0]
    assert record.points("a") == [(0, 1.0)]
    assert record.points("1") == [(1, 2.0)]
    assert record.points("größe/∞") == [(1, 3.0)]


def test_steps_may_come_in_any_order_and_none_follows_the_largest(run: km.Run, records: Records) -> None:
    for step in (5, 3, None, -7, None, 5, np.int64(20), 21.0, None, torch.tensor(30)):
        run.log({"x": 0.0}, step=step)  # type: ignore[arg-type]
    steps = [step for step, _ in records(run.id)[0].points("x")]
    assert steps == [5, 3, 6, -7, 7, 5, 20, 21, 22, 30]


@pytest.mark.parametrize("step", ["3", 2.5, [1], float("nan"), 2**63, object()], ids=str)
def test_a_wrong_step_is_said_once_and_the_values_are_kept(run: km.Run, records: Records, step: Any) -> None:
    run.log({"x": 1.0})
    with pytest.warns(TracksideWarning, match="a step is a whole number") as heard:
        run.log({"x": 2.0}, step=step)
        run.log({"x": 3.0}, step=step)
    assert len(heard) == 1
    assert records(run.id)[0].points("x") == [(0, 1.0), (1, 2.0), (2, 3.0)]


def test_an_empty_call_takes_no_step(run: km.Run, records: Records) -> None:
    run.log({})
    run.log({"x": 1.0})
    assert records(run.id)[0].points("x") == [(0, 1.0)]


def test_inferred_numbers_stay_apart_from_logged_ones(run: km.Run, records: Records) -> None:
    run.log({"loss": 1.0}, step=10)
    run.log_inferred({"loss": 2.0})
    run.log_inferred({"loss": 3.0}, step=7)
    run.log_inferred({"loss": 4.0})
    record = records(run.id)[0]
    assert record.points("loss") == [(10, 1.0)]
    assert record.points("loss", "inferred") == [(0, 2.0), (7, 3.0), (8, 4.0)]


def test_after_finish_log_says_so_once_and_does_nothing(records: Records) -> None:
    run = km.init()
    run.log({"x": 1.0})
    run.finish()
    with pytest.warns(TracksideWarning, match="is finished") as heard:
        run.log({"x": 2.0})
        run.log({"y": 2.0})
        run.config["a"] = 1
    assert len(heard) == 1
    assert records(run.id)[0].points("x") == [(0, 1.0)]


def test_without_a_run_km_log_says_so_and_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from kernel_magics.tracking import active

    monkeypatch.setattr(active, "_told_no_run", False)
    monkeypatch.setattr(active, "_runs", [])
    with pytest.warns(TracksideWarning, match="no run is active") as heard:
        km.log({"x": 1.0})
        km.log({"x": 1.0})
    assert len(heard) == 1


def test_a_filter_that_makes_warnings_errors_does_not_break_the_training(
    run: km.Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.log({"x": "cat"})
    assert "'x' is a str" in capsys.readouterr().err


def test_many_metrics_at_once_and_many_shapes_of_calls(run: km.Run, records: Records) -> None:
    wide = {f"layer{index}/grad": float(index) for index in range(5000)}
    run.log(wide)
    for index in range(50):
        run.log({f"only{index}": 1.0, "common": float(index)})
    record = records(run.id)[0]
    assert record.points("layer4999/grad") == [(0, 4999.0)]
    assert [value for _, value in record.points("common")] == [float(index) for index in range(50)]


def test_names_made_up_per_call_do_not_grow_the_memory_for_ever(
    run: km.Run, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kernel_magics.tracking import series

    monkeypatch.setattr(series, "_MOST_LAYOUTS", 4)
    for round_ in range(2):
        for index in range(10):
            run.log({f"m{index}": float(round_)})
    assert [record.points("m3") for record in records(run.id)] == [[(3, 0.0), (13, 1.0)]]


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that take turns as often as Python lets them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_threads_lose_nothing_and_share_the_steps(run: km.Run, records: Records, hasty_threads: None) -> None:
    together = threading.Barrier(8)

    def work(name: str) -> None:
        together.wait()
        for index in range(3000):
            run.log({name: float(index), "common": 1.0})

    threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record = records(run.id)[0]
    assert record.skipped == []
    for number in range(8):
        assert [value for _, value in record.points(f"t{number}")] == [float(index) for index in range(3000)]
    assert sorted(step for step, _ in record.points("common")) == list(range(24000))


def test_a_call_takes_at_most_40_bytes_for_one_metric_and_11_for_each_of_20(
    run: km.Run, records: Records
) -> None:
    path = Path(records(run.id)[0].path)
    for count, limit in ((1, 40), (20, 11)):
        data = {f"m{index}": 1.0 for index in range(count)}
        run.log(data)
        before = [frame for frame in records(run.id)[0].frames if frame.kind == Kind.POINTS]
        run.log(data)
        after = [frame for frame in records(run.id)[0].frames if frame.kind == Kind.POINTS]
        new = after[-1]
        assert len(after) == len(before) + 1
        assert (new.end - new.offset) / count <= limit
    assert path.exists()


def test_a_point_may_lie_at_the_beginning_of_the_epoch(records: Records) -> None:
    with km.init() as run:
        layout = run._scribe.layout(("loss",), MetricSource.LOGGED)
        assert layout is not None
        run._scribe.points(layout, 0, (1.0,), when=0.0)
    (payload,) = (frame.payload for frame in records(run.id)[0].frames if frame.kind == Kind.POINTS)
    assert fmt.unpack_points(payload).time == 0.0
