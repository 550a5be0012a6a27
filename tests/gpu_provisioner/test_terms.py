"""What may be spent is checked before it is spent, and said in figures."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from gpu_provisioner.errors import BadRequest, OverLimit
from gpu_provisioner.gpus import parse
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState, Offer
from gpu_provisioner.providers.base import Target
from gpu_provisioner.provisioner import provision
from gpu_provisioner.terms import (
    PAID_IDLE_S,
    Terms,
    duration_s,
    price_for_runs,
    source_of,
    spent_since,
    start_of_day,
)
from gpu_provisioner.typed import Typed
from tests.gpu_provisioner.front import Place

NOON = start_of_day(time.time()) + 12 * 3600


def lease(hours: float, usd: float | None, over: bool = False, **more: Any) -> Lease:
    """One that began ``hours`` before noon."""
    state = LeaseState.RELEASED if over else LeaseState.READY
    facts = {"provider": "ssh", "target": "gpu1", "spec": "a100", "usd_per_hour": usd}
    return Lease(id="a100-1", name="a100", state=state, created=NOON - hours * 3600, **{**facts, **more})


def offer(usd: float | None) -> Offer:
    return Offer("ssh", "gpu2", "h100", usd_per_hour=usd)


def refusal(terms: Terms, what: Offer, leases: list[Lease]) -> OverLimit | None:
    try:
        terms.check(what, leases, NOON, Typed(("a100",)))
    except OverLimit as error:
        return error
    return None


def test_an_hour_of_all_that_runs_may_cost_no_more_than_the_limit() -> None:
    terms = Terms(max_usd_per_hour=10)
    assert refusal(terms, offer(7.3), [lease(1, 2.7)]) is None
    error = refusal(terms, offer(7.31), [lease(1, 2.7), lease(5, 90.0, over=True)])
    assert error is not None
    for figure in ("h100 on gpu2 costs ≈ $7.31/h", "a100 ≈ $2.70/h", "≈ $10.01/h", "$10.00/h"):
        assert figure in error.message
    assert error.message.endswith("Nothing was rented.")
    assert error.remedy == (
        "%gpu_release a100; or, to allow it this once: %gpu_provision a100 --max-usd-per-hour 10.01"
    )


def test_what_a_remedy_allows_is_enough() -> None:
    error = refusal(Terms(max_usd_per_hour=1), offer(2.341), [])
    assert error is not None and error.remedy is not None
    allowed = float(error.remedy.split("--max-usd-per-hour ")[1].split()[0])
    assert refusal(Terms(max_usd_per_hour=allowed), offer(2.341), []) is None


def test_a_day_counts_what_was_spent_since_midnight_and_the_next_hour() -> None:
    day = [lease(20, 1.0), lease(2, 4.0, over=True, released=NOON - 3600)]
    # 12 h of the first since midnight, 1 h of the second; then an hour of the first and of the new one.
    assert refusal(Terms(max_usd_per_day=19.0), offer(2.0), day) is None
    error = refusal(Terms(max_usd_per_day=18.99), offer(2.0), day)
    assert error is not None and "≈ $16.00 were spent today" in error.message
    assert "≈ $19.00" in error.message and "$18.99 a day" in error.message


@pytest.mark.parametrize("usd", [None, 0.0])
def test_what_costs_nothing_or_nobody_knows_what_is_not_refused(usd: float | None) -> None:
    assert refusal(Terms(max_usd_per_hour=0, max_usd_per_day=0), offer(usd), []) is None
    assert refusal(Terms(max_usd_per_hour=5), offer(5.0), [lease(1, usd)]) is None


def test_a_limit_of_nothing_refuses_everything_that_costs() -> None:
    assert refusal(Terms(max_usd_per_hour=0), offer(0.01), []) is not None


def test_time_before_midnight_and_after_the_end_costs_nothing_today() -> None:
    midnight = start_of_day(NOON)
    assert spent_since([lease(36, 2.0)], midnight, NOON) == pytest.approx(24.0)
    assert spent_since([lease(36, 2.0, over=True, released=midnight - 1)], midnight, NOON) == 0.0
    assert spent_since([lease(3, None), lease(3, 0.0)], midnight, NOON) == 0.0


@pytest.mark.parametrize(
    ("asked", "target", "limits", "usd", "expected"),
    [
        (None, None, None, None, 0.0),
        (None, None, None, 0.0, 0.0),
        (None, None, None, 2.7, PAID_IDLE_S),
        (None, None, 600, None, 600),
        (None, 300, 600, 2.7, 300),
        (60, 300, 600, 2.7, 60),
        (0, 300, 600, 2.7, 0),
        (None, 0, 600, 2.7, 0),
    ],
)
def test_idleness_is_off_where_nothing_is_paid_and_said_nearer_counts_more(
    asked: float | None, target: float | None, limits: float | None, usd: float | None, expected: float
) -> None:
    options = {} if target is None else {"idle_s": target}
    assert Terms(idle_s=limits, asked_idle_s=asked).idle_of(offer(usd), options) == expected


def test_limits_of_the_configuration_and_options_instead_of_them() -> None:
    terms = Terms.of({"max_usd_per_hour": 10, "idle_s": 600}).but(max_usd_per_hour=20.0, asked_idle_s=None)
    assert terms == Terms(max_usd_per_hour=20.0, idle_s=600.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("1.5h", 5400), ("45s", 45), ("90", 90), ("10min", 600), ("off", 0), ("0", 0)],
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5m", "5x", "nan", "inf", "h", "1e999"])
def test_what_is_no_length_of_time_is_said(text: str) -> None:
    with pytest.raises(BadRequest, match="no length of time"):
        duration_s(text)


def test_a_run_is_told_the_price_its_date_and_its_source_or_that_none_is_known() -> None:
    paid = replace(lease(1, 2.7), price_as_of="2026-09-20", handle={"price_source": "price list x"})
    assert price_for_runs(paid) == {"usd_per_hour": 2.7, "as_of": "2026-09-20", "source": "price list x"}
    unknown = price_for_runs(replace(lease(1, None), provider="ssh"))
    assert unknown == {"usd_per_hour": None, "provider": "ssh"}
    assert price_for_runs(replace(lease(1, None), provider="local")) == {}
    assert source_of({"usd_per_gpu_hour": 2.7}) == "usd_per_gpu_hour of trackside.toml"
    assert source_of({"price_list": "coreweave"}) == "price list coreweave"


def test_nothing_is_written_and_nothing_started_when_it_would_cost_too_much(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    costly = Offer("local", "local", "cpu", usd_per_hour=3.0)
    monkeypatch.setattr("gpu_provisioner.providers.local.LocalProvider.offers", lambda *_: [costly])
    with pytest.raises(OverLimit, match=r"≈ \$3\.00/h"):
        provision(
            [parse("cpu")],
            targets=[Target("local", "local")],
            data_dir=place.data,
            terms=Terms(max_usd_per_hour=2.0),
        )
    assert LeaseBook(place.data).all() == [] and not place.processes()
    assert not (place.data / "kernels").exists()
