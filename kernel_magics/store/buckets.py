"""Reducing points to buckets without losing an extreme, and merging buckets exactly.

A bucket is the cell ``[k·2^e, (k+1)·2^e)`` of the x axis. Cells of a power of two nest, so buckets made at a
finer ``e`` merge into those of a coarser one exactly, whatever the order in which the points came.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Buckets = NDArray[np.void]

BUCKET = np.dtype(
    [
        ("x_first", "<f8"),  # x of `first`; of the first point when none is finite
        ("x_last", "<f8"),
        ("min", "<f8"),
        ("max", "<f8"),
        ("first", "<f8"),
        ("last", "<f8"),
        ("count", "<i4"),
        ("nan", "<i4"),
        ("posinf", "<i4"),
        ("neginf", "<i4"),
    ]
)
"""One bucket, 64 bytes. min, max, first and last are of the finite points; NaN without one."""

FINEST = {"step": 0, "time": -20, "metric": -960}
"""The least exponent per axis: single steps, microseconds; of another metric's values any."""
COARSEST = {"step": 64, "time": 64, "metric": 1000}


def empty() -> Buckets:
    """No buckets."""
    return np.empty(0, BUCKET)


def cells(x: Floats, exponent: int) -> Floats:
    """The number ``k`` of the cell of each x, as floats (a step may exceed what int64 arithmetic holds)."""
    return np.floor(np.ldexp(x, -exponent))


def reduce_points(x: Floats, values: Floats, exponent: int) -> Buckets:
    """Points (any order of x, order of logging otherwise) to buckets of width ``2**exponent``, ascending in
    x."""
    if not len(x):
        return empty()
    if np.any(x[1:] < x[:-1]):
        order = np.argsort(x, kind="stable")
        x, values = x[order], values[order]
    return _reduce_sorted(x, values, _starts(cells(x, exponent)))


def one_each(x: Floats, values: Floats) -> Buckets:
    """Every point a bucket of its own, ascending in x, equal x in the order of logging."""
    if not len(x):
        return empty()
    order = np.argsort(x, kind="stable")
    return _reduce_sorted(x[order], values[order], np.arange(len(x)))


def summarise(x: Floats, values: Floats, axis: str, most: int) -> tuple[int, Buckets]:
    """Points as at most ``most`` buckets of the finest possible width.

    Returns:
        The exponent of the width, and the buckets.
    """
    if np.any(x[1:] < x[:-1]):
        order = np.argsort(x, kind="stable")
        x, values = x[order], values[order]
    exponent, starts = _finest(x, axis, most)
    return exponent, _reduce_sorted(x, values, starts)


def merge(parts: Sequence[Buckets | bytes], exponent: int) -> Buckets:
    """Buckets of one or several parts, in the order of logging, as buckets of width ``2**exponent``.

    Args:
        parts: buckets or their bytes, each made with an exponent of at most ``exponent``.
    """
    records = _joined(parts)
    if len(records) < 2:
        return records
    keys = cells(records["x_first"], exponent)
    if not np.any(keys[1:] < keys[:-1]):
        starts = _starts(keys)
        if len(starts) == len(records):
            return records
        if _in_order(records):
            return _combine(records, records, records, starts)
    with_value = ~np.isnan(records["min"])
    by_first = np.lexsort((records["x_first"], ~with_value, keys))
    by_last = np.lexsort((records["x_last"], with_value, keys))
    starts = _starts(keys[by_first])
    return _combine(records[by_first], records[by_first], records[by_last], starts)


def _joined(parts: Sequence[Buckets | bytes]) -> Buckets:
    """As ``numpy.concatenate``, which for records compares their types pair by pair."""
    return np.frombuffer(b"".join([part if isinstance(part, bytes) else part.data for part in parts]), BUCKET)


def coarsen(parts: Sequence[Buckets | bytes], finest: int, most: int) -> tuple[int, Buckets]:
    """Buckets of several parts as at most ``most`` of the finest possible width, at least ``2**finest``."""
    exponent = finest
    merged = merge(parts, exponent)
    while len(merged) > most:
        exponent += 1
        merged = merge([merged], exponent)
    return exponent, merged


def exponent_for(span: float, width: int, axis: str) -> int:
    """The widest cell of a power of two that is not wider than a pixel, for ``span`` on ``width`` pixels."""
    pixel = span / width
    if not pixel > 0:
        return FINEST[axis]
    return min(COARSEST[axis], max(FINEST[axis], math.frexp(pixel)[1] - 1))


def _starts(keys: Floats) -> NDArray[np.intp]:
    changed = np.empty(len(keys), bool)
    changed[0] = True
    np.not_equal(keys[1:], keys[:-1], out=changed[1:])
    return np.flatnonzero(changed)


def _finest(x: Floats, axis: str, most: int) -> tuple[int, NDArray[np.intp]]:
    span = float(x[-1] - x[0])
    exponent = max(FINEST[axis], math.frexp(span / most)[1]) if span > 0 else FINEST[axis]
    starts = _starts(cells(x, exponent))
    while len(starts) > most:
        exponent += 1
        starts = _starts(cells(x, exponent))
    while exponent > FINEST[axis]:
        finer = _starts(cells(x, exponent - 1))
        if len(finer) > most:
            break
        exponent, starts = exponent - 1, finer
    return exponent, starts


def _reduce_sorted(x: Floats, values: Floats, starts: NDArray[np.intp]) -> Buckets:
    out = np.zeros(len(starts), BUCKET)
    ends = np.append(starts[1:], len(x))
    out["count"] = ends - starts
    finite = np.isfinite(values)
    if finite.all():
        first, last = starts, ends - 1
        low = high = values
    else:
        place = np.arange(len(x))
        first = np.minimum.reduceat(np.where(finite, place, len(x)), starts)
        last = np.maximum.reduceat(np.where(finite, place, -1), starts)
        first, last = np.where(last < 0, starts, first), np.where(last < 0, ends - 1, last)
        values = np.where(finite, values, _count_odd(out, values, starts))
        low = high = values
    out["x_first"], out["x_last"] = x[first], x[last]
    out["first"], out["last"] = values[first], values[last]
    out["min"] = np.fmin.reduceat(low, starts)
    out["max"] = np.fmax.reduceat(high, starts)
    return out


def _count_odd(out: Buckets, values: Floats, starts: NDArray[np.intp]) -> float:
    """Counts what is not finite into ``out``; answers what to put in its place."""
    for name, odd in (("nan", np.isnan(values)), ("posinf", values == np.inf), ("neginf", values == -np.inf)):
        out[name] = np.add.reduceat(odd.astype(np.int32), starts)
    return math.nan


def _in_order(records: Buckets) -> bool:
    """Whether neighbours are ascending in x and all have a value, so that first and last are where they
    seem."""
    return bool(
        not np.any(records["x_first"][1:] < records["x_last"][:-1]) and not np.any(np.isnan(records["min"]))
    )


def _combine(any_order: Buckets, by_first: Buckets, by_last: Buckets, starts: NDArray[np.intp]) -> Buckets:
    out = np.empty(len(starts), BUCKET)
    ends = np.append(starts[1:], len(any_order)) - 1
    for name in ("x_first", "first"):
        out[name] = by_first[name][starts]
    for name in ("x_last", "last"):
        out[name] = by_last[name][ends]
    out["min"] = np.fmin.reduceat(any_order["min"], starts)
    out["max"] = np.fmax.reduceat(any_order["max"], starts)
    for name in ("count", "nan", "posinf", "neginf"):
        out[name] = np.add.reduceat(any_order[name], starts)
    return out
