"""Coming back to a machine on which cells of this notebook went on."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Optional

from gpu_provisioner.model import Lease
from kernel_magics.bridge.bridge import Bridge
from kernel_magics.bridge.homecoming import Absence, absence


def begin_to_show_missed(
    bridge: Bridge, lease: Lease, data_dir: Path, notebook: Optional[str], kernel_id: Optional[str]
) -> Callable[[], str]:
    """Show in the running cell what cells of this notebook showed while it had no kernel.

    To be called before the line is up.

    Returns:
        to be called when it is: waits until all of it is sent, and gives a sentence about cells that go on.
    """
    missed = absence(data_dir, lease.id, bridge.holder.home_end, notebook, kernel_id)
    sent = bridge.show_missed(missed)

    def finish() -> str:
        sent.wait()
        missed.is_over()
        return _sentence(missed)

    return finish


def _sentence(missed: Absence) -> str:
    running = [cell for cell in missed.cells if cell.end is None]
    if not running:
        return ""
    names = ", ".join(f"[{cell.execution_count}]" for cell in running if cell.execution_count is not None)
    one = len(running) == 1
    where = f"{'its' if one else 'their'} own place" if missed.shown else "this cell"
    return (
        f" {'Cell' if one else 'Cells'} {names} {'goes' if one else 'go'} on there and "
        f"{'shows its' if one else 'show their'} output in {where}; the next cell waits for "
        f"{'it' if one else 'them'}."
    )
