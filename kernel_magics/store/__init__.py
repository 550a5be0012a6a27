"""Everything recorded, to read: ``open_store()`` gives runs, series, windows, outputs.

The journals are the truth; the index that makes reading fast can be thrown away at any time.
"""

from __future__ import annotations

from kernel_magics.store.filters import FilterMistake
from kernel_magics.store.model import CellRecord, Changes, MetricSummary, Series, Window
from kernel_magics.store.opening import open_store
from kernel_magics.store.store import Store

__all__ = [
    "CellRecord",
    "Changes",
    "FilterMistake",
    "MetricSummary",
    "Series",
    "Store",
    "Window",
    "open_store",
]
