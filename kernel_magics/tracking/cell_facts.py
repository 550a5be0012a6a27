"""Facts of a tracked cell that only its kernel knows, and what it may put on the record."""

from __future__ import annotations

import html
import os
import re
from dataclasses import replace
from typing import Any, Dict, Mapping, Tuple

from kernel_magics.model import CaptureSettings
from kernel_magics.tracking import surroundings
from kernel_magics.tracking.cell_host import Host
from kernel_magics.tracking.cell_line import TrackOptions
from kernel_magics.tracking.recorder import Run

_LONGEST_SHOWN = 60


def capture_of(metadata: Mapping[str, Any], options: TrackOptions) -> CaptureSettings:
    """What home said, for a cell that came from there, else the configuration; less what the cell turns off.

    Raises:
        ConfigurationError: the configuration is broken.
    """
    settings = surroundings.capture_settings(_ours(metadata).get("capture") or {})
    off: Dict[str, Any] = dict.fromkeys(options.off, False)
    return replace(settings, **off)


def facts_of(host: Host, info: Any, metadata: Mapping[str, Any], source: str) -> Dict[str, Any]:
    """Where this cell stands: notebook, cell, kernel, source; home's facts, if it came from there."""
    facts: Dict[str, Any] = {
        "notebook": os.environ.get("JPY_SESSION_NAME"),
        "cell_id": getattr(info, "cell_id", None) or metadata.get("cellId"),
        "kernel_id": host.kernel_id(),
    }
    facts.update(surroundings.price())
    facts.update(_ours(metadata).get("home") or {})
    if source:
        facts["source"] = source
    return {key: value for key, value in facts.items() if value is not None}


def note_of(run: Run) -> Tuple[str, str]:
    """The line below a tracked cell that went well, as text and as HTML."""
    short = len(run.name) <= _LONGEST_SHOWN
    shown = run.name if short else f"{run.name[: _LONGEST_SHOWN - 1]}…"
    wanted = run.name if short and re.fullmatch(r"[\w.=+-]+", run.name) else run.id
    text = f"Recorded as run {shown!r}. To see it: %compare {wanted}, or the Trackside panel."
    name, command = html.escape(shown), html.escape(f"%compare {wanted}")
    markup = (
        f"<div class='trackside-note' data-run-id='{html.escape(run.id)}' style='opacity:0.7'>"
        f"Recorded as run <b>{name}</b>. To see it: <code>{command}</code>, or the Trackside panel.</div>"
    )
    return text, markup


def _ours(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    ours = metadata.get("trackside")
    return ours if isinstance(ours, Mapping) else {}
