"""A price is somebody's word with a date, or it is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpu_provisioner.errors import ConfigurationError
from gpu_provisioner.gpus import MODELS
from gpu_provisioner.prices import Price, price_of


def test_without_a_word_there_is_no_price() -> None:
    assert price_of("a100-80gb", {}) is None
    assert price_of("cpu", {"usd_per_gpu_hour": 3}) is None


def test_the_users_own_price_wins() -> None:
    assert price_of("h100", {"usd_per_gpu_hour": 2.5, "price_list": "coreweave"}) == Price(2.5)


def test_a_shipped_list_is_dated_and_names_known_gpus() -> None:
    found = {device: price_of(device, {"price_list": "coreweave"}) for device in MODELS}
    known = {device: price for device, price in found.items() if price}
    assert known["h100"] == Price(6.16, "2026-09-20")
    assert len(known) == 9
    assert found["a100-40gb"] is None


def test_a_list_of_the_users(tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("device,usd_per_gpu_hour,as_of\nl4,0.4,2026-11-01\nl40,cheap,\n")
    assert price_of("l4", {"price_list": str(own)}) == Price(0.4, "2026-11-01")
    with pytest.raises(ConfigurationError, match="line 3: usd_per_gpu_hour must be a number, not 'cheap'"):
        price_of("l40", {"price_list": str(own)})


@pytest.mark.parametrize("name", ["corewave", "/nowhere/list.csv"])
def test_a_list_that_is_not_there_is_an_error(name: str) -> None:
    with pytest.raises(ConfigurationError):
        price_of("h100", {"price_list": name})
