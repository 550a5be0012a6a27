"""What can be had now, told as the targets answer: a slow one keeps nobody from seeing the others' offers.

A question goes to all targets at once, in threads. Whoever asks gets what is known, with a number; with that
number he asks again and is answered when there is more.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gpu_provisioner import gpus
from gpu_provisioner.catalog import ANSWER_LIMIT_S, Catalog, Problem, Survey
from gpu_provisioner.config import Configuration, load_configuration
from gpu_provisioner.errors import OverLimit
from gpu_provisioner.leases import LIVE, LeaseBook
from gpu_provisioner.model import GpuRequest, Lease, Offer
from gpu_provisioner.terms import Terms, spent_since, start_of_day

from .encode import dumps
from .offers import SPECIFICATIONS

FRESH_S = 5.0
"""An answer is given again for so long: asking may mean a login to every target."""
MOMENT_S = 0.4
"""After so long the first answers are shown, and who has not answered is named."""
LONGEST_WAIT_S = ANSWER_LIMIT_S + 5.0
KEPT = 8
"""Questions of which the answers are kept."""


@dataclass
class _Question:
    """One question to all targets: what they have said so far, and how often that has changed."""

    asked: float
    """``time.monotonic()``"""
    at: float = field(default_factory=time.time)
    number: int = 0
    surveys: tuple[Survey, ...] = ()
    failure: BaseException | None = None
    over: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_old(self) -> bool:
        """Whether it should be asked anew: answered long ago, or it failed."""
        return self.over and (self.failure is not None or time.monotonic() - self.asked > FRESH_S)


class OfferDesk:
    """Asks the targets, for several who want to know at once only once."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._questions: dict[str, _Question] = {}
        self._numbers = itertools.count(1)

    async def listing(self, specification: str | None = None, known: int | None = None) -> str:
        """``GET offers``.

        Args:
            specification: as ``%gpu_provision`` takes it; ``None`` for whatever there is.
            known: number of an earlier answer: there is none before more than that is known.

        Raises:
            BadRequest: there is no such GPU.
            ConfigurationError: ``trackside.toml`` is wrong.
        """
        requests = [gpus.parse(text) for text in ([specification] if specification else SPECIFICATIONS)]
        question = self._questions.get(specification or "")
        if question is None or (question.is_old and question.number != known):
            configuration = await asyncio.to_thread(load_configuration)
            question = self._ask(specification or "", requests, configuration)
        while not question.over and question.number <= (known or 0):
            question.news.clear()
            try:
                await asyncio.wait_for(question.news.wait(), LONGEST_WAIT_S)
            except TimeoutError:
                break  # a provider that hangs where nobody can wait for it shorter; what is known is told
        if question.failure is not None:
            raise question.failure
        return await asyncio.to_thread(self._answer, question)

    def _ask(self, key: str, requests: list[GpuRequest], configuration: Configuration) -> _Question:
        question = self._questions[key] = _Question(time.monotonic())
        while len(self._questions) > KEPT:
            del self._questions[next(iter(self._questions))]
        loop = asyncio.get_running_loop()
        catalog = Catalog(configuration.targets, LeaseBook(self._data_dir).live, moment_s=MOMENT_S)

        def tell(surveys: list[Survey], over: bool = False, failure: BaseException | None = None) -> None:
            def take() -> None:
                question.number = next(self._numbers)
                question.surveys, question.over, question.failure = tuple(surveys), over, failure
                question.news.set()

            if not loop.is_closed():
                loop.call_soon_threadsafe(take)

        def survey() -> None:
            try:
                tell(catalog.surveys(requests, tell, whole=True), over=True)
            except BaseException as error:  # noqa: BLE001  raised where it was asked for
                tell([], over=True, failure=error)

        # A daemon: a target that hangs must not keep the server from ending.
        threading.Thread(target=survey, daemon=True, name="trackside-offers").start()
        return question

    def _answer(self, question: _Question) -> str:
        said = described(question.surveys, load_configuration(), LeaseBook(self._data_dir).all())
        return dumps({**said, "number": question.number, "over": question.over, "asked": question.at})


def described(
    surveys: tuple[Survey, ...], configuration: Configuration, leases: list[Lease]
) -> dict[str, Any]:
    """What the targets have said, with what the user's terms say about it."""
    terms, now = Terms.of(configuration.limits), time.time()
    options = {target.name: target.options for target in configuration.targets}

    def offered(offer: Offer) -> dict[str, Any]:
        idle_s = terms.idle_of(offer, options.get(offer.target, {}))
        return {**offer.to_json(), "idle_s": idle_s, "refused": _refusal(terms, offer, leases, now)}

    problems = {problem.target: problem for survey in surveys for problem in survey.problems}
    inventories = {target: text for survey in surveys for target, text in survey.inventories}
    live = [lease for lease in leases if lease.state in LIVE]
    return {
        "offers": [offered(offer) for survey in surveys for offer in survey.offers],
        "problems": [_problem(problem) for problem in problems.values()],
        "inventories": [{"target": target, "text": text} for target, text in inventories.items()],
        "waiting": sorted({target for survey in surveys for target in survey.waiting}),
        "limits": {
            "max_usd_per_hour": terms.max_usd_per_hour,
            "max_usd_per_day": terms.max_usd_per_day,
            "running_usd_per_hour": sum(lease.usd_per_hour or 0.0 for lease in live),
            "spent_today_usd": spent_since(leases, start_of_day(now), now),
        },
    }


def _refusal(terms: Terms, offer: Offer, leases: list[Lease], now: float) -> str | None:
    """Why the user's own limits forbid it, ``None`` when they do not."""
    try:
        terms.check(offer, leases, now)
    except OverLimit as refused:
        return refused.message
    return None


def _problem(problem: Problem) -> dict[str, Any]:
    return {"target": problem.target, "message": problem.message, "remedy": problem.remedy}
