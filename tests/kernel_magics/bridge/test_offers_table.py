"""``%gpu_offers``: one table, which changes as slow targets answer."""

from __future__ import annotations

from typing import Any

from gpu_provisioner.catalog import Problem, Survey
from gpu_provisioner.model import Offer
from kernel_magics.magics.provision_display import OffersTable


def test_a_slow_target_stands_in_the_table_until_it_has_answered() -> None:
    shown: list[tuple[str, str, bool]] = []

    def publish(data: dict[str, str], transient: dict[str, Any], update: bool) -> None:
        shown.append((data["text/plain"], transient["display_id"], update))

    table = OffersTable(publish, ["a100", "cpu"])
    offer = Offer("ssh", "fast", "a100-80gb", usd_per_hour=1.5, detail="one <b>free</b>")
    table.show([Survey((offer,), waiting=("slow",)), Survey(waiting=("slow",))])
    table.show([Survey((offer,), (Problem("slow", "is off"),)), Survey()])
    (first, display, update), (last, again, updated) = shown
    assert (update, updated) == (False, True) and display == again
    lines = [line.split() for line in first.splitlines()]
    assert ["a100", "slow", "…", "no", "answer", "yet"] in lines
    assert ["cpu", "slow", "…", "no", "answer", "yet"] in lines
    assert any(line[:3] == ["a100", "fast", "a100-80gb"] and "$1.50/h" in line for line in lines)
    assert "no answer yet" not in last and "is off" in last
