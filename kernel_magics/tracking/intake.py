"""The careful half of ``log()``: everything that is not a flat dict of plain numbers in a known layout."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Deque, Dict, Mapping, NamedTuple, Optional, Tuple

from kernel_magics.model import MetricSource
from kernel_magics.tracking import device
from kernel_magics.tracking.scribe import Scribe
from kernel_magics.tracking.series import Layout
from kernel_magics.tracking.values import NotANumber, describe, flatten, to_number, to_step


class _Waiting(NamedTuple):
    """A points frame whose CUDA scalars are on their way."""

    layout: Layout
    names: Tuple[str, ...]
    step: int
    time: float
    numbers: Dict[str, float]
    copy: device.DeviceCopy


class Intake:
    """Takes what ``log()`` was given apart: numbers are recorded, the rest is said once per name.

    Args:
        scribe: where points go.
    """

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe
        self._waiting: Deque[_Waiting] = deque()
        scribe.on_fork.append(self._waiting.clear)  # CUDA scalars under way are the parent's

    def take(
        self, data: Any, step: Any, source: MetricSource, units: Optional[Mapping[str, str]] = None
    ) -> None:
        """Record one call. Raises nothing that its arguments could cause."""
        when = time.time()
        if self._waiting:
            self.drain()
        if not isinstance(data, Mapping):
            self._scribe.tell_once(
                "data",
                f"log() takes a dict of numbers, not {describe(data)}: that call was not recorded.",
                "value-refused",
            )
            return
        numbers, on_device = self._sort(data)
        names = tuple(name for name in numbers)
        if not names:
            return
        try:
            layout = self._scribe.layout(names, source, units)
        except ValueError as error:
            self._scribe.tell_once("width", f"log(): {error}; that call was not recorded.", "value-refused")
            return
        if layout is None:  # the disk fails and memory is full
            self._scribe.lose(len(names))
            return
        with self._scribe.lock:
            number = self._step(step, layout)
            if on_device:
                layout.steps.last = max(layout.steps.last, number)
                copy = device.DeviceCopy(on_device)
                self._waiting.append(_Waiting(layout, names, number, when, numbers, copy))
            else:
                self._scribe.points(layout, number, numbers.values(), when)

    def drain(self, deadline: Optional[float] = None) -> int:
        """Write the points whose CUDA scalars have arrived.

        Args:
            deadline: ``time.monotonic()`` until which to wait for the rest; ``None`` never waits.

        Returns:
            The points that did not arrive.
        """
        with self._scribe.lock:
            while self._waiting:
                first = self._waiting[0]
                arrived = first.copy.done() if deadline is None else first.copy.wait(deadline)
                if not arrived:
                    return sum(len(waiting.names) for waiting in self._waiting)
                self._waiting.popleft()
                first.numbers.update(first.copy.values())
                self._scribe.points(first.layout, first.step, first.numbers.values(), first.time)
        return 0

    def _sort(self, data: Mapping[Any, Any]) -> Tuple[Dict[str, float], Dict[str, Any]]:
        """All numbers by name, in order (``nan`` where a CUDA tensor's is to come), and those tensors."""
        numbers: Dict[str, float] = {}
        on_device: Dict[str, Any] = {}
        for name, value in flatten(dict(data)):
            on_device.pop(name, None)
            try:
                if device.on_device(value):
                    device.check_scalar(value)
                    on_device[name] = value
                    numbers[name] = float("nan")
                else:
                    numbers[name] = to_number(value)
            except NotANumber as refused:
                self._refuse(name, str(refused))
            except OverflowError:
                self._refuse(name, "an int too large for a float")
            except Exception as error:  # noqa: BLE001 - an attribute of anybody's; the other values are good
                self._refuse(name, f"a {type(value).__name__} that raises {type(error).__name__}")
        return numbers, on_device

    def _refuse(self, name: str, what: str) -> None:
        self._scribe.tell_once(
            f"metric {name}",
            f"log(): {name!r} is {what} and not a number, so it is not recorded; the other values are."
            " (Said once per name.)",
            "value-refused",
        )

    def _step(self, step: Any, layout: Layout) -> int:
        if step is not None:
            try:
                return to_step(step)
            except NotANumber as refused:
                self._scribe.tell_once(
                    "step",
                    f"log(): a step is a whole number, not {refused}; the step after the largest so far is"
                    " used. (Said once.)",
                    "step-refused",
                )
        return layout.steps.last + 1
