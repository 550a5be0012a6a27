"""Values that have the same meaning in every Python, as a tree of JSON and the bytes it points to.

Read without running anything. Python 3.9; numpy or torch are imported only if the value is of theirs.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any, BinaryIO, Callable, Dict, List, Optional, Tuple

_LARGEST_PLAIN_INT = 1 << 63
_DEPTH_LIMIT = 100


class CannotTravel(Exception):
    """This value cannot go: a clause that says which part, and why."""


def memory_at(address: int, size: int) -> memoryview:
    """The bytes at an address, which somebody else keeps alive."""
    return memoryview((ctypes.c_char * size).from_address(address)) if size else memoryview(bytearray())


class DataPacker:
    """Turns a value into a tree of JSON, and writes what is large to the file on the way.

    A scalar is itself; everything else is an object with one key that names it. What is met twice is written
    once (``{"again": number}``), also when it holds itself. (Two arrays or tensors that look at the same
    memory arrive as two.)
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._seen: Dict[int, int] = {}
        self._kept: List[Any] = []
        self.moved = ""

    def node(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if value is None or kind in (bool, str) or (kind is float and math.isfinite(value)):
            return value
        if kind is int:
            return value if abs(value) < _LARGEST_PLAIN_INT else {"int": hex(value)}
        if id(value) in self._seen:
            return {"again": self._seen[id(value)]}
        if depth > _DEPTH_LIMIT:
            raise CannotTravel("it is nested too deeply")
        for types, write in self._writers(kind):
            if kind in types:
                return write(value, depth + 1)
        raise CannotTravel(f"a {kind.__module__}.{kind.__qualname__} is more than data")

    def _writers(self, kind: type) -> List[Tuple[Tuple[type, ...], Callable[[Any, int], Any]]]:
        module = kind.__module__.partition(".")[0]
        if module == "numpy":
            import numpy

            if kind is numpy.ndarray:
                return [((kind,), self._array)]
            return [((kind,), self._numpy_scalar)] if issubclass(kind, numpy.generic) else []
        if module == "torch":
            import torch

            return [((torch.Tensor, torch.nn.Parameter), self._tensor)]
        return [
            ((float,), lambda value, _: {"float": repr(value)}),
            ((complex,), lambda value, _: {"complex": [repr(value.real), repr(value.imag)]}),
            ((range,), lambda value, _: {"range": [hex(value.start), hex(value.stop), hex(value.step)]}),
            ((bytes,), lambda value, _: {"bytes": self._write(value)}),
            ((bytearray,), self._bytearray),
            ((tuple, frozenset), self._unchanging),
            ((list, set), self._collection),
            ((dict,), self._dict),
        ]

    def _remember(self, value: Any) -> None:
        self._seen[id(value)] = len(self._kept)
        self._kept.append(value)

    def _nodes(self, values: Any, depth: int) -> List[Any]:
        return [self.node(each, depth) for each in values]

    def _unchanging(self, value: Any, depth: int) -> Any:
        found = {type(value).__name__: self._nodes(value, depth)}
        self._remember(value)  # else pairs of pairs of pairs double what is written, again and again
        return found

    def _collection(self, value: Any, depth: int) -> Any:
        self._remember(value)
        return {type(value).__name__: self._nodes(value, depth)}

    def _bytearray(self, value: bytearray, _depth: int) -> Any:
        self._remember(value)
        return {"bytearray": self._write(value)}

    def _dict(self, value: Dict[Any, Any], depth: int) -> Any:
        self._remember(value)
        return {"dict": [[self.node(key, depth), self.node(each, depth)] for key, each in value.items()]}

    def _array(self, value: Any, _depth: int) -> Any:
        if value.dtype.hasobject:
            raise CannotTravel("a numpy array of objects is more than data")
        self._remember(value)
        return {"array": self._npy(value)}

    def _numpy_scalar(self, value: Any, _depth: int) -> Any:
        if value.dtype.hasobject:
            raise CannotTravel("a numpy object is more than data")
        import numpy

        return {"numpy": self._npy(numpy.asarray(value))}

    def _npy(self, value: Any) -> int:
        import numpy

        at = self._file.tell()
        numpy.lib.format.write_array(self._file, value, allow_pickle=False)
        return at

    def _tensor(self, value: Any, _depth: int) -> Any:
        import torch

        if value.layout is not torch.strided or value.is_quantized or value.device.type == "meta":
            raise CannotTravel(f"a {value.layout} tensor on {value.device} is more than data")
        if value.device.type != "cpu":
            self.moved = str(value.device)
        self._remember(value)
        here = value.detach().resolve_conj().resolve_neg().cpu().contiguous()
        content = {
            "dtype": str(here.dtype).partition(".")[2],
            "shape": list(here.shape),
            "requires_grad": bool(value.requires_grad),
            "parameter": type(value) is torch.nn.Parameter,
            "bytes": self._write(memory_at(here.data_ptr(), here.numel() * here.element_size())),
        }
        return {"tensor": content}

    def _write(self, data: Any) -> List[int]:
        at = self._file.tell()
        self._file.write(data)
        return [at, self._file.tell() - at]


class DataUnpacker:
    """The inverse of :class:`DataPacker`. Runs nothing of what it reads."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._kept: List[Any] = []

    def value(self, node: Any) -> Any:
        if not isinstance(node, dict):
            return node
        ((kind, content),) = node.items()
        read: Optional[Callable[[Any], Any]] = getattr(self, f"_read_{kind}", None)
        if read is None:
            raise CannotTravel(f"what arrived holds a {kind!r}, which is not known here")
        return read(content)

    def _keep(self, value: Any) -> Any:
        self._kept.append(value)
        return value

    def _values(self, nodes: Any) -> List[Any]:
        return [self.value(each) for each in nodes]

    def _read_again(self, number: int) -> Any:
        return self._kept[number]

    def _read_int(self, text: str) -> int:
        return int(text, 16)

    def _read_float(self, text: str) -> float:
        return float(text)

    def _read_complex(self, parts: List[str]) -> complex:
        return complex(float(parts[0]), float(parts[1]))

    def _read_range(self, parts: List[str]) -> range:
        return range(*(int(part, 16) for part in parts))

    def _read_tuple(self, nodes: Any) -> Any:
        return self._keep(tuple(self._values(nodes)))

    def _read_frozenset(self, nodes: Any) -> Any:
        return self._keep(frozenset(self._values(nodes)))

    def _read_list(self, nodes: Any) -> Any:
        made: List[Any] = self._keep([])
        made.extend(self._values(nodes))
        return made

    def _read_set(self, nodes: Any) -> Any:
        made = self._keep(set())
        made.update(self._values(nodes))
        return made

    def _read_dict(self, nodes: Any) -> Any:
        made: Dict[Any, Any] = self._keep({})
        for key, each in nodes:
            made[self.value(key)] = self.value(each)
        return made

    def _read_bytes(self, place: List[int]) -> bytes:
        return bytes(self._buffer(place))

    def _read_bytearray(self, place: List[int]) -> Any:
        return self._keep(self._buffer(place))

    def _read_array(self, at: int) -> Any:
        return self._keep(self._npy(at))

    def _read_numpy(self, at: int) -> Any:
        return self._npy(at)[()]

    def _read_tensor(self, content: Dict[str, Any]) -> Any:
        import torch

        dtype = getattr(torch, content["dtype"])
        data = self._buffer(content["bytes"])
        made = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        made = made.reshape(content["shape"])
        if content["parameter"]:
            return self._keep(torch.nn.Parameter(made, content["requires_grad"]))
        return self._keep(made.requires_grad_(content["requires_grad"]))

    def _npy(self, at: int) -> Any:
        import numpy

        self._file.seek(at)
        return numpy.lib.format.read_array(self._file, allow_pickle=False)

    def _buffer(self, place: List[int]) -> bytearray:
        at, length = place
        self._file.seek(at)
        data = bytearray(length)
        if self._file.readinto(data) != length:  # type: ignore[attr-defined]
            raise CannotTravel("what arrived is too short")
        return data
