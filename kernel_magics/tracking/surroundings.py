"""What surrounds a run: the settings, the facts of home, the facts and the telemetry of this machine."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Dict, Mapping, NamedTuple

from kernel_magics.model import CaptureSettings
from kernel_magics.tracking import facts as facts_of
from kernel_magics.tracking.background import Task
from kernel_magics.tracking.clock import ClockWatch, steady_clock
from kernel_magics.tracking.recorder import Run
from kernel_magics.tracking.telemetry import Telemetry

SETTLE_S = 0.1
"""How long the end of a run waits for facts; a cell's answer waits for it."""


class Home(NamedTuple):
    """What home said about the cell that runs now, on a GPU machine; empty at home."""

    facts: Mapping[str, Any]
    capture: Mapping[str, Any]


def home() -> Home:
    """Reads the metadata that the bridge sends along with a cell (ARCHITECTURE.md, *What a request carries*).

    A subprocess of the kernel on a GPU machine knows only the lease, by its environment.
    """
    if os.environ.get("TRACKSIDE_ROLE") != "remote":
        return Home({}, {})
    lease = os.environ.get("TRACKSIDE_LEASE")
    facts: Dict[str, Any] = {"lease": lease, **price()} if lease else {}
    ours = _request_metadata().get("trackside")
    if not isinstance(ours, Mapping):
        return Home(facts, {})
    said = {key: value for key, value in (ours.get("home") or {}).items() if value is not None}
    return Home({**facts, **said}, ours.get("capture") or {})


def price() -> Dict[str, Any]:
    """``{"price": {usd_per_hour, as_of, source}}`` of the machine, as its agent says; empty where none does.

    ``usd_per_hour`` is ``None`` on a leased machine without a known price; ``provider`` then says whose it
    is.
    """
    try:
        said = json.loads(os.environ.get("TRACKSIDE_PRICE") or "null")
    except ValueError:
        return {}
    return {"price": said} if isinstance(said, dict) else {}


def _request_metadata() -> Mapping[str, Any]:
    """The metadata of the request that an ipykernel executes now; empty elsewhere."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    kernel = getattr(get_ipython() if get_ipython is not None else None, "kernel", None)
    if kernel is None:
        return {}
    metadata = kernel.get_parent("shell").get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def capture_settings(said: Mapping[str, Any]) -> CaptureSettings:
    """What home said, else the configuration's ``[capture]``.

    Raises:
        ConfigurationError: the configuration is broken.
    """
    if said:
        return CaptureSettings.from_mapping(said)
    try:
        from kernel_magics.config import capture_settings as configured
    except ModuleNotFoundError as error:
        if error.name != "kernel_magics.config":
            raise
        return CaptureSettings()  # a GPU machine: the configuration stays at home
    return configured()


def program_name() -> str:
    """The script's name without its ending, or ``run`` where there is none (a notebook, a prompt)."""
    if "ipykernel" in sys.modules or not sys.argv or not sys.argv[0] or sys.argv[0] in ("-c", "-m"):
        return "run"
    script = Path(sys.argv[0])
    return (script.parent.name if script.stem == "__main__" else script.stem) or "run"


def observe(run: Run, settings: CaptureSettings, given: Mapping[str, Any], *, member: bool) -> None:
    """Start everything that is recorded beside what the user logs.

    Args:
        given: facts that are known and need not be collected; recorded at once.
        member: whether the run was made by another process, which observes the machine already.
    """
    if given:
        run.record_facts(given)
    clock = ClockWatch(run, steady=steady_clock())
    tasks = [Task(run.drain, lambda: 0.5), Task(clock.look, lambda: 1.0)]
    if member:
        run.start_background(tasks)
        return
    telemetry = Telemetry(run.record_system)
    run.start_background([*tasks, Task(telemetry.sample, telemetry.interval)])
    collection = facts_of.Collection(run.record_facts, settings, known=frozenset(given))
    collection.start()
    run.on_finish(lambda: collection.settle(SETTLE_S))
