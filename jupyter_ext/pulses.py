"""How leases are doing: the state of their lines, and their machines' load while somebody looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpu_provisioner import pulse
from gpu_provisioner.agent.places import read_json
from gpu_provisioner.home import home_folder
from gpu_provisioner.lease_lock import HOLDER_NOTE, STAND_IN, is_held, is_held_elsewhere

from .encode import array, dumps, record

Told = Mapping[str, float]
"""By lease, the time of the sample that a browser was told last, seconds since the epoch."""

TOUCH_S = pulse.WATCHED_FOR_S / 4


def link_of(data_dir: Path, lease_id: str) -> dict[str, Any]:
    """``{state, since, detail, holder}``: who holds the lease's line, and how the line is.

    ``state`` is ``up``, ``down`` (it is made again by itself), ``new`` (it is being made), ``none`` (nobody
    holds it), or ``elsewhere`` (a process of another machine does); ``holder`` is ``notebook``, ``server`` or
    ``None``.
    """
    folder = home_folder(data_dir, lease_id)
    note = read_json(folder / HOLDER_NOTE) or {}
    if is_held_elsewhere(folder):
        return {"state": "elsewhere", "since": None, "detail": str(note.get("host")), "holder": "notebook"}
    if not is_held(folder):
        return {"state": "none", "since": None, "detail": "", "holder": None}
    holder = "server" if note.get("role") == STAND_IN else "notebook"
    line = pulse.line_of(folder)
    if line.get("pid") != note.get("pid") or line.get("state") not in ("up", "down"):
        return {"state": "new", "since": None, "detail": "", "holder": holder}
    facts = {"state": line["state"], "since": line.get("since"), "detail": str(line.get("detail") or "")}
    return {**facts, "holder": holder}


class Pulses:
    """The samples of the live leases.

    Args:
        live: ids of the leases that may still hold a machine.
    """

    def __init__(self, data_dir: Path, live: Callable[[], Iterable[str]]) -> None:
        self._data_dir, self._live = data_dir, live
        self._touched = float("-inf")
        self._seen: dict[str, int] = {}

    def look(self) -> bool:
        """To be called while somebody looks: whether there are new samples. Touches the disk."""
        now = time.monotonic()
        leases = list(self._live())
        if now - self._touched >= TOUCH_S:
            self._touched = now
            for lease in leases:
                # A full disk, a folder that is not ours: no samples, and the panel says how old the last is.
                with suppress(OSError):
                    pulse.watch(home_folder(self._data_dir, lease))
        before, self._seen = self._seen, {lease: self._changed(lease) for lease in leases}
        return self._seen != before

    def message(self, told: Told) -> tuple[str, Told]:
        """The feed's message with every sample that has not been told, and what has been told with it."""
        last, pulses = {}, []
        for lease in self._live():
            samples = [_spelled(one) for one in pulse.samples_of(home_folder(self._data_dir, lease))]
            pulses.append({"lease": lease, "samples": _after(samples, told.get(lease))})
            if samples:
                last[lease] = samples[-1]["time"]
        return record(type=dumps("pulses"), pulses=array(pulses)), {**told, **last}

    def _changed(self, lease: str) -> int:
        try:
            return (home_folder(self._data_dir, lease) / pulse.PULSE_NOTE).stat().st_mtime_ns
        except OSError:
            return 0


def _after(samples: list[dict[str, Any]], told: float | None) -> list[dict[str, Any]]:
    """Those behind the one that was told last, as they were written: a clock may have been set back."""
    for place in range(len(samples), 0, -1):
        if samples[place - 1]["time"] == told:
            return samples[place:]
    return samples  # it is so long ago that it is not kept any more


def _spelled(sample: Any) -> dict[str, Any]:
    """A sample with the fields of ``openapi.yaml``; it comes from another machine."""
    listed = sample.get("gpus")
    gpus = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return {
        "time": _number(sample.get("time")) or 0.0,
        "cpu_percent": _number(sample.get("cpu_percent")),
        "memory_gib": _number(sample.get("memory_gib")),
        "memory_total_gib": _number(sample.get("memory_total_gib")),
        "gpus": [
            {
                "uuid": str(one.get("uuid"))[:100],
                "use_percent": _number(one.get("use_percent")),
                "memory_gib": _number(one.get("memory_gib")),
                "memory_total_gib": _number(one.get("memory_total_gib")),
            }
            for one in gpus
        ],
        "problem": str(sample.get("problem") or "")[:1000],
    }


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < 1e15 else None
