"""What people type is understood, or refused with a sentence."""

from __future__ import annotations

import pytest

from gpu_provisioner.errors import BadRequest
from gpu_provisioner.gpus import FAMILIES, MODELS, canonical_name, matches, normalise, parse
from gpu_provisioner.model import Gpu, GpuRequest


def gpu(name: str, memory_gib: float) -> Gpu:
    return Gpu(0, name, "GPU-0", memory_gib, canonical_name(name, memory_gib))


@pytest.mark.parametrize(
    ("text", "model", "count", "least"),
    [
        ("a100", "a100", 1, None),
        ("A100", "a100", 1, None),
        (" NVIDIA A100 ", "a100", 1, None),
        ("a100-80gb", "a100-80gb", 1, None),
        ("A100_80GB", "a100-80gb", 1, None),
        ("a100:2", "a100", 2, None),
        ("2xa100", "a100", 2, None),
        ("8xH100", "h100", 8, None),
        ("gpu", None, 1, None),
        ("gpu:4", None, 4, None),
        ("any>=24gb", None, 1, 24.0),
        ("any >= 24 GB", None, 1, 24.0),
        ("gpu>=40", None, 1, 40.0),
        ("any>=24gb:2", None, 2, 24.0),
        ("cpu", "cpu", 0, None),
        ("l4", "l4", 1, None),
        ("L40S", "l40s", 1, None),
        ("rtx 4090", "rtx4090", 1, None),
        ("4090", "rtx4090", 1, None),
        ("GeForce RTX 4090", "rtx4090", 1, None),
        ("tesla-t4", "t4", 1, None),
        ("rtx6000-ada", "rtx6000ada", 1, None),
    ],
)
def test_specifications(text: str, model: str | None, count: int, least: float | None) -> None:
    request = parse(text)
    assert (request.model, request.count, request.min_memory_gib) == (model, count, least)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a1000", "did you mean a100?"),
        ("h10", "did you mean h100?"),
        ("rtx409", "did you mean rtx4090?"),
        ("cpus", "did you mean cpu?"),
        ("potato", "not a GPU that is known here"),
        ("a100:0", "asks for 0 GPUs"),
        ("a100:-1", "asks for -1 GPUs"),
        ("a100:10000", "asks for 10000 GPUs"),
        ("0xa100", "asks for 0 GPUs"),
        ("a100:two", "must be a whole number, not 'two'"),
        ("twoxa100", "must be a whole number, not 'two'"),
        ("a100:1.5", "must be a whole number"),
        ("a100:", "must be a whole number"),
        ("cpu:2", "has no count"),
        ("", "No GPU was named"),
        ("a100; rm -rf ~", "not a GPU that is known here"),
        ("ａ１００", "not a GPU that is known here"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(text: str, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(text)
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("driver_name", "memory_gib", "canonical"),
    [
        ("NVIDIA A100-SXM4-80GB", 80, "a100-80gb"),
        ("NVIDIA A100-PCIE-40GB", 40, "a100-40gb"),
        ("NVIDIA A100 80GB PCIe", 80, "a100-80gb"),
        ("A100_NVLINK_80GB", 80, "a100-80gb"),
        ("NVIDIA A100", 39.6, "a100-40gb"),
        ("NVIDIA A100-SXM4", 79.2, "a100-80gb"),
        ("NVIDIA H100 80GB HBM3", 80, "h100"),
        ("NVIDIA H100 NVL", 94, "h100-nvl"),
        ("NVIDIA L4", 24, "l4"),
        ("NVIDIA L40", 48, "l40"),
        ("NVIDIA L40S", 48, "l40s"),
        ("Tesla T4", 16, "t4"),
        ("Tesla V100-SXM2-16GB", 16, "v100-16gb"),
        ("Tesla V100-SXM3-32GB-H", 32, "v100-32gb"),
        ("NVIDIA GeForce RTX 3090", 24, "rtx3090"),
        ("NVIDIA RTX A6000", 48, "a6000"),
        ("NVIDIA RTX 6000 Ada Generation", 48, "rtx6000ada"),
        ("NVIDIA GH200 480GB", 96, "gh200"),
        ("NVIDIA H200", 141, "h200"),
        ("NVIDIA Quantum X9", 12, "quantum-x9"),
    ],
)
def test_what_drivers_say(driver_name: str, memory_gib: float, canonical: str) -> None:
    assert canonical_name(driver_name, memory_gib) == canonical


@pytest.mark.parametrize(
    ("asked", "there", "memory_gib", "fits"),
    [
        ("a100", "NVIDIA A100-SXM4-80GB", 80, True),
        ("a100", "NVIDIA A100-PCIE-40GB", 40, True),
        ("a100-80gb", "NVIDIA A100-PCIE-40GB", 40, False),
        ("a100-40gb", "NVIDIA A100-SXM4-80GB", 80, False),
        ("l4", "NVIDIA L40", 48, False),
        ("l40", "NVIDIA L40S", 48, False),
        ("l40", "NVIDIA L4", 24, False),
        ("h100", "NVIDIA GH200 480GB", 96, False),
        ("b200", "NVIDIA GB200", 186, False),
        ("gpu", "NVIDIA Quantum X9", 12, True),
        ("any>=24gb", "NVIDIA L4", 23.6, True),
        ("any>=24gb", "Tesla T4", 16, False),
        ("any>=40gb", "NVIDIA A100-PCIE-40GB", 39.5, True),
        ("cpu", "NVIDIA L4", 24, False),
        ("rtx6000ada", "NVIDIA RTX A6000", 48, False),
    ],
)
def test_matching_is_by_whole_segments(asked: str, there: str, memory_gib: float, fits: bool) -> None:
    assert matches(parse(asked), gpu(there, memory_gib)) is fits


def test_every_name_in_the_table_parses_to_itself_and_is_normal() -> None:
    for name, (memory_gib, aliases) in MODELS.items():
        assert parse(name) == GpuRequest(name, name, 1)
        assert memory_gib > 0
        for alias in aliases:
            assert normalise(alias) == alias
            assert parse(alias).model == name
            assert canonical_name(alias, memory_gib) == name
    assert all(set(members) <= set(MODELS) for members in FAMILIES.values())
