"""GPU names: what people type, what drivers say, and whether the one is the other.

Names are compared by whole segments, never by substrings: an L4 is not an L40.
"""

from __future__ import annotations

import difflib
import re
from typing import Dict, List, Optional, Tuple

from gpu_provisioner.errors import BadRequest
from gpu_provisioner.model import Gpu, GpuRequest

MODELS: Dict[str, Tuple[float, Tuple[str, ...]]] = {
    "t4": (16, ()),
    "v100-16gb": (16, ("v100-sxm2-16gb", "v100-pcie-16gb", "v100s-pcie-16gb")),
    "v100-32gb": (32, ("v100-sxm2-32gb", "v100-pcie-32gb", "v100-sxm3-32gb", "v100s-pcie-32gb")),
    "p100": (16, ("p100-pcie-16gb", "p100-sxm2-16gb")),
    "l4": (24, ()),
    "l40": (48, ()),
    "l40s": (48, ()),
    "a10": (24, ()),
    "a10g": (24, ()),
    "a16": (16, ()),
    "a30": (24, ()),
    "a40": (48, ()),
    "a4000": (16, ("rtxa4000", "rtx-a4000")),
    "a5000": (24, ("rtxa5000", "rtx-a5000")),
    "a6000": (48, ("rtxa6000", "rtx-a6000")),
    "rtx6000ada": (48, ("rtx6000-ada", "rtx-6000-ada", "rtx-6000-ada-generation", "6000-ada")),
    "rtx2080ti": (11, ("rtx-2080-ti", "2080ti")),
    "rtx3080": (10, ("rtx-3080", "3080")),
    "rtx3090": (24, ("rtx-3090", "3090")),
    "rtx4080": (16, ("rtx-4080", "4080")),
    "rtx4090": (24, ("rtx-4090", "4090")),
    "rtx5090": (32, ("rtx-5090", "5090")),
    "rtxpro6000": (96, ("rtx-pro-6000", "rtx-pro-6000-blackwell", "rtx-pro-6000-blackwell-server-edition")),
    "a100-40gb": (40, ("a100-sxm4-40gb", "a100-pcie-40gb", "a100-40g")),
    "a100-80gb": (80, ("a100-sxm4-80gb", "a100-pcie-80gb", "a100-80gb-pcie", "a100-nvlink-80gb", "a100-80g")),
    "h100": (80, ("h100-80gb", "h100-80gb-hbm3", "h100-nvlink-80gb", "h100-sxm", "h100-pcie", "h100-mega")),
    "h100-nvl": (94, ()),
    "h200": (141, ("h200-sxm", "h200-nvl", "h200-141gb")),
    "gh200": (96, ("gh200-480gb", "gh200-96gb")),
    "b200": (180, ()),
    "gb200": (186, ()),
    "b300": (270, ()),
    "gb300": (270, ()),
    "mi300x": (192, ("mi300x-oam", "instinct-mi300x", "instinct-mi300x-oam")),
    "mi325x": (288, ("mi325x-oam", "instinct-mi325x")),
    "mi355x": (288, ("instinct-mi355x",)),
}
"""Canonical name → (GiB of memory as sold, other spellings after :func:`normalise`)."""

FAMILIES: Dict[str, Tuple[str, ...]] = {
    "a100": ("a100-40gb", "a100-80gb"),
    "v100": ("v100-16gb", "v100-32gb"),
}
"""A name that means any of several sizes."""

MAX_COUNT = 1024

_ALIASES = {alias: name for name, (_, aliases) in MODELS.items() for alias in (name, *aliases)}
_VENDOR_WORDS = {"nvidia", "tesla", "geforce", "quadro", "amd", "corporation"}
_COUNT_FIRST = re.compile(r"([^x]+)x(.+)")
_AT_LEAST = re.compile(r"(?:any|gpu)>=(\d+(?:\.\d+)?)(?:gb|gib|g)?")
_INTEGER = re.compile(r"[+-]?\d+")


def normalise(text: str) -> str:
    """Lower case, ``-`` for spaces and underscores, without the vendor's words."""
    words = re.split(r"[\s_\-/]+", text.strip().lower())
    return "-".join(word for word in words if word and word not in _VENDOR_WORDS)


def canonical_name(name: str, memory_gib: float) -> str:
    """The canonical name for what a driver calls a GPU; its own normalised name when it is not in the table.

    ``NVIDIA A100-SXM4-80GB`` → ``a100-80gb``. A name without a size gets it from the memory.
    """
    normal = normalise(name)
    if normal in _ALIASES:
        return _ALIASES[normal]
    segments = normal.split("-")
    for length in range(len(segments), 0, -1):
        head = "-".join(segments[:length])
        if head in FAMILIES:
            return min(FAMILIES[head], key=lambda model: abs(MODELS[model][0] - memory_gib))
        if head in _ALIASES:
            return _ALIASES[head]
    return normal


def parse(text: str) -> GpuRequest:
    """Understand a specification: ``a100``, ``a100-80gb``, ``a100:2``, ``2xa100``, ``gpu``, ``any>=24gb``,
    ``cpu``.

    Raises:
        BadRequest: with what was wrong and what was probably meant.
    """
    raw = text.strip()
    if not raw:
        raise BadRequest("No GPU was named.", "%gpu_provision a100 --or cpu")
    name, count = _split_count(raw)
    at_least = _AT_LEAST.fullmatch(re.sub(r"\s", "", name.lower()))
    if at_least:
        return GpuRequest(raw, None, count, float(at_least.group(1)))
    normal = normalise(name)
    if normal in ("gpu", "any"):
        return GpuRequest(raw, None, count)
    if normal == "cpu":
        if count != 1:
            raise _bad(f"A kernel without a GPU has no count: {raw!r}.", "cpu")
        return GpuRequest(raw, "cpu", 0)
    if normal in FAMILIES:
        return GpuRequest(raw, normal, count)
    if normal in _ALIASES:
        return GpuRequest(raw, _ALIASES[normal], count)
    raise _unknown(name, raw)


def matches(request: GpuRequest, gpu: Gpu) -> bool:
    """Whether this GPU is what was asked for. ``a100-80gb`` is never a GPU of 40 GB."""
    if request.is_cpu:
        return False
    if request.min_memory_gib is not None and gpu.memory_gib < request.min_memory_gib * 0.97:
        # A "24 GB" card shows a little less than 24 GiB: its own firmware takes some.
        return False
    if request.model is None:
        return True
    return gpu.model in FAMILIES.get(request.model, (request.model,))


def _split_count(raw: str) -> Tuple[str, int]:
    """``a100:2`` or ``2xa100`` → (name, 2)."""
    name, colon, count = raw.partition(":")
    if colon:
        return name, _count(count, raw)
    names = {*_ALIASES, *FAMILIES}
    first = _COUNT_FIRST.fullmatch(raw.lower())
    if normalise(raw) in names or first is None:
        # "rtx 4090" has an x as well.
        return raw, 1
    if _INTEGER.fullmatch(first.group(1)) or normalise(first.group(2)) in names:
        return first.group(2), _count(first.group(1), raw)
    return raw, 1


def _count(text: str, raw: str) -> int:
    text = text.strip()
    if not _INTEGER.fullmatch(text):
        raise _bad(f"The number of GPUs in {raw!r} must be a whole number, not {text!r}.", "a100:2")
    count = int(text)
    if not 1 <= count <= MAX_COUNT:
        raise _bad(f"{raw!r} asks for {count} GPUs; a request names 1 to {MAX_COUNT}.", "a100:2")
    return count


def _unknown(name: str, raw: str) -> BadRequest:
    guess = _closest(normalise(name))
    if guess is None:
        known = ", ".join(sorted({*FAMILIES, *MODELS}))
        return BadRequest(f"{raw!r} is not a GPU that is known here. Known: gpu, cpu, {known}.")
    return _bad(f"{raw!r} is not a GPU that is known here; did you mean {guess}?", guess)


def _bad(message: str, meant: str) -> BadRequest:
    return BadRequest(message, f"%gpu_provision {meant}", meant)


def _closest(normal: str) -> Optional[str]:
    """The known name that looks most like it."""
    known: List[str] = [*FAMILIES, *_ALIASES, "gpu", "cpu"]
    found = difflib.get_close_matches(normal, known, n=3, cutoff=0.6)
    # Of equally close names the one it begins with: "a1000" is rather an a100 than an a4000.
    found.sort(key=lambda each: (not normal.startswith(each), -_similarity(each, normal)))
    if not found:
        return None
    return found[0] if found[0] in FAMILIES or found[0] in ("gpu", "cpu") else _ALIASES[found[0]]


def _similarity(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()
