"""When a change of a run was said: so that what is said last counts, whatever the clocks show.

Of two changes the one with the later time counts (``docs/journal-format.md``), and clocks of two machines
differ. So a change is never given a time before one that whoever makes it can know of: a hybrid logical clock
(Kulkarni, Demirbas et al., "Logical Physical Clocks", 2014), of which the smallest step is the next float.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Iterable, Iterator, List

from kernel_magics.errors import JournalError
from kernel_magics.journal import format as fmt
from kernel_magics.journal.reader import read_journal

EDITOR = "editor"
"""The role of a journal of edits; ids of its writers begin with it."""
LATEST = 1e15
"""What is said to have happened later, in seconds since the epoch, is no time."""
_TRIES = 5


def moment(value: object) -> float:
    """A time as a frame has it, in seconds since the epoch; 0.0 when it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < LATEST:
        return 0.0
    return float(value)


def time_after(seen: Iterable[float]) -> float:
    """Now, and later than all of these: the time of a change by somebody who knows of them."""
    return max(time.time(), math.nextafter(max(seen, default=0.0), math.inf))


def edit_times(folder: Path) -> List[float]:
    """The time of every edit in a run's folder. What cannot be read is passed over."""
    found: List[float] = []
    for _ in range(_TRIES):
        found.clear()
        try:
            for path in folder.glob(f"{EDITOR}-*.journal"):
                found.extend(_times(path))
            break
        except FileNotFoundError:  # a clean-up has put edits together meanwhile: they are in a new journal
            continue
    return found


def _times(path: Path) -> Iterator[float]:
    """The times of the changes in one journal; raises FileNotFoundError when it has gone."""
    try:
        frames, _skipped, _tail = read_journal(path)
        for frame in frames:
            if frame.kind == fmt.Kind.CHANGE:
                yield moment(fmt.unpack_json(frame.payload).get("time"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, JournalError):
        return
