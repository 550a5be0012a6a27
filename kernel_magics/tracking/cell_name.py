"""The name ``run`` in a tracked cell.

Stdlib only and Python 3.9: this module travels to the GPU machine.
"""

from __future__ import annotations

import sys
from typing import Any, Optional

from kernel_magics.tracking.recorder import Run


class RunName:
    """Gives the cells of a shell their run by name."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._bound: Optional[Run] = None

    def bind(self, run: Run) -> None:
        """Give the cell its ``run``, unless the user has a variable of that name."""
        names = self._shell.user_ns
        if "run" not in names or names["run"] is self._bound:
            names["run"] = self._bound = run
            return
        print(
            "Trackside: your own variable `run` is kept. This cell's run is the active one: "
            "use km.log(…), or km.active_run() (import kernel_magics as km).",
            file=sys.stderr,
        )

    def unbind(self) -> None:
        """Take the name back, if it still means one of our runs."""
        if self._bound is not None and self._shell.user_ns.get("run") is self._bound:
            del self._shell.user_ns["run"]
        self._bound = None
