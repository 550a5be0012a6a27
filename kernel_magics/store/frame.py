"""Points as a ``pandas.DataFrame``. Pandas is no dependency; it is used where it is installed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from kernel_magics.errors import UsageMistake
from kernel_magics.model import MetricInfo, RunInfo

from .model import Series

if TYPE_CHECKING:
    import pandas


class Recorded(Protocol):
    """The part of a :class:`~kernel_magics.store.Store` that a table of all points needs."""

    def run(self, run_id: str) -> RunInfo: ...

    def metrics(self, run_ids: Collection[str]) -> dict[str, list[MetricInfo]]: ...

    def series(self, run_id: str, metric: str, source: str | None = None) -> Series: ...


def dataframe(store: Recorded, run_ids: Sequence[str], metrics: Collection[str] | None) -> pandas.DataFrame:
    """See :meth:`Store.dataframe`."""
    try:
        import pandas as pd
    except ImportError as error:
        raise UsageMistake(
            "dataframe() needs pandas, which is not installed; series() gives the same numbers without it.",
            remedy="pip install pandas",
        ) from error
    for run_id in run_ids:
        store.run(run_id)
    series = [
        (run_id, info, store.series(run_id, info.name, str(info.source)))
        for run_id, infos in store.metrics(run_ids).items()
        for info in infos
        if metrics is None or info.name in metrics
    ]
    counts = [len(one) for _run, _info, one in series]

    def words(spelled: list[str]) -> Any:
        return pd.Categorical(np.repeat(np.array(spelled, object), counts), list(dict.fromkeys(spelled)))

    def numbers(name: str, dtype: str) -> Any:
        return np.concatenate([np.empty(0, dtype), *(getattr(one, name) for _run, _info, one in series)])

    return pd.DataFrame(
        {
            "run": words([run_id for run_id, _info, _one in series]),
            "metric": words([info.name for _run, info, _one in series]),
            "source": words([str(info.source) for _run, info, _one in series]),
            "step": numbers("step", "int64"),
            "time": numbers("time", "float64"),
            "value": numbers("value", "float64"),
        }
    )
