"""Which metrics of some runs are shown, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kernel_magics.model import MetricInfo, MetricSource

if TYPE_CHECKING:
    from kernel_magics.store.store import Store

_SOURCE_ORDER = (MetricSource.LOGGED, MetricSource.INFERRED, MetricSource.SYSTEM)


def metrics_in_order(store: Store, run_ids: Sequence[str], inferred: bool = False) -> list[MetricInfo]:
    """The metrics of all these runs: logged ones first, each in the order in which it was first seen. One
    that runs define to be drawn over different things has no ``x``: only the step is common.

    Args:
        inferred: also inferred ones of which :func:`repeated_metrics` says that they were logged as well.
    """
    found: dict[tuple[str, MetricSource], MetricInfo] = {}
    over: dict[tuple[str, MetricSource], set[str]] = {}
    for infos in store.metrics(run_ids).values():
        for info in infos:
            found.setdefault((info.name, info.source), info)
            over.setdefault((info.name, info.source), set()).update([info.x] if info.x else [])
    agreed = [replace(info, x=_only(over[key])) for key, info in found.items()]
    repeated = () if inferred else repeated_metrics(store, run_ids)
    shown = [one for one in agreed if one.source != MetricSource.INFERRED or one.name not in repeated]
    return sorted(shown, key=lambda info: _SOURCE_ORDER.index(info.source))


def _only(said: Collection[str]) -> str | None:
    """Over what a metric is meant to be drawn; where its runs do not agree, only the step is common."""
    return next(iter(said)) if len(said) == 1 else None


def repeated_metrics(store: Store, run_ids: Sequence[str]) -> list[str]:
    """Names of inferred metrics that every run which has them logged under the same name as well: what was
    read from the output says nothing new."""
    logged: set[tuple[str, str]] = set()
    inferred: dict[str, list[str]] = {}
    for run_id, infos in store.metrics(run_ids).items():
        logged |= {(run_id, info.name) for info in infos if info.source == MetricSource.LOGGED}
        for info in infos:
            if info.source == MetricSource.INFERRED:
                inferred.setdefault(info.name, []).append(run_id)
    return [name for name, having in inferred.items() if all((run, name) in logged for run in having)]
