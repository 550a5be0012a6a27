"""CUDA scalars: read without making the training wait for the GPU.

Reading a CUDA tensor (``float(t)``, ``t.item()``) waits until the GPU has done everything queued before it.
Instead the scalars of a ``log()`` call are copied to pinned memory by the GPU itself, in stream order, so
they are the values of that moment; the points are written once the copy's event is done.
Source: PyTorch documentation, "CUDA semantics", *Asynchronous execution* and *Use pinned memory buffers*.

Imports no torch: a value can only be a CUDA tensor when torch is imported already.
"""

from __future__ import annotations

import sys
import time
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from kernel_magics.tracking.values import NotANumber, describe

_POLL_S = 0.0005


def on_device(value: Any) -> bool:
    """Whether ``value`` is a torch tensor on a CUDA device (ROCm's torch calls its devices so, too)."""
    return "torch" in sys.modules and getattr(value, "is_cuda", False) is True


def check_scalar(value: Any) -> None:
    """Raises:
    NotANumber: the tensor has not exactly one element, or is complex.
    """
    if value.numel() != 1 or value.is_complex():
        raise NotANumber(describe(value) if value.numel() != 1 else f"a complex tensor on {value.device}")


class DeviceCopy:
    """Scalars on their way from GPUs to this process's memory.

    Args:
        scalars: one-element CUDA tensors by name, as :func:`check_scalar` lets them through.
        torch: the torch module; a parameter so that the order of things can be tested without a GPU.
    """

    def __init__(self, scalars: Mapping[str, Any], torch: Any = None) -> None:
        torch = sys.modules["torch"] if torch is None else torch
        groups: Dict[Tuple[str, str], List[str]] = {}
        for name, scalar in scalars.items():
            groups.setdefault((str(scalar.device), str(scalar.dtype)), []).append(name)
        self._parts: List[Tuple[List[str], Any, Any]] = []
        with torch.no_grad():
            for names in groups.values():
                self._parts.append((names, *_copy(torch, [scalars[name] for name in names])))

    def done(self) -> bool:
        """Whether all values are here. Asks, never waits."""
        return all(event.query() for _, _, event in self._parts)

    def wait(self, deadline: float) -> bool:
        """Wait until all values are here, or until ``time.monotonic()`` reaches ``deadline``."""
        while not self.done():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def values(self) -> Dict[str, float]:
        """The values by name; only after :meth:`done`."""
        found: Dict[str, float] = {}
        for names, host, _ in self._parts:
            found.update(zip(names, map(float, host.tolist())))
        return found


def _copy(torch: Any, scalars: Sequence[Any]) -> Tuple[Any, Any]:
    """One stacked copy of scalars of the same device and dtype: (host tensor, event)."""
    device = scalars[0].device
    with torch.cuda.device(device):
        stacked = torch.stack([scalar.detach().reshape(()) for scalar in scalars])
        host = torch.empty(stacked.shape, dtype=stacked.dtype, pin_memory=True)
        host.copy_(stacked, non_blocking=True)
        event = torch.cuda.Event()
        event.record(torch.cuda.current_stream(device))
    return host, event
