"""Prices. One that is not known is not shown: no price is better than a wrong one.

A target names its own price (``usd_per_gpu_hour``), or a price list: one of the dated ones in ``prices.csv``
beside this file, or a CSV file of the user's with the same columns.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional

from gpu_provisioner.errors import ConfigurationError

_SHIPPED = Path(__file__).with_name("prices.csv")


@dataclass(frozen=True)
class Price:
    """US dollars an hour for one GPU, and when that was so (``YYYY-MM-DD``, ``None`` if undated)."""

    usd_per_gpu_hour: float
    as_of: Optional[str] = None


def price_of(device: str, options: Mapping[str, Any]) -> Optional[Price]:
    """The price of one GPU on a target with these options; ``None`` when nobody knows it.

    Args:
        options: ``usd_per_gpu_hour`` (a number), else ``price_list`` (a name, or the path of a CSV file).

    Raises:
        ConfigurationError: the price list cannot be read.
    """
    if device == "cpu":
        return None
    if options.get("usd_per_gpu_hour") is not None:
        return Price(float(options["usd_per_gpu_hour"]))
    wanted = options.get("price_list")
    if wanted is None:
        return None
    own = Path(str(wanted)).expanduser()
    return _look_up(own, None, device) if own.suffix == ".csv" else _look_up(_SHIPPED, str(wanted), device)


def _look_up(path: Path, list_name: Optional[str], device: str) -> Optional[Price]:
    known = False
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.DictReader(file), 2):
                if list_name is not None and row["list"] != list_name:
                    continue
                known = True
                if row["device"] == device:
                    return _price(row, path, number)
    except (OSError, KeyError) as error:
        raise ConfigurationError(
            f"The price list {path} cannot be read: {error}. Its columns: device, usd_per_gpu_hour, as_of."
        ) from None
    if list_name is not None and not known:
        raise ConfigurationError(f"No price list is called {list_name!r}.", 'price_list = "coreweave"')
    return None


def _price(row: Mapping[str, str], path: Path, number: int) -> Price:
    try:
        return Price(float(row["usd_per_gpu_hour"]), row.get("as_of") or None)
    except ValueError:
        raise ConfigurationError(
            f"{path}, line {number}: usd_per_gpu_hour must be a number, not {row['usd_per_gpu_hour']!r}."
        ) from None
