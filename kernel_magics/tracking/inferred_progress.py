"""Reading metrics from progress bars: tqdm in text, tqdm.notebook's widgets, Keras."""

from __future__ import annotations

import html
import json
import re
from typing import Dict, NamedTuple, Optional

from kernel_magics.tracking.inferred_line import Count, Reading, read_line

_RATE = r"\d{2,}:\d\d"
_BAR = re.compile(
    rf"^\s*(?P<desc>.*?):?\s*(?:(?P<percent>\d{{1,3}})%\s*\|[^|]*\|\s*(?P<n>[\d.]+)(?P<scale>[kMGT]?)/(?P<total>[\d.]+)[kMGT]?"
    rf"|(?P<n_only>\d+)[^\s\d|/:]\S{{0,20}})\s*\[(?P<stats>{_RATE}[^\[]*)\]\s*$"
)
_KERAS = re.compile(
    r"^\s*(?:Epoch \d+/\d+\s+)?(?P<n>\d+)/(?P<total>\d+|Unknown)\s+(?:\[[=>.]*\]|[━╸╺\s]*[━╸╺][━╸╺\s]*|-)\s*"
    r"(?:-\s*)?(?:ETA:|\d+s\b|\d+:\d\d)(?P<rest>.*)$"
)
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x08")
_LEFT = re.compile(r"^(?P<desc>.*?):?\s*\d{1,3}%$")


class Bar(NamedTuple):
    """One state of a progress bar.

    Attributes:
        name: its description, without the numbers in it: what stays the same from epoch to epoch.
        at: where it stands; ``None`` when that was not said in whole numbers.
        reading: the numbers it shows.
    """

    name: str
    at: Optional[Count]
    reading: Reading


def read_bar(line: str) -> Optional[Bar]:
    """A line of tqdm's; ``None`` for any other line."""
    if "[" not in line or ":" not in line:
        return None
    found = _BAR.match(_ANSI.sub("", line))
    if found is None:
        return None
    description = found.group("desc")
    said = read_line(description) or Reading()
    values: Dict[str, float] = dict(said.values)
    postfix = found.group("stats").split(", ", 2)[2:]
    for part in ", ".join(postfix).split(", "):
        one = read_line(part)
        values.update(one.values if one else {})
    n, total, whole = found.group("n"), found.group("total"), not found.group("scale")
    at = None
    if found.group("n_only"):
        at = Count(int(found.group("n_only")))
    elif whole and n.isdigit() and total.isdigit():
        at = Count(int(n), int(total))
    name = re.sub(r"[\d.]+", "#", description)
    return Bar(name, at, Reading(values, said.epoch, None))


def read_keras(line: str) -> Optional[Reading]:
    """A line of Keras' progress; its numbers count when the pass is complete, else the reading is empty."""
    if "/" not in line:
        return None
    found = _KERAS.match(_ANSI.sub("", line))
    if found is None:
        return None
    if found.group("n") != found.group("total"):
        return Reading()
    reading = Reading()
    for part in found.group("rest").split(" - "):
        one = read_line(part)
        reading.values.update(one.values if one else {})
    return reading


class NotebookBars:
    """tqdm.notebook draws with widgets: their texts, sent as comm messages, make the line again."""

    def __init__(self) -> None:
        self._left = ""
        self._left_of: Dict[str, str] = {}

    def line(self, content: bytes) -> Optional[str]:
        """The tqdm line that a ``comm_msg`` completes, or ``None``."""
        if b'"value"' not in content or (b"%" not in content and b"&lt;" not in content):
            return None
        message = json.loads(content)
        state = message.get("data", {}).get("state")
        value = state.get("value") if isinstance(state, dict) else None
        if not isinstance(value, str):
            return None
        text = html.unescape(value).replace("\u2007", " ").strip()
        left = _LEFT.match(text)
        if left:
            self._left = text
            return None
        if not re.match(r"\d", text):
            return None
        comm_id = message.get("comm_id", "")
        if self._left:  # tqdm sends the left text just before the right one, and only when it changed
            self._left_of[comm_id] = self._left
            self._left = ""
        known = self._left_of.get(comm_id, "")
        return f"{known}||{text}" if known else text
