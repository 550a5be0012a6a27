"""The machine is sampled while a run goes on: cheaply, and never to the run's cost."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any

import pytest

import kernel_magics as km
from kernel_magics.journal.format import Kind
from kernel_magics.tracking import nvml, telemetry
from kernel_magics.tracking.telemetry import Telemetry

Records = Callable[[str], list[Any]]


class Sink:
    def __init__(self) -> None:
        self.samples: list[Mapping[str, float]] = []
        self.units: Mapping[str, str] = {}

    def __call__(self, values: Mapping[str, float], units: Mapping[str, str]) -> None:
        self.samples.append(dict(values))
        self.units = {**self.units, **units}


class FakeNvml(types.ModuleType):
    """NVML's calls for two GPUs: one that answers everything, one that fell off the bus."""

    NVML_TEMPERATURE_GPU = 0

    class NVMLError(Exception):
        pass

    def __init__(self) -> None:
        super().__init__("pynvml")

    def nvmlInit(self) -> None: ...
    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> bytes:
        return f"GPU-{handle}aaa".encode()

    def nvmlDeviceGetName(self, handle: int) -> str:
        return "NVIDIA A100-SXM4-80GB"

    def nvmlSystemGetDriverVersion(self) -> str:
        return "550.1"

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        if handle == 1:
            raise self.NVMLError("GPU is lost")
        return types.SimpleNamespace(gpu=41)

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        if handle == 1:
            raise self.NVMLError("GPU is lost")
        return types.SimpleNamespace(total=80 * 2**30, used=3 * 2**30)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        raise self.NVMLError("Not supported")

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        return 50 + handle


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pynvml", FakeNvml())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_processor_and_memory_are_sampled() -> None:
    sink = Sink()
    sampler = Telemetry(sink)
    sampler.sample()
    spent = sum(index * index for index in range(300_000))
    sampler.sample()
    assert spent
    first, second = sink.samples[0], sink.samples[1]
    assert "system/cpu_percent" not in first, "a share needs two readings"
    assert 0 <= second["system/cpu_percent"] <= 100
    assert second["system/process_cpu_percent"] > 1
    assert 0.001 < second["system/process_memory_gib"] < second["system/memory_gib"]
    assert sink.units["system/cpu_percent"] == "%"


def test_psutil_and_proc_agree() -> None:
    by_proc, by_psutil = telemetry._read_linux(), telemetry._read_psutil()
    assert by_proc is not None
    assert by_psutil is not None
    for (_, ours), (_, theirs) in zip(by_proc[3], by_psutil[3], strict=True):
        assert ours == pytest.approx(theirs, rel=0.1)


def test_each_gpu_tells_what_it_can(two_gpus: None) -> None:
    sink = Sink()
    Telemetry(sink).sample()
    gpus = {name: value for name, value in sink.samples[0].items() if "gpu" in name}
    assert gpus == {
        "system/gpu0/utilization_percent": 41.0,
        "system/gpu0/memory_gib": 3.0,
        "system/gpu0/temperature_c": 50.0,
        "system/gpu1/temperature_c": 51.0,
    }


def test_gpus_are_described(two_gpus: None) -> None:
    first, second = nvml.Devices.open().describe()
    assert first == {
        "index": 0,
        "name": "NVIDIA A100-SXM4-80GB",
        "uuid": "GPU-0aaa",
        "memory_gib": 80.0,
        "driver": "550.1",
    }
    assert second["memory_gib"] is None


@pytest.mark.parametrize(
    ("setting", "visible"),
    [
        (None, [0, 1]),
        ("1", [1]),
        ("GPU-1", [1]),
        ("1,0", [0, 1]),
        ("", []),
        ("-1", []),
        ("0,-1,1", [0]),
        ("MIG-x", [0, 1]),
    ],
)
def test_only_gpus_that_the_process_may_use_are_sampled(
    two_gpus: None, setting: str | None, visible: list[int]
) -> None:
    environ = {} if setting is None else {"CUDA_VISIBLE_DEVICES": setting}
    assert [sample.index for sample in nvml.Devices.open(environ).samples()] == visible


def test_without_a_driver_there_are_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeNvml()

    def absent() -> None:
        raise fake.NVMLError("Driver Not Loaded")

    monkeypatch.setattr(fake, "nvmlInit", absent, raising=False)
    monkeypatch.setitem(__import__("sys").modules, "pynvml", fake)
    devices = nvml.Devices.open()
    assert (devices.samples(), devices.describe()) == ([], [])


def test_samples_come_often_at_first_and_seldom_later() -> None:
    sampler = Telemetry(lambda values, units: None)
    intervals = []
    for _ in range(100):
        intervals.append(sampler.interval())
        sampler._samples += 1
    assert intervals[2:30] == [1.0] * 28
    assert intervals == sorted(intervals)
    assert intervals[-1] == 10.0


def test_a_machine_that_cannot_be_asked_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def broken(self: Telemetry) -> dict[str, float]:
        asked.append(1)
        raise OSError("no /proc")

    monkeypatch.setattr(Telemetry, "_host", broken)
    sampler = Telemetry(lambda values, units: None)
    sampler.sample()
    sampler.sample()
    assert len(asked) == 1


def test_system_metrics_carry_the_step_of_the_training(records: Records) -> None:
    with km.init() as run:
        run.record_system({"system/cpu_percent": 1.0}, {"system/cpu_percent": "%"})
        run.log({"loss": 1.0}, step=70)
        run.record_system({"system/cpu_percent": 2.0}, {"system/cpu_percent": "%"})
        record = records(run.id)[0]
    found = [pair for pair in record.points("system/cpu_percent", "system") if pair[1] in (1.0, 2.0)]
    assert found == [(0, 1.0), (70, 2.0)]
    units = {metric["name"]: metric.get("unit") for metric in record.all(Kind.METRIC)}
    assert (units["system/cpu_percent"], units["loss"]) == ("%", None)
