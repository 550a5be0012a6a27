"""Prices. A price that is not known is not shown: no price is better than a wrong one."""

from __future__ import annotations

from typing import Any, Optional


def price_of(device: str, count: int, usd_per_gpu_hour: Any) -> Optional[float]:
    """US dollars an hour for ``count`` GPUs where the user has named the price of one, else ``None``."""
    return float(usd_per_gpu_hour) * count if usd_per_gpu_hour is not None and device != "cpu" else None
