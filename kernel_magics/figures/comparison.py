"""The comparison as something a notebook shows: a page in a frame, and a table where there is no HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from .drawing import HEIGHT
from .metrics import metrics_in_order
from .page import comparison_page
from .table import comparison_table
from .view import View

if TYPE_CHECKING:
    from kernel_magics.store.store import Store

_TALLEST = 1400
"""Pixels; what is longer scrolls within its frame."""


@dataclass(frozen=True)
class Comparison:
    """Runs side by side; shows itself in JupyterLab, Notebook, VS Code, nbconvert, and as text in a terminal.

    The page brings BokehJS along (1.2 MB), so it works offline, also years later; the frame keeps it apart
    from the notebook's own BokehJS and from the notebook.
    """

    text: str
    page: str
    height: int

    @property
    def html(self) -> str:
        """The page in a frame of its own: it may run its scripts, but not reach the notebook."""
        return (
            f'<iframe sandbox="allow-scripts allow-downloads" srcdoc="{escape(self.page)}"'
            f' style="width:100%;height:{self.height}px;border:0;resize:vertical"'
            ' title="comparison of runs"></iframe>'
        )

    def _repr_mimebundle_(self, **_selection: object) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.html}


def compare(store: Store, run_ids: Sequence[str], view: View | str = "auto", note: str = "") -> Comparison:
    """Runs side by side: a chart per metric, and a table.

    Args:
        note: a sentence above the table.

    Raises:
        UnknownRun: there is no such run.
        UsageMistake: the view makes no sense.
    """
    view = View.of(view)
    table = comparison_table(store, run_ids, view)
    charts = len(metrics_in_order(store, run_ids, view.inferred))
    height = 150 + (charts + 1) // 2 * (HEIGHT + 30) + 27 * len(table.rows) + 150
    text = f"{note}\n\n{table.text}" if note else table.text
    return Comparison(
        text, comparison_page(store, run_ids, view, brief=True, note=note), min(height, _TALLEST)
    )
