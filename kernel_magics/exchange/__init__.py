"""Runs into files that other tools read, and back: CSV, JSON lines, Parquet.

::

    export_runs(store, run_ids, path, "csv")    the points of runs, and what the runs are
    import_file(path, data_dir)                 such a file into new runs

Whatever the format, a file has one row per point with the columns ``run, metric, source, step, time, value``
(``time`` in seconds since the epoch), and for each run a document: name, project, tags, config, summary,
facts, times, status, how its metrics are meant. Numbers come back bit by bit, NaN and infinities too (of NaN
the sign and payload bits do not). Outputs, events, media and artifacts are not in it.
"""

from __future__ import annotations

from kernel_magics.exchange.exporting import export_runs
from kernel_magics.exchange.formats import FORMATS, format_of
from kernel_magics.exchange.importing import import_file

__all__ = ["FORMATS", "export_runs", "format_of", "import_file"]
