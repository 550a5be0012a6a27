"""Cells that went on while their notebook's kernel was gone: shown again by the next one.

What a front-end had seen of such a cell is unknowable, so the whole cell is shown, under the cell that comes
back to the machine. Where pages of JupyterLab show it in its own place, nothing is shown here.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, List, Mapping, Optional, Sequence, Tuple

from gpu_provisioner.absence import absent_since, end_absence, is_shown
from gpu_provisioner.home import home_folder, read_records
from gpu_provisioner.home_cells import HomeCell, HomeCells, Parents, message_type
from gpu_provisioner.wire import IOPUB
from kernel_magics.bridge.ipykernel_names import LocalKernel
from kernel_magics.bridge.outbox import Outbox, Outgoing
from kernel_magics.bridge.relay import SHOWN, Relay


@dataclass(frozen=True)
class Absence:
    """What a notebook missed.

    Attributes:
        cells: those of its cells that had not ended when its former kernel left.
        end: offset in the home journal; what comes after it comes by the line.
        shown: whether pages show these cells in their own place.
    """

    data_dir: Path
    lease_id: str
    cells: Sequence[HomeCell]
    end: int
    shown: bool

    def records(self) -> Iterator[Tuple[HomeCell, Sequence[bytes]]]:
        """The parts of every message that showed something, and whose it is, in order."""
        cells = {cell.key: cell for cell in self.cells}
        if not cells:
            return
        parents = Parents()
        for batch in read_records(self.data_dir, self.lease_id, min(cell.start for cell in self.cells)):
            for offset, channel, parts in batch:
                if offset > self.end:
                    return
                if channel == IOPUB and len(parts) >= 4 and message_type(parts) in SHOWN:
                    cell = cells.get(parents.of(parts))
                    if cell is not None:
                        yield cell, parts

    def is_over(self) -> None:
        """The notebook has seen it."""
        end_absence(home_folder(self.data_dir, self.lease_id))


def absence(
    data_dir: Path, lease_id: str, end: int, notebook: Optional[str], kernel_id: Optional[str]
) -> Absence:
    """What the notebook of that path or kernel missed of a lease up to the offset ``end``."""
    folder = home_folder(data_dir, lease_id)
    since = absent_since(folder)
    left = end if since is None else since
    cells: List[HomeCell] = [
        cell
        for cell in HomeCells(data_dir, lease_id).look()
        if (cell.end is None or cell.end > left) and _is_mine(cell, notebook, kernel_id)
    ]
    return Absence(data_dir, lease_id, cells, end, is_shown(folder))


def _is_mine(cell: HomeCell, notebook: Optional[str], kernel_id: Optional[str]) -> bool:
    return (notebook is not None and cell.notebook == notebook) or (
        kernel_id is not None and cell.kernel_id == kernel_id
    )


def show(missed: Absence, kernel: LocalKernel, outbox: Outbox, relay: Relay) -> threading.Event:
    """Show what was missed in the cell that runs here now; what follows of it will be shown there too.

    Returns:
        an event that is set when all that was missed is sent.
    """
    sent = threading.Event()
    request = kernel.current_request()
    if missed.cells and not missed.shown and request is not None:
        keys = [cell.key for cell in missed.cells]
        relay.adopt(keys, request["header"]["msg_id"], kernel.session.pack(request["header"]))
        outbox.catch_up()
        told = set()
        for cell, parts in missed.records():
            if cell.key not in told:
                told.add(cell.key)
                outbox.send([_headline(cell, kernel.session, request)])
            relay.on_records([(0, IOPUB, parts)])
        relay.release(cell.key for cell in missed.cells if cell.end is not None)
    outbox.then(sent.set)
    return sent


def _headline(cell: HomeCell, session: Any, request: Mapping[str, Any]) -> Outgoing:
    """A line above what a cell showed, as a message that answers ``request``."""
    number = "The cell" if cell.execution_count is None else f"Cell [{cell.execution_count}]"
    state = "goes on there. What it has shown, and shows from now on:" if cell.end is None else "has ended:"
    text = f"{number}, which ran when this notebook's kernel ended, {state}"
    markup = f"<div style='opacity:0.7'>{text}</div>"
    content = {"data": {"text/plain": text, "text/html": markup}, "metadata": {}}
    header = session.msg_header("display_data")
    parts = [session.pack(part) for part in (header, request["header"], {}, content)]
    return Outgoing("display_data", request["header"]["msg_id"], parts)
