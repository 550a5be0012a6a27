"""One Python value as a file, and back: what a variable looks like on its way between two kernels.

Two kinds. *Data* is what has the same meaning in every Python: numbers, text, bytes, ranges, lists, tuples,
sets and dicts of such, numpy arrays and torch tensors; it is read without running any code. Everything else
is a *pickle*, which runs code when it is read and is understood for sure only by the same minor version of
Python; tensors inside it arrive on the CPU, since the other side may have no GPU.

File: ``TSPARCEL1\\n``, the bytes of arrays (as ``.npy``) and tensors or the pickle, a JSON object that says
what is where, its length as u64 (big-endian).

Runs in the kernel, here and there: Python 3.9, and numpy or torch only if the value is of theirs.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import sys
from typing import Any, BinaryIO, Dict, Tuple

from gpu_provisioner.agent.parcel_data import CannotTravel, DataPacker, DataUnpacker, memory_at

_MAGIC = b"TSPARCEL1\n"
_LENGTH = struct.Struct("!Q")

DATA, PICKLE, CLOUDPICKLE = "data", "pickle", "cloudpickle"
MODES = (DATA, PICKLE, CLOUDPICKLE)
"""What may be used, each with what stands before it."""


def pack(value: Any, file: BinaryIO, mode: str) -> Dict[str, Any]:
    """Write ``value``; ``{"kind": …, "moved": device or ""}``.

    Raises:
        CannotTravel: not in this mode.
        OSError: the disk does not take it.
    """
    file.write(_MAGIC)
    packer = DataPacker(file)
    try:
        head = {"kind": DATA, "tree": packer.node(value, 0), "moved": packer.moved}
    except CannotTravel as not_data:
        if mode == DATA:
            raise
        file.seek(len(_MAGIC))
        file.truncate()
        head = _pack_pickle(value, file, mode, not_data)
    tail = json.dumps(head, separators=(",", ":")).encode()
    file.write(tail)
    file.write(_LENGTH.pack(len(tail)))
    return {"kind": head["kind"], "moved": head["moved"]}


def unpack(file: BinaryIO, mode: str) -> Any:
    """The value in ``file``. A pickle is loaded only if ``mode`` allows its kind.

    Raises:
        CannotTravel: it is no parcel, it needs another mode, or a module that is not here.
    """
    if file.read(len(_MAGIC)) != _MAGIC:
        raise CannotTravel("what arrived is no parcel")
    file.seek(-_LENGTH.size, io.SEEK_END)
    (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
    file.seek(-_LENGTH.size - length, io.SEEK_END)
    head = json.loads(file.read(length))
    kind = head["kind"]
    if kind == DATA:
        return DataUnpacker(file).value(head["tree"])
    if kind not in MODES or MODES.index(kind) > MODES.index(mode):
        raise CannotTravel("what arrived is a pickle, which was not asked for")
    file.seek(len(_MAGIC))
    try:
        return pickle.load(file)
    except ImportError as error:
        raise CannotTravel(f"it needs a module that is not there: {error}") from None
    except AttributeError as error:
        hint = "" if kind == CLOUDPICKLE else " (what a notebook defines needs cloudpickle on both sides)"
        raise CannotTravel(f"{error}{hint}") from None


def has_cloudpickle() -> bool:
    """Whether cloudpickle can be imported here."""
    try:
        import cloudpickle  # noqa: F401
    except ImportError:
        return False
    return True


def describe(value: Any) -> str:
    """What it is, for people: ``ndarray float32 (1000, 20)``, ``dict of 3``, ``Net``."""
    kind = type(value).__name__
    try:
        shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
        if isinstance(shape, tuple) and dtype is not None:
            return f"{kind} {str(dtype).replace('torch.', '')} {tuple(shape)}"
        if isinstance(shape, tuple):
            return f"{kind} {shape}"
        if isinstance(value, (list, tuple, dict, set, frozenset, str, bytes)):
            return f"{kind} of {len(value):,}"
    except Exception:  # noqa: BLE001 - the user's own __str__ or shape; the name of the type will do
        return kind
    return kind


def _pack_pickle(value: Any, file: BinaryIO, mode: str, not_data: CannotTravel) -> Dict[str, Any]:
    base: Any = pickle.Pickler
    if mode == CLOUDPICKLE:
        import cloudpickle

        base = cloudpickle.Pickler
    packer = _make_pickler(base)(file, protocol=5)
    try:
        packer.dump(value)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - a user's __reduce__ may raise anything; it is told
        hint = f" ({not_data})" if mode == PICKLE else ""
        raise CannotTravel(f"{type(error).__name__}: {error}{hint}") from None
    return {"kind": mode, "moved": packer.moved, "python": list(sys.version_info[:2])}


def _make_pickler(base: Any) -> Any:
    class Pickler(base):
        """Writes torch's storages as bytes: torch itself would insist on the device they were on."""

        def __init__(self, file: BinaryIO, **more: Any) -> None:
            super().__init__(file, **more)
            self.moved = ""
            self._storages: Dict[int, Any] = {}

        def reducer_override(self, obj: Any) -> Any:
            torch: Any = sys.modules.get("torch")
            stored: Any = obj
            if torch is not None and isinstance(obj, getattr(torch, "TypedStorage", ())):
                # Its public name warns that the class will go some day.
                return _typed_storage, (self._shared(stored._untyped_storage), stored.dtype)
            above = getattr(super(), "reducer_override", None)
            return NotImplemented if above is None else above(obj)

        def _shared(self, storage: Any) -> Any:
            """One object for one storage, so that what shares memory here shares it over there."""
            known = self._storages.get(storage.data_ptr())
            if known is None or not storage.nbytes():
                if storage.device.type != "cpu":
                    self.moved = str(storage.device)
                known = _StorageBytes(storage)
                self._storages[storage.data_ptr()] = known
            return known

    return Pickler


class _StorageBytes:
    """Stands for a torch storage in a pickle, where it is its bytes."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._bytes = storage.cpu()

    def __reduce__(self) -> Tuple[Any, Tuple[Any, ...]]:
        return _untyped_storage, (
            pickle.PickleBuffer(memory_at(self._bytes.data_ptr(), self._bytes.nbytes())),
        )


def _untyped_storage(data: Any) -> Any:
    import torch

    if not len(data):
        return torch.UntypedStorage(0)
    return torch.frombuffer(data, dtype=torch.uint8).untyped_storage()


def _typed_storage(untyped: Any, dtype: Any) -> Any:
    import torch

    return torch.storage.TypedStorage(wrap_storage=untyped, dtype=dtype, _internal=True)
