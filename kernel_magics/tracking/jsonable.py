"""Any Python value as JSON: exact where JSON can say it, else a text that shows what it was."""

from __future__ import annotations

import math
import re
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any, Callable, Dict, FrozenSet, Mapping, Optional

_DEEPEST = 32
_LONGEST_REPR = 1000
_LARGEST_ARRAY = 1000
_MOST_BITS = 2126
"""Of an int that is written as a number: at most 640 digits, which every Python reads and writes.

By default Python refuses more than 4,300 (docs.python.org/3/library/stdtypes.html#int-max-str-digits), and
the limit that a reader elsewhere has set may be as low as 640.
"""
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def jsonable(
    value: Any, mask: Callable[[str], str] = str, tell: Optional[Callable[[str], object]] = None
) -> Any:
    """``value`` made of dicts with string keys, lists, strings, numbers, bools and ``None``.

    Args:
        mask: what every string passes through, see :class:`kernel_magics.tracking.masking.Mask`.
        tell: called with the text that stands for an int of more digits than a reader takes.

    What JSON has no word for becomes its ``repr``, without memory addresses, which differ from run to run and
    mean nothing. A container inside itself becomes ``"<cycle>"``.
    """
    return _Speller(mask, tell).value(value, frozenset())


class _Speller:
    """Spells values in JSON; the arguments are those of :func:`jsonable`."""

    def __init__(self, mask: Callable[[str], str], tell: Optional[Callable[[str], object]]) -> None:
        self._mask = mask
        self._tell = tell

    def value(self, value: Any, above: FrozenSet[int]) -> Any:
        if type(value) is int:
            return self._whole(value)
        if value is None or type(value) in (bool, float):
            return value
        if type(value) is str:
            return self._mask(value)
        if id(value) in above:
            return "<cycle>"
        if len(above) >= _DEEPEST:
            return "<nested too deep>"
        try:
            if isinstance(value, Enum):
                return self._mask(str(value.value) if isinstance(value, str) else str(value))
            if isinstance(value, (str, PurePath)):
                return self._mask(str(value))
            return self._container(value, above | {id(value)})
        except Exception:  # noqa: BLE001 - an iterator or __str__ of anybody's
            return f"<unprintable {type(value).__name__}>"

    def _container(self, value: Any, above: FrozenSet[int]) -> Any:
        if isinstance(value, Mapping):
            return {self._mask(key_text(key)): self.value(inner, above) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(inner, above) for inner in value]
        if isinstance(value, (set, frozenset)):
            return sorted((self.value(inner, above) for inner in value), key=repr)
        if is_dataclass(value) and not isinstance(value, type):
            return {field.name: self.value(getattr(value, field.name), above) for field in fields(value)}
        return self._foreign(value)

    def _whole(self, value: int) -> Any:
        if value.bit_length() <= _MOST_BITS:
            return value
        text = _long_int(value)
        if self._tell is not None:
            self._tell(text)
        return text

    def _foreign(self, value: Any) -> Any:
        """Arrays and tensors by their own ``tolist``, subclasses of numbers as numbers, else ``repr``."""
        shape = getattr(value, "shape", None)
        if shape is not None and hasattr(value, "tolist"):
            size = 1
            for length in shape:
                size *= int(length)
            if size <= _LARGEST_ARRAY:
                return self._plain_or_repr(value.tolist())
            return f"<{type(value).__name__} of shape {tuple(shape)}>"
        if isinstance(value, int):
            return self._whole(int(value))
        if isinstance(value, float):
            return float(value)
        isoformat = getattr(value, "isoformat", None)
        text = _ADDRESS.sub("", str(isoformat() if callable(isoformat) else repr(value)))
        if len(text) > _LONGEST_REPR:
            text = f"{text[:_LONGEST_REPR]}… ({len(text):,} characters)"
        return self._mask(text)

    def _plain_or_repr(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._plain_or_repr(inner) for inner in value]
        if isinstance(value, int) and not isinstance(value, bool):
            return self._whole(int(value))
        return value if isinstance(value, (bool, float)) else self._mask(str(value))


def _long_int(value: int) -> str:
    """An int too long to be written in decimal: its beginning in base 16, which Python never refuses."""
    digits = int(value.bit_length() * math.log10(2)) + 1
    return f"{hex(value)[:40]}… (an int of about {digits:,} digits)"


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
        return {key_text(key): value for key, value in given.items()}
    if is_dataclass(given) and not isinstance(given, type):
        return {field.name: getattr(given, field.name) for field in fields(given)}
    if hasattr(given, "__dict__") and not isinstance(given, type) and not callable(given):
        return dict(vars(given))
    raise TypeError(f"a dict was expected, not {type(given).__name__}")


def key_text(key: Any) -> str:
    """A mapping's key as JSON has it: a text."""
    if type(key) is str:
        return key
    if isinstance(key, int) and key.bit_length() > _MOST_BITS:
        return _long_int(key)
    return str(key)
