"""GPUs as NVML tells of them: a stub of its library stands in for a driver, all else is real.

The library is found by ``LD_LIBRARY_PATH`` when a process starts, so each scene is a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.gpu_provisioner.front import Place

GIB = 2**30
A100 = f"NVIDIA A100-SXM4-80GB|GPU-aaaa|{80 * GIB}|{GIB // 2}|"
A100_SMALL = f"NVIDIA A100-PCIE-40GB|GPU-bbbb|{40 * GIB}|{GIB // 2}|"
BUSY_A100 = f"NVIDIA A100-SXM4-80GB|GPU-cccc|{80 * GIB}|{30 * GIB}|1"
HIDDEN_USE = f"NVIDIA A100-SXM4-80GB|GPU-dddd|{80 * GIB}|{30 * GIB}|"
L4 = f"NVIDIA L4|GPU-eeee|{23 * GIB}|0|"
LOST = "lost|GPU-ffff|0|0|"

PREAMBLE = """
import json, os, sys
from pathlib import Path
from gpu_provisioner.catalog import Catalog
from gpu_provisioner.errors import ProvisionError
from gpu_provisioner.gpus import parse
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.providers.base import Target
from gpu_provisioner.provisioner import provision, release
data = Path(os.environ["TRACKSIDE_DIR"])
targets = [Target("local", "local")]
progress = []
def get(*specs):
    return provision([parse(spec) for spec in specs], targets=targets, data_dir=data,
                     on_progress=lambda stage, text: progress.append(text))
def say(**facts): print(json.dumps(facts), flush=True)
def visible(lease):
    kernel = json.loads((Path(lease.handle["folder"]) / "agent.json").read_text())["kernel"]
    environ = Path(f"/proc/{kernel}/environ").read_bytes().split(b"\\0")
    return [part.decode() for part in environ if part.startswith(b"CUDA_VISIBLE")]
"""


class Machine:
    """A machine with the GPUs that ``gpus`` lists."""

    def __init__(self, library: Path, place: Place) -> None:
        self._library = library
        # The machine's other test runs have GPUs of their own: a GPU that is claimed is claimed for all.
        self._ours = f"GPU-{place.mark[:8]}-"
        self.state = place.root / "gpus"

    def gpus(self, *lines: str) -> None:
        self.state.write_text("\n".join(lines).replace("GPU-", self._ours) + "\n")

    def run(self, code: str) -> list[dict[str, Any]]:
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
        if self.state.exists():
            environ.update(LD_LIBRARY_PATH=str(self._library), NVML_STUB_GPUS=str(self.state))
        done = subprocess.run(
            [sys.executable, "-c", PREAMBLE + code], env=environ, capture_output=True, text=True, timeout=90
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line.replace(self._ours, "GPU-")) for line in done.stdout.splitlines()]


@pytest.fixture
def machine(nvml_library: Path, place: Place) -> Machine:
    return Machine(nvml_library, place)


SURVEY = """
for spec in {specs!r}:
    survey = Catalog(targets, LeaseBook(data).live).survey(parse(spec))
    say(uuids=[[gpu.uuid for gpu in offer.gpus] for offer in survey.offers],
        prices=[offer.usd_per_hour for offer in survey.offers],
        there=[text for _, text in survey.inventories])
"""


def survey(machine: Machine, *specs: str) -> list[dict[str, Any]]:
    return machine.run(SURVEY.format(specs=specs))


def test_free_gpus_are_offered_and_busy_ones_are_not(machine: Machine) -> None:
    machine.gpus(BUSY_A100, A100, HIDDEN_USE, L4)
    a100, l4, any_gpu, two, l40 = survey(machine, "a100", "l4", "gpu", "a100:2", "l40")
    assert a100["uuids"] == [["GPU-aaaa"]]
    assert l4["uuids"] == [["GPU-eeee"]]
    assert sorted(any_gpu["uuids"]) == [["GPU-aaaa"], ["GPU-eeee"]]
    assert two["uuids"] == [] and l40["uuids"] == []
    assert "GPU 0 a100-80gb 80 GiB, busy" in two["there"][0]
    assert "by a process that cannot be seen from here" in two["there"][0]
    assert a100["prices"] == [None]


def test_a_bare_a100_may_be_either_size_and_a_named_size_only_that(machine: Machine) -> None:
    machine.gpus(A100_SMALL, A100)
    bare, large, pair = survey(machine, "a100", "a100-80gb", "a100:2")
    assert bare["uuids"] == [["GPU-bbbb"], ["GPU-aaaa"]]
    assert large["uuids"] == [["GPU-aaaa"]]
    assert pair["uuids"] == []


def test_a_gpu_that_fell_off_the_bus_hides_no_other(machine: Machine) -> None:
    machine.gpus(LOST, A100)
    [found] = survey(machine, "a100")
    assert found["uuids"] == [["GPU-aaaa"]]


def test_without_a_driver_it_says_so(machine: Machine) -> None:
    [found] = survey(machine, "a100")
    assert found["there"] == ["no GPU here: no NVIDIA driver is installed (libnvidia-ml.so.1 was not found)"]


def test_an_a100_is_provisioned_verified_visible_and_given_back(machine: Machine) -> None:
    machine.gpus(L4, A100)
    told = machine.run(
        """
lease = get("a100", "cpu")
say(device=lease.device, gpus=[gpu.uuid for gpu in lease.gpus], visible=visible(lease), progress=progress)
other = Catalog(targets, LeaseBook(data).live).survey(parse("a100"))
say(offers=len(other.offers), there=other.inventories[0][1])
release(lease, data)
say(offers=len(Catalog(targets, LeaseBook(data).live).survey(parse("a100")).offers))
"""
    )
    assert told[0]["device"] == "a100-80gb"
    assert told[0]["visible"] == ["CUDA_VISIBLE_DEVICES=GPU-aaaa"]
    assert "a100-80gb on local: NVIDIA A100-SXM4-80GB, 80 GiB, free." in told[0]["progress"]
    assert told[1]["offers"] == 0 and "leased by you as 'a100-80gb'" in told[1]["there"]
    assert told[2]["offers"] == 1


def test_a_cpu_kernel_sees_no_gpu(machine: Machine) -> None:
    machine.gpus(A100)
    [told] = machine.run(
        """
lease = get("cpu")
say(visible=visible(lease))
release(lease, data)
"""
    )
    assert told["visible"] == ["CUDA_VISIBLE_DEVICES="]


def test_a_fallback_is_taken_only_where_it_was_asked_for_and_is_announced(machine: Machine) -> None:
    machine.gpus(BUSY_A100)
    told = machine.run(
        """
try: get("a100")
except ProvisionError as error: say(kind=type(error).__name__, message=error.message, remedy=error.remedy)
lease = get("a100", "gpu", "cpu")
say(device=lease.device, progress=progress)
release(lease, data)
say(leases=[[lease.state.value, lease.spec] for lease in LeaseBook(data).all()])
"""
    )
    assert told[0]["kind"] == "NoOffer"
    assert told[0]["message"].startswith(
        "No a100 is free on any target, and nothing was rented. local: GPU 0 a100-80gb"
    )
    assert told[0]["remedy"] == "%gpu_provision a100 --or cpu, or --on HOST, a machine that ssh reaches"
    assert told[1]["device"] == "cpu"
    assert "No a100 or gpu is to be had; cpu on local" in " ".join(told[1]["progress"])
    assert told[2]["leases"] == [["released", "a100 --or gpu --or cpu"]]


def test_a_gpu_that_is_not_the_promised_one_is_an_error_and_the_lease_is_given_back(machine: Machine) -> None:
    machine.gpus(A100)
    told = machine.run(
        f"""
import gpu_provisioner.provisioner as module
submit = module.provider_of
def swap(*arguments):
    Path(os.environ["NVML_STUB_GPUS"]).write_text({L4 + chr(10)!r})
    return submit(*arguments)
module.provider_of = swap
try: get("a100")
except ProvisionError as error: say(kind=type(error).__name__, message=error.message)
say(leases=[lease.state.value for lease in LeaseBook(data).all()], live=len(LeaseBook(data).live()))
"""
    )
    assert told[0]["kind"] == "BootstrapError"
    assert "was to have NVIDIA A100-SXM4-80GB, but the agent there sees: NVIDIA L4" in told[0]["message"]
    assert told[1] == {"leases": ["released"], "live": 0}


def test_two_notebooks_never_get_the_same_gpu(machine: Machine) -> None:
    machine.gpus(A100, A100.replace("aaaa", "gggg"))
    [told] = machine.run(
        """
import threading
got, failed = [], []
def one():
    try: got.append(get("a100"))
    except ProvisionError as error: failed.append(error.message)
threads = [threading.Thread(target=one) for _ in range(3)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
say(got=sorted(gpu.uuid for lease in got for gpu in lease.gpus), failed=failed)
[release(lease, data) for lease in got]
"""
    )
    assert told["got"] == ["GPU-aaaa", "GPU-gggg"]
    assert len(told["failed"]) == 1


METER = """
from gpu_provisioner.agent.devices import GpuMeter
gpus = Path(os.environ["NVML_STUB_GPUS"])
lines = gpus.read_text()
uuids = [line.split("|")[1] for line in lines.splitlines()]
meter = GpuMeter(uuids)
say(read=meter.read())
gpus.write_text(lines.replace("|83", "|7").replace("NVIDIA L4", "lost"))
say(read=meter.read())
gpus.write_text(lines)
say(read=meter.read())
meter.close()
meter.close()
say(read=GpuMeter([]).read())
"""


def test_the_load_of_gpus_is_read_again_and_again_also_after_one_was_lost(machine: Machine) -> None:
    machine.gpus(f"{A100}|83", f"{L4}|")
    first, lost, again, nothing = (each["read"] for each in machine.run(METER))
    a100 = {"uuid": "GPU-aaaa", "use_percent": 83, "memory_gib": 0.5, "memory_total_gib": 80.0}
    l4 = {"uuid": "GPU-eeee", "use_percent": None, "memory_gib": 0.0, "memory_total_gib": 23.0}
    assert first == [[a100, l4], ""]
    assert lost[0] == [{**a100, "use_percent": 7}]
    assert "GPU-eeee does not answer" in lost[1] and "ost" in lost[1]
    assert again == first
    assert nothing == [[], ""]


def test_a_meter_without_a_driver_says_why(machine: Machine) -> None:
    code = 'from gpu_provisioner.agent.devices import GpuMeter\nsay(read=GpuMeter(["GPU-aaaa"]).read())'
    ((gpus, problem),) = (each["read"] for each in machine.run(code))
    assert gpus == [] and "driver" in problem
