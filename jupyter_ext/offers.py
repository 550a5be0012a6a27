"""What can be had now: every target is asked, those that cannot be are named."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from gpu_provisioner import gpus
from gpu_provisioner.catalog import Catalog, Problem
from gpu_provisioner.config import LOCAL, load_targets
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Offer
from gpu_provisioner.providers import provider_of
from gpu_provisioner.providers.base import Target

from .encode import array, record

FRESH_S = 5.0
"""An answer is given again for so long: asking may mean a login to every target."""
SPECIFICATIONS = ("gpu", "cpu")


@dataclass(frozen=True)
class Survey:
    """What the targets offer, and which could not be asked."""

    offers: tuple[Offer, ...]
    problems: tuple[Problem, ...]

    def to_json(self) -> str:
        """``GET offers``."""
        problems = ({"target": one.target, "message": one.message} for one in self.problems)
        return record(offers=array(offer.to_json() for offer in self.offers), problems=array(problems))


def targets() -> list[Target]:
    """Where machines come from: this one, and those of ``trackside.toml``.

    Raises:
        ConfigurationError: the file is wrong.
    """
    return load_targets()


def inventory(data_dir: Path) -> str:
    """What this machine has: its GPUs, or why there is none."""
    return provider_of(LOCAL, LeaseBook(data_dir).live).inventory()


def look_round(data_dir: Path) -> list[tuple[str, str, bool]]:
    """Of each target its name, what it has or why it cannot be asked, and whether it could; all at once.

    Raises:
        ConfigurationError: ``trackside.toml`` is wrong.
    """
    named = targets()
    survey = Catalog(named, LeaseBook(data_dir).live).survey(gpus.parse("gpu"))
    found = {problem.target: (_with_remedy(problem), False) for problem in survey.problems}
    found.update((name, (text, True)) for name, text in survey.inventories)
    for offer in survey.offers:
        earlier = found.get(offer.target, ("", True))[0]
        found[offer.target] = (f"{earlier}; {offer.detail}" if earlier else offer.detail, True)
    return [(target.name, *found[target.name]) for target in named]


def survey(data_dir: Path) -> Survey:
    """Asks all targets of the configuration; may take as long as the slowest of them.

    Raises:
        ConfigurationError: ``trackside.toml`` is wrong.
    """
    catalog = Catalog(targets(), LeaseBook(data_dir).live)
    said = catalog.surveys([gpus.parse(text) for text in SPECIFICATIONS])
    problems = {problem.target: problem for one in reversed(said) for problem in one.problems}
    return Survey(tuple(offer for one in said for offer in one.offers), tuple(problems.values()))


def _with_remedy(problem: Problem) -> str:
    return f"{problem.message} Try: {problem.remedy}" if problem.remedy else problem.message


class OfferDesk:
    """Asks in a thread, for several who want to know at once only once."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._answer: asyncio.Task[str] | None = None
        self._asked = 0.0

    async def listing(self) -> str:
        """``GET offers``, at most :data:`FRESH_S` old."""
        if self._answer is None or time.monotonic() - self._asked > FRESH_S or _failed(self._answer):
            self._asked = time.monotonic()
            self._answer = asyncio.get_running_loop().create_task(self._ask())
        return await asyncio.shield(self._answer)

    async def _ask(self) -> str:
        return await asyncio.to_thread(lambda: survey(self._data_dir).to_json())


def _failed(answer: asyncio.Task[str]) -> bool:
    return answer.done() and (answer.cancelled() or answer.exception() is not None)
