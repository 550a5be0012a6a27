"""The careful half of ``log()``: everything that is not a flat dict of plain numbers in a known layout."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Deque, Dict, List, Mapping, NamedTuple, Optional, Tuple

from kernel_magics.model import MetricSource
from kernel_magics.tracking import device
from kernel_magics.tracking.gallery import Gallery, as_media
from kernel_magics.tracking.media import Media
from kernel_magics.tracking.scribe import Scribe
from kernel_magics.tracking.series import Layout, Steps
from kernel_magics.tracking.values import LAST_STEP, NotANumber, describe, flatten, to_number, to_step

LONGEST_NAME = 1000
"""Characters of a metric's name; every reader holds all names in memory."""


class _Waiting(NamedTuple):
    """A points frame whose CUDA scalars are on their way."""

    layout: Layout
    names: Tuple[str, ...]
    step: int
    time: float
    numbers: Dict[str, float]
    copy: device.DeviceCopy


class _Sorted(NamedTuple):
    """What one call brought, by name and in order."""

    numbers: Dict[str, float]
    """All numbers, ``nan`` where a CUDA tensor's is to come."""
    on_device: Dict[str, Any]
    media: Dict[str, List[Media]]


class Intake:
    """Takes what ``log()`` was given apart: numbers are recorded, the rest is said once per name.

    Args:
        scribe: where points go.
    """

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe
        self._gallery = Gallery(scribe)
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
        given = self._sort(data, source)
        if given.media:
            steps = self._scribe.table.steps[source]
            with self._scribe.lock:
                step = self._step(step, steps)
                steps.last = max(steps.last, step)
        if given.numbers:
            self._take_numbers(given, step, source, units, when)
        for name, items in given.media.items():
            self._gallery.hang(name, items, step, when)

    def _take_numbers(
        self,
        given: _Sorted,
        step: Any,
        source: MetricSource,
        units: Optional[Mapping[str, str]],
        when: float,
    ) -> None:
        names = tuple(given.numbers)
        try:
            layout = self._scribe.layout(names, source, units)
        except ValueError as error:
            self._scribe.tell_once("width", f"log(): {error}; that call was not recorded.", "value-refused")
            return
        if layout is None and self._scribe.closed:
            if source is not MetricSource.SYSTEM:  # a sample of the machine after the end is nobody's loss
                self._scribe.tell_after_close()
            return
        if layout is None:  # the disk fails and memory is full
            self._scribe.lose(len(names))
            return
        with self._scribe.lock:
            number = self._step(step, layout.steps)
            if given.on_device:
                layout.steps.last = max(layout.steps.last, number)
                copy = device.DeviceCopy(given.on_device)
                self._waiting.append(_Waiting(layout, names, number, when, given.numbers, copy))
            else:
                self._scribe.points(layout, number, given.numbers.values(), when)

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

    def _sort(self, data: Mapping[Any, Any], source: MetricSource) -> _Sorted:
        numbers: Dict[str, float] = {}
        on_device: Dict[str, Any] = {}
        media: Dict[str, List[Media]] = {}
        for name, value in flatten(dict(data)):
            if len(name) > LONGEST_NAME:
                self._refuse(
                    f"{name[:40]}…", f"a name of {len(name):,} characters (at most {LONGEST_NAME:,})"
                )
                continue
            try:
                if device.on_device(value):
                    device.check_scalar(value)
                    number, waited_for = float("nan"), {name: value}
                else:
                    number, waited_for = to_number(value), {}
                if name in numbers:
                    self._twice(name)
                    on_device.pop(name, None)
                numbers[name] = number
                on_device.update(waited_for)
            except NotANumber as refused:
                items = as_media(value) if source is MetricSource.LOGGED else []
                if items:
                    if name in media:
                        self._twice(name)
                    media[name] = items
                else:
                    self._refuse(name, f"{refused} and not a number")
            except OverflowError:
                self._refuse(name, "an int too large for a float and not a number")
            except Exception as error:  # noqa: BLE001 - an attribute of anybody's; the other values are good
                self._refuse(name, f"a {type(value).__name__} that raises {type(error).__name__}")
        return _Sorted(numbers, on_device, media)

    def _refuse(self, name: str, what: str) -> None:
        self._scribe.tell_once(
            f"metric {name}",
            f"log(): {name!r} is {what}, so it is not recorded; the other values are. (Said once per name.)",
            "value-refused",
        )

    def _twice(self, name: str) -> None:
        """Two keys of one call came to one name: ``"a/b"`` and ``{"a": {"b": …}}``, ``5`` and ``"5"``."""
        self._scribe.tell_once(
            f"twice {name}",
            f"log(): {name!r} was given twice in one call, by two keys that come to the same name; the last"
            " value is recorded. (Said once per name.)",
            "value-refused",
        )

    def _step(self, step: Any, steps: Steps) -> int:
        """The step of a call; of one without a step the one after the largest so far, while there is one."""
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
        if steps.last == LAST_STEP:
            self._scribe.tell_once(
                "last step",
                f"log(): the largest step there is, {LAST_STEP:,}, has been logged; calls without a step are"
                " recorded at that step, too. (Said once.)",
                "step-refused",
            )
        return min(steps.last + 1, LAST_STEP)
