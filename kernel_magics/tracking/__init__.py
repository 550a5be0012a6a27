"""Recording a run: in a notebook, a script or a torchrun rank, here or on a GPU machine.

Stdlib only and Python 3.9: this package travels to the GPU machine.
"""

from __future__ import annotations

from kernel_magics.tracking.active import active_run, define_metric, finish, init, log
from kernel_magics.tracking.histogram import Histogram
from kernel_magics.tracking.media import Html, Table
from kernel_magics.tracking.picture import Image
from kernel_magics.tracking.recorder import Run

__all__ = [
    "Histogram",
    "Html",
    "Image",
    "Run",
    "Table",
    "active_run",
    "define_metric",
    "finish",
    "init",
    "log",
]
