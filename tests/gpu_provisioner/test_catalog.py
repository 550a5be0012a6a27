"""All targets are asked at once; a slow or broken one hides no other. Providers come from real dist-infos."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_provisioner.catalog import Catalog, Survey
from gpu_provisioner.config import load_configuration
from gpu_provisioner.errors import NoOffer, ProviderError
from gpu_provisioner.gpus import parse
from gpu_provisioner.providers import provider_class, provider_names
from gpu_provisioner.providers.base import Target
from tests.installed import install_provider

MODULE = """
import threading
from gpu_provisioner.errors import ProviderError
from gpu_provisioner.model import Gpu, Offer

gate = threading.Event()
asked = threading.Barrier(3, timeout=20)

class Shop:
    OPTIONS = {"usd": float, "mood": str}
    def __init__(self, target, live_leases): self.target = target
    def offers(self, request):
        mood = self.target.options.get("mood")
        if mood == "closed": raise ProviderError("the queue is closed")
        if mood == "broken": raise RuntimeError("bug")
        if mood == "slow": gate.wait(30)
        if mood == "together": asked.wait()
        if mood == "empty" or request.model != "a100": return []
        gpu = Gpu(0, "NVIDIA A100-SXM4-80GB", "GPU-" + self.target.name, 80.0, "a100-80gb")
        usd = self.target.options.get("usd")
        return [Offer("shop", self.target.name, "a100-80gb", (gpu,), usd, detail="one")]
    def inventory(self): return "four a100-80gb, all busy"
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution ``trackside-shop`` with a provider of its own, installed as pip would leave it."""
    known = {"shop": "trackside_shop:Shop", "broken": "trackside_shop_missing:Shop"}
    install_provider(tmp_path, monkeypatch, "trackside_shop", MODULE, known)
    yield
    import sys

    module = sys.modules.pop("trackside_shop", None)
    if module is not None:
        module.gate.set()


def target(name: str, **options: object) -> Target:
    return Target(name, "shop", options)


def catalog(*targets: Target, limit_s: float = 10.0, moment_s: float = 0.2) -> Catalog:
    return Catalog(targets, lambda: (), limit_s, moment_s)


def open_gate() -> None:
    """Slow targets answer from now on."""
    import trackside_shop  # type: ignore[import-not-found]

    trackside_shop.gate.set()


def test_providers_are_found_by_their_entry_points(shop: None, tmp_path: Path) -> None:
    assert {"local", "shop"} <= set(provider_names())
    assert provider_class("shop").__name__ == "Shop"
    with pytest.raises(ProviderError, match="cannot be imported"):
        provider_class("broken")
    with pytest.raises(ProviderError, match="No provider 'gone' is installed"):
        provider_class("gone")
    file = tmp_path / "trackside.toml"
    file.write_text("[targets.a]\nprovider = 'shop'\nusd = 2\n")
    assert [each.name for each in load_configuration(file).targets] == ["local", "a"]


def test_the_cheapest_known_price_comes_first_and_an_unknown_one_last(shop: None) -> None:
    found = catalog(target("unknown"), target("dear", usd=3.0), target("cheap", usd=1.0)).survey(
        parse("a100")
    )
    assert [offer.target for offer in found.offers] == ["cheap", "dear", "unknown"]


def test_all_targets_are_asked_at_the_same_time(shop: None) -> None:
    found = catalog(*(target(name, mood="together") for name in "abc")).survey(parse("a100"))
    assert len(found.offers) == 3


def test_a_slow_and_a_broken_target_are_named_and_hide_no_other(shop: None) -> None:
    moods = [target(mood, mood=mood) for mood in ("slow", "closed", "broken")]
    found = catalog(*moods, target("fine", usd=2.0), limit_s=1.0).survey(parse("a100"))
    assert [offer.target for offer in found.offers] == ["fine"]
    assert {problem.target: problem.message for problem in found.problems} == {
        "slow": "did not answer within 1 s",
        "closed": "the queue is closed",
        "broken": "RuntimeError: bug",
    }


def test_a_slow_target_is_named_after_a_moment_while_the_offer_of_another_is_used(shop: None) -> None:
    told: list[str] = []
    offer = catalog(target("slow", mood="slow", usd=0.1), target("fine", usd=2.0)).choose(
        [parse("a100")], lambda stage, text: told.append(text)
    )
    assert offer.target == "fine"
    assert told[0] == "slow: no answer yet; not waited for, as there is an offer."


def test_a_slow_target_is_waited_for_while_nobody_else_has_an_offer(shop: None) -> None:
    told: list[str] = []

    def tell(stage: str, text: str) -> None:
        told.append(text)
        if text.startswith("No answer yet"):
            open_gate()

    offer = catalog(target("slow", mood="slow"), target("none", mood="empty")).choose([parse("a100")], tell)
    assert offer.target == "slow"
    assert told[0] == "No answer yet: slow; waiting for it."


def test_what_is_known_is_shown_after_a_moment_and_again_at_each_answer(shop: None) -> None:
    news: list[tuple[list[str], tuple[str, ...]]] = []

    def show(surveys: list[Survey]) -> None:
        news.append(([offer.target for offer in surveys[0].offers], surveys[1].waiting))
        open_gate()

    targets = [target("slow", mood="slow", usd=1.0), target("fine", usd=2.0)]
    surveys = catalog(*targets).surveys([parse("a100"), parse("h100")], show)
    assert news == [(["fine"], ("slow",))]
    assert [offer.target for offer in surveys[0].offers] == ["slow", "fine"]
    assert surveys[1].offers == () and surveys[1].waiting == ()
    assert [name for name, _ in surveys[1].inventories] == ["fine", "slow"]


def test_a_target_that_fails_is_asked_once_for_several_requests(shop: None) -> None:
    surveys = catalog(target("closed", mood="closed")).surveys([parse("a100"), parse("cpu")])
    assert [survey.problems[0].message for survey in surveys] == ["the queue is closed"] * 2


def test_nothing_is_chosen_that_was_not_asked_for(shop: None) -> None:
    with pytest.raises(NoOffer) as none:
        catalog(target("fine"), target("closed", mood="closed")).choose([parse("h100"), parse("l4")])
    assert none.value.message == (
        "No h100 or l4 is free on any target, and nothing was rented. "
        "fine: four a100-80gb, all busy. closed: the queue is closed."
    )
    assert none.value.remedy == "%gpu_provision h100 --or l4 --or cpu"


def test_requests_are_tried_in_the_order_they_were_given(shop: None) -> None:
    told: list[str] = []
    offer = catalog(target("fine")).choose(
        [parse("h100"), parse("a100")], lambda stage, text: told.append(text)
    )
    assert offer.device == "a100-80gb"
    assert told == ["No h100 is to be had; a100-80gb on fine: one."]


def test_asking_leaves_no_thread_that_keeps_the_interpreter_alive(shop: None) -> None:
    before = set(threading.enumerate())
    catalog(target("slow", mood="slow"), limit_s=0.1).survey(parse("a100"))
    left = set(threading.enumerate()) - before
    assert left and all(thread.daemon for thread in left)
