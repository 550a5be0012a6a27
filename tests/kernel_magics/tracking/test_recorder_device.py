"""CUDA scalars are written when they have arrived, and log() never waits for them.

The order of things is shown with a stand-in for torch.cuda whose events are done when the test says so; the
same on a real GPU runs where there is one.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

import kernel_magics as km
from kernel_magics.journal.format import Kind
from kernel_magics.tracking import device, recorder
from kernel_magics.tracking.notices import TracksideWarning

Records = Callable[[str], list[Any]]


class FakeTensor:
    """What ``log()`` asks of a CUDA tensor. Reading it would wait for the GPU, so that is an error."""

    is_cuda = True
    device = "cuda:0"
    dtype = "float32"

    def __init__(self, value: float, size: int = 1) -> None:
        self.value, self.size = value, size

    def numel(self) -> int:
        return self.size

    def is_complex(self) -> bool:
        return False

    def detach(self) -> FakeTensor:
        return FakeTensor(self.value)

    def reshape(self, shape: tuple[int, ...]) -> FakeTensor:
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.size,)

    def __float__(self) -> float:
        raise AssertionError("log() waited for the GPU")

    item = __float__


FakeTensor.__module__ = "torch"


class Gpu:
    """Copies that arrive when ``finished`` says so, in order."""

    def __init__(self) -> None:
        self.started = self.finished = 0

    def copy(self, torch_module: Any, scalars: list[FakeTensor]) -> tuple[Any, Any]:
        self.started += 1
        number = self.started
        values = [scalar.value for scalar in scalars]
        event = types.SimpleNamespace(query=lambda: self.finished >= number)
        return types.SimpleNamespace(tolist=lambda: values), event


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gpu]:
    found = Gpu()
    monkeypatch.setattr(device, "_copy", found.copy)
    yield found
    found.finished = 10**9


def test_points_are_written_when_their_values_arrive_with_the_step_and_time_of_the_call(
    gpu: Gpu, records: Records
) -> None:
    with km.init() as run:
        run.log({"lr": 0.1, "loss": FakeTensor(1.5), "acc": FakeTensor(0.5)})
        run.log({"lr": 0.1}, step=10)
        assert records(run.id)[0].points("loss") == []
        assert records(run.id)[0].points("lr") == [(10, 0.1)]
        gpu.finished = 1
        run.log({"loss": FakeTensor(2.5)})
        assert records(run.id)[0].points("loss") == [(0, 1.5)]
        assert records(run.id)[0].points("acc") == [(0, 0.5)]
        gpu.finished = 2
    record = records(run.id)[0]
    assert record.points("loss") == [(0, 1.5), (11, 2.5)]
    assert record.points("lr") == [(10, 0.1), (0, 0.1)]
    assert gpu.started == 2, "the scalars of one call travel together"


def test_finish_waits_for_them_so_long_and_says_how_many_are_lost(
    gpu: Gpu, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "FINISH_S", 0.2)
    run = km.init()
    run.log({"a": FakeTensor(1.0), "b": FakeTensor(2.0)})
    run.log({"a": FakeTensor(3.0)})
    gpu.finished = 1
    with pytest.warns(TracksideWarning, match="1 point lost"):
        run.finish()
    record = records(run.id)[0]
    assert record.points("a") == [(0, 1.0)]
    (event,) = [event for event in record.all(Kind.EVENT) if event["name"] == "points-lost"]
    assert event["lost_points"] == 1


def test_a_cuda_tensor_of_more_than_one_value_is_refused_without_reading_it(
    gpu: Gpu, records: Records
) -> None:
    with km.init() as run:
        with pytest.warns(TracksideWarning, match=r"of shape \(4,\)"):
            run.log({"x": FakeTensor(1.0, size=4), "y": 1.0})
        assert records(run.id)[0].points("y") == [(0, 1.0)]
    assert gpu.started == 0


def test_a_refused_value_takes_nothing_from_a_tensor_that_came_under_the_same_name(
    gpu: Gpu, records: Records
) -> None:
    gpu.finished = 1
    with km.init() as run, pytest.warns(TracksideWarning, match="'a/b' is a str"):
        run.log({"a/b": FakeTensor(1.5), "a": {"b": "cat"}})
    assert records(run.id)[0].points("a/b") == [(0, 1.5)]


def test_a_cpu_tensor_is_no_cuda_tensor() -> None:
    assert not device.on_device(torch.tensor(1.0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="NOT TESTED: this machine has no CUDA GPU")
def test_on_a_real_gpu_log_returns_before_the_gpu_is_done(records: Records) -> None:
    with km.init() as run:
        run.log({"loss": torch.tensor(0.0, device="cuda")})
        torch.cuda.synchronize()
        value = torch.ones((), device="cuda")
        torch.cuda._sleep(2_000_000_000)
        value = value + 1
        run.log({"loss": value, "half": value.half(), "count": value.long()})
        assert not torch.cuda.current_stream().query(), "log() waited for the GPU"
        value += 1  # after the call: must not change what was logged
    record = records(run.id)[0]
    assert record.points("loss") == [(0, 0.0), (1, 2.0)]
    assert (record.points("half"), record.points("count")) == ([(1, 2.0)], [(1, 2.0)])
