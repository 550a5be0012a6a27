"""Which cells of notebooks a home journal holds, where each begins, and whether it has ended.

The journal may be growing: whoever wants to know looks again. Nothing is decoded that is not needed, and
nothing is read twice.
"""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from gpu_provisioner import wire
from gpu_provisioner.home import arrival, home_folder, read_records, stream_base
from gpu_provisioner.wire import Record

log = logging.getLogger("trackside.home")
_MESSAGE_TYPE = re.compile(rb'"msg_type": ?"(\w+)"').search


@dataclass
class HomeCell:
    """One execution of one cell, as far as it is home.

    Attributes:
        key: the request's ``msg_id``.
        session: of the front-end that asked.
        notebook, kernel_id: of the notebook whose kernel passed it on.
        start, end: offsets in the home journal; ``end`` is behind the kernel's last word on it (its ``idle``,
            or its death), ``None`` while it goes on.
    """

    key: str
    cell_id: str
    session: Optional[str]
    notebook: Optional[str]
    kernel_id: Optional[str]
    start: int
    end: Optional[int] = None
    execution_count: Optional[int] = None


class HomeCells:
    """The cells of one lease. :meth:`look` may be called from any thread."""

    def __init__(self, data_dir: Path, lease_id: str) -> None:
        self.folder = home_folder(data_dir, lease_id)
        self._data_dir, self._lease_id = data_dir, lease_id
        self._lock = threading.Lock()
        self._base = -1
        self._cells: Dict[str, HomeCell] = {}
        self._parents = Parents()
        self.position = 0
        """Offset up to which the journal was looked at; a record boundary."""

    def look(self) -> Sequence[HomeCell]:
        """All cells as of now, in the order in which they began."""
        with self._lock:
            try:
                self._read_on()
            except OSError:  # nothing of this lease has come home yet, or its journal was deleted
                pass
            return list(self._cells.values())

    def arrived(self, cell: HomeCell) -> Optional[float]:
        """When the end of a cell was home: seconds since the epoch, ``None`` while it goes on."""
        return None if cell.end is None else arrival(self.folder, cell.end)

    def _read_on(self) -> None:
        base = stream_base(self.folder)
        if base != self._base:  # the far side had lost the beginning, and the journal was begun anew
            self._base, self.position = base, base
            self._cells.clear()
        if (self.folder / "stream").stat().st_size + base == self.position:
            return
        for batch in read_records(self._data_dir, self._lease_id, self.position):
            for record in batch:
                self._see(record)
                self.position = record[0]

    def _see(self, record: Record) -> None:
        try:
            self._sort(record)
        except (wire.WireError, RecursionError):  # the far machine is not trusted to send what can be read
            log.warning("what ends at %d of %s cannot be read", record[0], self._lease_id)

    def _sort(self, record: Record) -> None:
        end, channel, parts = record
        if channel == wire.EVENT and parts:
            self._see_event(wire.from_json(parts[0]), end)
        elif channel == wire.IOPUB and len(parts) >= 4:
            kind = message_type(parts)
            if kind in ("status", "execute_input"):
                cell = self._cells.get(self._parents.of(parts))
                if cell is not None:
                    self._see_message(cell, kind, parts, end)

    def _see_event(self, event: Mapping[str, Any], end: int) -> None:
        kind, key = event.get("type"), event.get("msg_id")
        if kind == "cell" and isinstance(key, str):
            session, notebook, kernel = (
                _text(event.get(name)) for name in ("session", "notebook", "kernel_id")
            )
            self._cells.pop(key, None)
            self._cells[key] = HomeCell(key, str(event.get("cell_id")), session, notebook, kernel, end)
        elif kind in ("kernel-died", "agent-died"):
            for cell in self._cells.values():
                cell.end = end if cell.end is None else cell.end

    def _see_message(self, cell: HomeCell, kind: str, parts: Sequence[bytes], end: int) -> None:
        content = wire.from_json(parts[3])
        if kind == "execute_input":
            count = content.get("execution_count")
            cell.execution_count = count if isinstance(count, int) else None
        elif content.get("execution_state") == "idle" and cell.end is None:
            cell.end = end


def _text(value: Any) -> Optional[str]:
    return value if isinstance(value, str) else None


class Parents:
    """Tells which request a message answers. The messages of one cell repeat their parent, byte for byte."""

    def __init__(self) -> None:
        self._last: Tuple[bytes, str] = (b"", "")

    def of(self, parts: Sequence[bytes]) -> str:
        """``msg_id`` of the request, ``""`` where there is none."""
        if parts[1] != self._last[0]:
            self._last = parts[1], str(wire.from_json(parts[1]).get("msg_id") or "")
        return self._last[1]


def message_type(parts: Sequence[bytes]) -> str:
    """``msg_type`` of a message's parts."""
    found = _MESSAGE_TYPE(parts[0])
    return found.group(1).decode() if found else ""
