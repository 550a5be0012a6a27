"""What ``log()`` accepts as a number, and how nested dicts become metric names."""

from __future__ import annotations

import operator
from typing import Any, Iterator, Mapping, Set, Tuple

PLAIN: Set[type] = {float, int, bool}
"""Types whose values ``struct`` packs as a float64 by itself. NumPy's scalar types join when first seen."""

LAST_STEP = 2**63 - 1
"""The largest step a journal can say."""

_DEEPEST = 16


class NotANumber(TypeError):
    """A value or a step that cannot be recorded; the message describes it ("a str ('cat')")."""


def to_number(value: Any) -> float:
    """The float64 that ``value`` stands for: numbers, bools, arrays and tensors of one element.

    May wait for a device; see :mod:`kernel_magics.tracking.device` for CUDA tensors.

    Raises:
        NotANumber: anything else.
        OverflowError: an int beyond float64.
    """
    kind = type(value)
    if kind in PLAIN:
        return float(value)
    if isinstance(value, (str, bytes, bytearray, type(None), complex)):
        raise NotANumber(describe(value))
    dtype_kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind.__module__ == "numpy" and dtype_kind and dtype_kind in "fiub" and not hasattr(value, "__len__"):
        PLAIN.add(kind)
        return float(value)
    if hasattr(value, "shape"):
        return _only_element(value)
    try:
        return float(value)
    except OverflowError:
        raise
    except Exception as error:
        raise NotANumber(describe(value)) from error


def _only_element(array: Any) -> float:
    """The one element of an array or tensor of any library, of any shape with one element."""
    try:
        if any(length != 1 for length in array.shape):
            raise NotANumber(describe(array))
        element = array.item() if hasattr(array, "item") else array
        if isinstance(element, (str, bytes, complex)):
            raise NotANumber(describe(array))
        return float(element)
    except NotANumber:
        raise
    except Exception as error:
        raise NotANumber(describe(array)) from error


def to_step(step: Any) -> int:
    """``step`` as an int64.

    Raises:
        NotANumber: not a whole number, or beyond 64 bits.
    """
    try:
        number = operator.index(step)
    except TypeError:
        try:
            as_float = to_number(step)
            number = int(as_float)
        except (NotANumber, OverflowError, ValueError):
            raise NotANumber(describe(step)) from None
        if number != as_float:
            raise NotANumber(describe(step)) from None
    if not -LAST_STEP - 1 <= number <= LAST_STEP:
        raise NotANumber("a number beyond 64 bits")
    return number


def flatten(data: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> Iterator[Tuple[str, Any]]:
    """``{"train": {"loss": 1}}`` as ``("train/loss", 1)``. A mapping nested too deep comes as it is."""
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and depth < _DEEPEST:
            yield from flatten(value, f"{name}/", depth + 1)
        else:
            yield name, value


def describe(value: Any) -> str:
    """A few words about a value that is no number: "a str ('cat')", "a Tensor of shape (3, 4)"."""
    if value is None:
        return "None"
    kind = type(value).__name__
    kind = f"{'an' if kind[:1] in 'AEIOaeio' else 'a'} {kind}"
    try:
        shape = getattr(value, "shape", None)
        if shape is not None and any(length != 1 for length in shape):
            return f"{kind} of shape {tuple(shape)}"
        text = repr(value)
    except Exception:  # noqa: BLE001 - a shape or __repr__ of anybody's
        return kind
    return f"{kind} ({text if len(text) <= 40 else text[:37] + '...'})"
