"""What can be had now: every target is asked, those that cannot be are named."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gpu_provisioner import gpus
from gpu_provisioner.catalog import Catalog, Problem
from gpu_provisioner.config import LOCAL, load_targets
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Offer
from gpu_provisioner.providers import provider_of
from gpu_provisioner.providers.base import Target

SPECIFICATIONS = ("gpu", "cpu")


@dataclass(frozen=True)
class Survey:
    """What the targets offer, and which could not be asked."""

    offers: tuple[Offer, ...]
    problems: tuple[Problem, ...]


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
