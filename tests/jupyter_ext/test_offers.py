"""What can be had, told as the targets answer: the slow, the silent, the forbidden and the priced."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from tests.installed import install_provider

Ask = Callable[..., Awaitable[Any]]

SHOP = """
from gpu_provisioner.model import Gpu, Offer

class Shop:
    OPTIONS = {}
    ASK_PAUSE_S = 0.0
    def __init__(self, target, live_leases): self.name = target.name
    def offers(self, request):
        if request.is_cpu: return []
        gpu = Gpu(0, "NVIDIA A100-SXM4-80GB", "GPU-" + self.name, 80.0, "a100-80gb")
        return [Offer("shop", self.name, "a100-80gb", (gpu,), 2.7, "2026-11-01", "one, free")]
    def inventory(self): return "GPU 0 a100-80gb 80 GiB, free; GPU 1 a100-80gb 80 GiB, busy (train.py)"
    def status(self, lease): return lease.state
"""


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes the user's ``trackside.toml``."""
    path = tmp_path / "trackside.toml"
    monkeypatch.setenv("TRACKSIDE_CONFIG", str(path))
    return lambda text: path.write_text(text) and None


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution with a provider of its own, installed as pip would leave it."""
    known = {"shop": "trackside_priced:Shop"}
    install_provider(tmp_path, monkeypatch, "trackside_priced", SHOP, known)
    yield
    sys.modules.pop("trackside_priced", None)


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A machine that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield listener


def ssh_target(name: str, port: int) -> str:
    arguments = json.dumps(["-p", str(port), "-F", "none"])
    return f'[targets.{name}]\nprovider = "ssh"\nhost = "127.0.0.1"\nssh_args = {arguments}\n'


async def all_of(ask: Ask, **params: str) -> dict[str, Any]:
    """The last answer to one question."""
    answer: dict[str, Any] = await ask("offers", params=params)
    while not answer["over"]:
        known = {**params, "known": str(answer["number"])}
        answer = await ask("offers", params=known, request_timeout=60)
    return answer


async def test_this_machine_says_what_it_has_and_why_it_has_no_gpu(ask: Ask) -> None:
    answer = await all_of(ask)
    cpu = next(offer for offer in answer["offers"] if offer["device"] == "cpu")
    assert (cpu["usd_per_hour"], cpu["refused"]) == (None, None)
    (stock,) = answer["inventories"]
    assert stock["target"] == "local" and "GPU" in stock["text"]
    assert (answer["problems"], answer["waiting"]) == ([], [])


async def test_a_silent_target_is_named_while_others_offer_and_later_tells_what_to_type(
    ask: Ask, configure: Callable[[str], None], silent: socket.socket
) -> None:
    configure(ssh_target("box", silent.getsockname()[1]))
    first = await ask("offers")
    while "cpu" not in [offer["device"] for offer in first["offers"]]:
        first = await ask("offers", params={"known": str(first["number"])})
    assert (first["waiting"], first["over"], first["problems"]) == (["box"], False, [])
    silent.close()
    last = await all_of(ask, known=str(first["number"]))
    (problem,) = last["problems"]
    assert problem["target"] == "box" and problem["message"]
    assert last["waiting"] == [] and last["number"] > first["number"]


async def test_a_machine_that_refuses_the_connection_is_a_problem_with_a_remedy(
    ask: Ask, configure: Callable[[str], None], silent: socket.socket
) -> None:
    port = silent.getsockname()[1]
    silent.close()
    configure(ssh_target("box", port))
    (problem,) = (await all_of(ask))["problems"]
    assert "127.0.0.1" in problem["message"] and problem["remedy"]


async def test_an_offer_tells_its_dated_price_and_what_is_busy(
    ask: Ask, configure: Callable[[str], None], shop: None
) -> None:
    configure('[targets.cloud]\nprovider = "shop"\n')
    answer = await all_of(ask)
    offer = next(one for one in answer["offers"] if one["target"] == "cloud")
    assert (offer["usd_per_hour"], offer["price_as_of"], offer["idle_s"]) == (2.7, "2026-11-01", 1800.0)
    stock = {each["target"]: each["text"] for each in answer["inventories"]}
    assert "GPU 1 a100-80gb 80 GiB, busy (train.py)" in stock["cloud"]
    assert answer["limits"]["max_usd_per_hour"] is None


async def test_the_users_limits_and_what_counts_against_them_are_told(
    ask: Ask, configure: Callable[[str], None], shop: None, data_dir: Path
) -> None:
    configure('[targets.cloud]\nprovider = "shop"\n[limits]\nmax_usd_per_hour = 4.0\nmax_usd_per_day = 90\n')
    facts = {"provider": "shop", "target": "cloud", "spec": "a100", "state": LeaseState.STARTING}
    price = {"usd_per_hour": 2.7, "handle": {"python": "python3"}}
    LeaseBook(data_dir).save(Lease(id="a100-1", name="mine", created=time.time() - 60, **facts, **price))
    answer = await all_of(ask)
    limits = answer["limits"]
    assert (limits["max_usd_per_hour"], limits["max_usd_per_day"]) == (4.0, 90)
    assert limits["running_usd_per_hour"] == 2.7
    assert 0 <= limits["spent_today_usd"] < 1
    offer = next(one for one in answer["offers"] if one["target"] == "cloud")
    assert "your limit is $4.00/h" in offer["refused"]


async def test_only_what_was_asked_for_is_offered(
    ask: Ask, configure: Callable[[str], None], shop: None
) -> None:
    configure('[targets.cloud]\nprovider = "shop"\n')
    answer = await all_of(ask, spec="cpu")
    assert {offer["device"] for offer in answer["offers"]} == {"cpu"}


async def test_a_gpu_that_is_unknown_and_a_wrong_number_are_mistakes_in_a_sentence(ask: Ask) -> None:
    refusal = await ask("offers", params={"spec": "a1000"}, status=400)
    assert "did you mean a100" in refusal["message"] and "a100" in refusal["remedy"]
    assert "no number" in (await ask("offers", params={"known": "x"}, status=400))["message"]


async def test_a_wrong_configuration_is_told_and_mended_without_a_restart(
    ask: Ask, configure: Callable[[str], None]
) -> None:
    configure("[limits]\nmax_usd_per_hour = -1\n")
    assert "trackside.toml" in (await ask("offers", status=500))["message"]
    configure("")
    assert (await all_of(ask))["problems"] == []
