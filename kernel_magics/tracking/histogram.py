"""Histograms by step: the bins' edges and what lies in each, exactly."""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from typing import Any, Dict, List, Optional, Sequence, Tuple

from kernel_magics.tracking.media import Encoded, Media, Unusable

MOST_BINS = 4096


class Histogram(Media):
    """How values are distributed.

    Args:
        values: numbers: a list, a NumPy array or a tensor of any shape. NaN and infinities are counted apart.
        bins: how many bins of equal width between the least and the largest finite value.
        edges: the bins' edges instead, ascending; with ``counts`` a histogram that is known already, such as
            ``Histogram(edges=edges, counts=counts)`` of ``numpy.histogram``.
        counts: what lies in each bin, one less than ``edges``.

    A bin holds ``edges[i] <= value < edges[i + 1]``, the last one its upper edge too, as in NumPy.
    """

    def __init__(
        self,
        values: Any = None,
        bins: int = 64,
        *,
        edges: Optional[Sequence[float]] = None,
        counts: Optional[Sequence[int]] = None,
    ) -> None:
        self._values, self._bins, self._edges, self._counts = values, bins, edges, counts

    def encode(self) -> Encoded:
        try:
            content = self._known() if self._values is None else self._counted()
        except Unusable:
            raise
        except Exception as error:
            raise Unusable(f"a Histogram of something that is no numbers ({error})") from error
        return Encoded(
            "histogram", "application/json", content=content, about={"bins": len(content["counts"])}
        )

    def _known(self) -> Dict[str, Any]:
        if self._edges is None or self._counts is None:
            raise Unusable("a Histogram without values")
        edges = _checked([float(edge) for edge in self._edges])
        counts = [_plain(count) for count in self._counts]
        if len(counts) != len(edges) - 1:
            raise Unusable(
                f"a Histogram of {len(edges)} edges and {len(counts)} counts, which is not one less"
            )
        return {"edges": edges, "counts": counts}

    def _counted(self) -> Dict[str, Any]:
        finite, special = _finite(self._values)
        if self._edges is not None:
            edges = _checked([float(edge) for edge in self._edges])
        else:
            edges = _even_edges(finite, max(1, min(int(self._bins), MOST_BINS)))
        counts, below, above = _count(finite, edges)
        outside = {"below": below, "above": above} if self._edges is not None else {}
        return {"edges": edges, "counts": counts, **outside, **special}


def _plain(count: Any) -> Any:
    """A count as JSON has it; weighted and normalised histograms have fractions."""
    number = float(count)
    return int(number) if number.is_integer() else number


def _checked(edges: List[float]) -> List[float]:
    rising = all(low < high for low, high in zip(edges, edges[1:]))
    if len(edges) < 2 or not rising or not all(map(math.isfinite, edges)):
        raise Unusable("a Histogram whose edges are not two or more rising numbers")
    if len(edges) > MOST_BINS + 1:
        raise Unusable(f"a Histogram of {len(edges) - 1:,} bins (at most {MOST_BINS:,})")
    return edges


def _finite(values: Any) -> Tuple[Any, Dict[str, int]]:
    """The finite values, flat (an array stays one), and how many are NaN, +inf and -inf."""
    if hasattr(values, "detach"):  # a tensor; bfloat16 has no NumPy type
        values = values.detach().cpu().double()
    numpy = sys.modules.get("numpy")
    if hasattr(values, "__array__") and numpy is not None:
        array = numpy.asarray(values, dtype=numpy.float64).ravel()
        finite = array[numpy.isfinite(array)]
        nan, high = int(numpy.isnan(array).sum()), int((array == math.inf).sum())
        return finite, {"nan": nan, "posinf": high, "neginf": len(array) - len(finite) - nan - high}
    numbers = [float(value) for value in _flat(values)]
    found = [number for number in numbers if math.isfinite(number)]
    nan, high = sum(map(math.isnan, numbers)), numbers.count(math.inf)
    return found, {"nan": nan, "posinf": high, "neginf": len(numbers) - len(found) - nan - high}


def _flat(values: Any) -> List[Any]:
    found: List[Any] = []
    for value in values.tolist() if hasattr(values, "tolist") else values:
        found += _flat(value) if isinstance(value, (list, tuple)) else [value]
    return found


def _even_edges(finite: Any, bins: int) -> List[float]:
    """Edges that rise; fewer where floats have no room for more. Both the same when all values are equal."""
    if not len(finite):
        return []
    low, high = float(_min(finite)), float(_max(finite))
    if low == high:
        return [low, high]
    inner = [low * (1 - index / bins) + high * (index / bins) for index in range(1, bins)]  # never overflows
    edges = [low]
    for edge in (*inner, high):
        if edges[-1] < edge <= high:
            edges.append(edge)
    return edges


def _min(values: Any) -> Any:
    return values.min() if hasattr(values, "min") else min(values)


def _max(values: Any) -> Any:
    return values.max() if hasattr(values, "max") else max(values)


def _count(finite: Any, edges: List[float]) -> Tuple[List[int], int, int]:
    """Values per bin, and how many lie below the first and above the last edge."""
    if not edges:
        return [], 0, 0
    if edges[0] == edges[-1]:
        return [len(finite)], 0, 0
    places = [0] * (len(edges) + 1)  # below, the bins, the last edge and above
    if hasattr(finite, "searchsorted"):
        import numpy  # the values are an array of it

        slots = numpy.searchsorted(edges, finite, side="right")
        places = [int(count) for count in numpy.bincount(slots, minlength=len(edges) + 1)]
        on_last = int((finite == edges[-1]).sum())
    else:
        for value in finite:
            places[bisect_right(edges, value)] += 1
        on_last = sum(value == edges[-1] for value in finite)
    counts = places[1:-1]
    counts[-1] += on_last
    return counts, places[0], places[-1] - on_last
