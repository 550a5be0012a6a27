"""What is to be had: all targets are asked at once; nothing but what was asked for is chosen."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional, Sequence, Set, Tuple, Union

from gpu_provisioner.errors import NoOffer, ProvisionError
from gpu_provisioner.model import GpuRequest, Offer
from gpu_provisioner.providers import provider_of
from gpu_provisioner.providers.base import LiveLeases, Provider, Target

ANSWER_LIMIT_S = 20.0


@dataclass(frozen=True)
class Problem:
    """A target that could not be asked, why, and what to do about it."""

    target: str
    message: str
    remedy: Optional[str] = None


@dataclass(frozen=True)
class Survey:
    """What all targets said to one request."""

    offers: Tuple[Offer, ...] = ()
    problems: Tuple[Problem, ...] = ()
    inventories: Tuple[Tuple[str, str], ...] = field(default=())
    """(target, what is there at all) of the targets that offered nothing."""


_Answer = Tuple[str, Union[Problem, Sequence[Offer], str]]
"""A target's name, and its problem, its offers, or (without any) what it has at all."""


class Catalog:
    """Asks targets for offers.

    Args:
        targets: asked all at once, each in a thread of its own.
        live_leases: what the user holds already.
        answer_limit_s: a target that is slower is left out and named among the problems.
    """

    def __init__(
        self, targets: Sequence[Target], live_leases: LiveLeases, answer_limit_s: float = ANSWER_LIMIT_S
    ) -> None:
        self._targets = list(targets)
        self._live_leases = live_leases
        self._answer_limit_s = answer_limit_s
        self._providers: Dict[str, Provider] = {}
        self._hung: Set[str] = set()
        """Targets that did not answer in time; they are not waited for again."""

    def survey(self, request: GpuRequest) -> Survey:
        """Ask every target; the cheapest offer first, then the smallest GPU, then the targets' own order."""
        answers: queue.Queue[_Answer] = queue.Queue()
        asked = [target for target in self._targets if target.name not in self._hung]
        for target in asked:
            # Daemon threads: one that hangs in a dead network must not keep the interpreter from ending.
            threading.Thread(target=self._ask, args=(target, request, answers), daemon=True).start()
        waiting = {target.name for target in asked}
        offers: List[Offer] = []
        problems: List[Problem] = []
        inventories: List[Tuple[str, str]] = []
        deadline = time.monotonic() + self._answer_limit_s
        while waiting:
            try:
                name, said = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            waiting.discard(name)
            if isinstance(said, Problem):
                problems.append(said)
            elif isinstance(said, str):
                inventories.append((name, said))
            else:
                offers.extend(said)
        late = f"did not answer within {self._answer_limit_s:.0f} s"
        self._hung |= waiting
        problems.extend(Problem(name, late) for name in sorted(self._hung))
        order = {target.name: index for index, target in enumerate(self._targets)}
        offers.sort(key=lambda offer: (*_price_rank(offer), _memory(offer), order[offer.target]))
        return Survey(tuple(offers), tuple(problems), tuple(sorted(inventories)))

    def choose(
        self, requests: Sequence[GpuRequest], on_progress: Callable[[str, str], None] = lambda *_: None
    ) -> Offer:
        """The best offer for the first request that has any, in the order the user gave.

        Raises:
            NoOffer: with what was looked for, what is there, and what to type.
        """
        surveys: List[Survey] = []
        for index, request in enumerate(requests):
            survey = self.survey(request)
            surveys.append(survey)
            for problem in survey.problems:
                on_progress("offers", f"{problem.target}: {problem.message}")
            if not survey.offers:
                continue
            offer = survey.offers[0]
            wanted = " or ".join(earlier.text for earlier in requests[:index])
            instead = f"No {wanted} is to be had; " if wanted else ""
            on_progress("offer", f"{instead}{offer.device} on {offer.target}: {offer.detail}.")
            return offer
        raise _no_offer(requests, surveys)

    def _provider(self, target: Target) -> Provider:
        """One for all requests: what it has learnt of the machine need not be asked twice."""
        if target.name not in self._providers:
            self._providers[target.name] = provider_of(target, self._live_leases)
        return self._providers[target.name]

    def _ask(
        self,
        target: Target,
        request: GpuRequest,
        answers: queue.Queue[_Answer],
    ) -> None:
        try:
            provider = self._provider(target)
            answers.put((target.name, provider.offers(request) or provider.inventory()))
        except ProvisionError as error:
            answers.put((target.name, Problem(target.name, error.message, error.remedy)))
        except Exception as error:  # noqa: BLE001 - a provider from elsewhere; its failure is shown, others go on
            answers.put((target.name, Problem(target.name, f"{type(error).__name__}: {error}")))


def _price_rank(offer: Offer) -> Tuple[int, float]:
    """This machine first (it is there anyway), then by price; what has no known price comes last."""
    if offer.provider == "local":
        return 0, offer.usd_per_hour or 0.0
    return (1, offer.usd_per_hour) if offer.usd_per_hour is not None else (2, 0.0)


def _memory(offer: Offer) -> float:
    return min((gpu.memory_gib for gpu in offer.gpus), default=0.0)


def _no_offer(requests: Sequence[GpuRequest], surveys: Sequence[Survey]) -> NoOffer:
    wanted = " or ".join(request.text for request in requests)
    problems = [problem for survey in surveys for problem in survey.problems]
    if problems and len({problem.target for problem in problems}) == 1 and not _heard(surveys):
        said = problems[0].message.rstrip(".")
        return NoOffer(f"{said}. Nothing was rented on {problems[0].target}.", problems[0].remedy)
    lines: List[str] = []
    for survey in surveys:
        lines += [f"{target}: {inventory}" for target, inventory in survey.inventories]
        lines += [f"{problem.target}: {problem.message}" for problem in survey.problems]
    seen = ". ".join(dict.fromkeys(lines))
    message = f"No {wanted} is free on any target, and nothing was rented. {seen}.".replace("..", ".")
    typed = " --or ".join(request.text for request in requests)
    asked_for_cpu = any(request.is_cpu for request in requests)
    return NoOffer(message, None if asked_for_cpu else f"%gpu_provision {typed} --or cpu")


def _heard(surveys: Sequence[Survey]) -> bool:
    """Whether any target answered at all."""
    return any(survey.inventories for survey in surveys)
