"""Any Python value as JSON: exact where JSON can say it, else a text that shows what it was."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any, Callable, Dict, FrozenSet, List, Mapping

_DEEPEST = 32
_LONGEST_REPR = 1000
_LARGEST_ARRAY = 1000
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def jsonable(value: Any, mask: Callable[[str], str] = str, _above: FrozenSet[int] = frozenset()) -> Any:
    """``value`` made of dicts with string keys, lists, strings, numbers, bools and ``None``.

    Args:
        mask: what every string passes through, see :class:`kernel_magics.tracking.masking.Mask`.

    What JSON has no word for becomes its ``repr``, without memory addresses, which differ from run to run and
    mean nothing. A container inside itself becomes ``"<cycle>"``.
    """
    if value is None or type(value) in (bool, int, float):
        return value
    if type(value) is str:
        return mask(value)
    if isinstance(value, Enum):
        return mask(str(value.value)) if isinstance(value, str) else mask(str(value))
    if isinstance(value, (str, PurePath)):
        return mask(str(value))
    if id(value) in _above:
        return "<cycle>"
    if len(_above) >= _DEEPEST:
        return "<nested too deep>"
    try:
        return _container(value, mask, _above | {id(value)})
    except Exception:  # noqa: BLE001 - an iterator of anybody's
        return f"<unprintable {type(value).__name__}>"


def _container(value: Any, mask: Callable[[str], str], above: FrozenSet[int]) -> Any:
    if isinstance(value, Mapping):
        return {mask(_key(key)): jsonable(inner, mask, above) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(inner, mask, above) for inner in value]
    if isinstance(value, (set, frozenset)):
        return sorted((jsonable(inner, mask, above) for inner in value), key=repr)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name), mask, above) for field in fields(value)}
    return _foreign(value, mask)


def shortened(value: Any, longest: int = 65_536) -> Any:
    """JSON values with their long texts cut, keys too; a cut text says how long it was."""
    if isinstance(value, str) and len(value) > longest:
        return f"{value[:longest]}… ({len(value):,} characters)"
    if isinstance(value, dict):
        return {shortened(key, 1000): shortened(inner, longest) for key, inner in value.items()}
    return [shortened(inner, longest) for inner in value] if isinstance(value, list) else value


def as_mapping(given: Any) -> Dict[str, Any]:
    """A configuration as a dict: a mapping, an ``argparse.Namespace``, a dataclass, or ``None``.

    Raises:
        TypeError: anything else; says what was given.
    """
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {_key(key): value for key, value in given.items()}
    if is_dataclass(given) and not isinstance(given, type):
        return {field.name: getattr(given, field.name) for field in fields(given)}
    if hasattr(given, "__dict__") and not isinstance(given, type) and not callable(given):
        return dict(vars(given))
    raise TypeError(f"a dict was expected, not {type(given).__name__}")


def _key(key: Any) -> str:
    return key if type(key) is str else str(key)


def _foreign(value: Any, mask: Callable[[str], str]) -> Any:
    """Arrays and tensors by their own ``tolist``, subclasses of numbers as numbers, the rest by ``repr``."""
    try:
        shape = getattr(value, "shape", None)
        if shape is not None and hasattr(value, "tolist"):
            size = 1
            for length in shape:
                size *= int(length)
            if size <= _LARGEST_ARRAY:
                return _plain_or_repr(value.tolist(), mask)
            return f"<{type(value).__name__} of shape {tuple(shape)}>"
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return float(value)
        isoformat = getattr(value, "isoformat", None)
        text = isoformat() if callable(isoformat) else repr(value)
    except Exception:  # noqa: BLE001 - a __repr__ or shape of anybody's
        return f"<unprintable {type(value).__name__}>"
    text = _ADDRESS.sub("", str(text))
    if len(text) > _LONGEST_REPR:
        text = f"{text[:_LONGEST_REPR]}… ({len(text):,} characters)"
    return mask(text)


def _plain_or_repr(value: Any, mask: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        plain: List[Any] = [_plain_or_repr(inner, mask) for inner in value]
        return plain
    return value if isinstance(value, (bool, int, float)) else mask(str(value))
