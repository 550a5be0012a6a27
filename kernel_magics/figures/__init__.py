"""Figures of recorded runs: the comparison as Bokeh charts, as a table, as a page, as a picture.

::

    comparison_table(store, run_ids)            text and html; differences marked
    compare_figures(store, run_ids, x="auto")   one Bokeh figure per metric, all runs in each
    write_html(store, run_ids, path)            one page that works offline
    write_png(page, path)                       that page as a picture, by a headless browser
    save_comparison(store, run_ids, path, view) page, picture, or a notebook that opens it again

Bokeh is imported when a chart is made, not before.
"""

from __future__ import annotations

from kernel_magics.figures.charts import compare_figures
from kernel_magics.figures.choice import Choice, choose_runs
from kernel_magics.figures.comparison import Comparison, compare
from kernel_magics.figures.listing import RunsListing, runs_listing
from kernel_magics.figures.page import comparison_page, write_html
from kernel_magics.figures.picture import write_png
from kernel_magics.figures.saving import comparison_notebook, save_comparison
from kernel_magics.figures.table import ComparisonTable, comparison_table, run_labels
from kernel_magics.figures.view import View

__all__ = [
    "Choice",
    "Comparison",
    "ComparisonTable",
    "RunsListing",
    "View",
    "choose_runs",
    "compare",
    "compare_figures",
    "comparison_notebook",
    "comparison_page",
    "comparison_table",
    "run_labels",
    "runs_listing",
    "save_comparison",
    "write_html",
    "write_png",
]
