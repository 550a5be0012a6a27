"""What is to be had: all targets are asked at once; nothing but what was asked for is chosen."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field, replace
from typing import Callable, Dict, List, Optional, Sequence, Set, Tuple, Union

from gpu_provisioner.errors import NoOffer, ProvisionError
from gpu_provisioner.model import GpuRequest, Offer
from gpu_provisioner.providers import provider_of
from gpu_provisioner.providers.base import LiveLeases, Provider, Target
from gpu_provisioner.typed import Typed

ANSWER_LIMIT_S = 20.0
MOMENT_S = 3.0
"""After so long others' offers are used, and whoever has not answered is shown as slow."""


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
    """(target, what is there at all) of the targets that offered nothing; of all, if that was asked for."""
    waiting: Tuple[str, ...] = ()
    """Targets that have not answered yet."""


_Said = Union[Problem, Tuple[Sequence[Offer], str]]
"""A target's problem, or its offers and what it has at all ("" where that was not asked)."""

_Answer = Tuple[str, Sequence[_Said]]
"""A target's name, and what it said to each request."""


class Catalog:
    """Asks targets for offers.

    Args:
        targets: asked all at once, each in a thread of its own.
        live_leases: what the user holds already.
        answer_limit_s: a target that is slower is left out and named among the problems.
        moment_s: see :data:`MOMENT_S`.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        live_leases: LiveLeases,
        answer_limit_s: float = ANSWER_LIMIT_S,
        moment_s: float = MOMENT_S,
    ) -> None:
        self._targets = list(targets)
        self._live_leases = live_leases
        self._answer_limit_s, self._moment_s = answer_limit_s, moment_s
        self._providers: Dict[str, Provider] = {}
        self._hung: Set[str] = set()
        """Targets that did not answer in time; they are not waited for again."""

    def survey(self, request: GpuRequest) -> Survey:
        """Ask every target; the cheapest offer first, then the smallest GPU, then the targets' own order."""
        return self.surveys([request])[0]

    def surveys(
        self,
        requests: Sequence[GpuRequest],
        on_news: Callable[[List[Survey]], None] = lambda _: None,
        whole: bool = False,
    ) -> List[Survey]:
        """Ask every target for each of the requests.

        Args:
            whole: also of targets with an offer what they have at all: what is busy, and by whom.
            on_news: called in this thread with what is known so far: when a moment has passed and some have
                not answered, and then at each answer.
        """
        asking = self._begin(requests, whole)
        asking.wait(self._moment_s, lambda: not asking.waiting)
        seen = len(asking.waiting) + 1
        while asking.waiting and len(asking.waiting) < seen:
            seen = len(asking.waiting)
            on_news(asking.surveys())
            asking.wait(self._answer_limit_s, lambda: len(asking.waiting) < seen)  # noqa: B023 - called at once
        return self._ended(asking)

    def choose(
        self,
        requests: Sequence[GpuRequest],
        on_progress: Callable[[str, str], None] = lambda *_: None,
        asked_for: Optional[Typed] = None,
    ) -> Offer:
        """The best offer for the first request that has any, in the order the user gave.

        A target that is slow is waited for only while no other has an offer for that request.

        Args:
            asked_for: what was typed; default: the requests alone.

        Raises:
            NoOffer: with what was looked for, what is there, and what to type.
        """
        surveys: List[Survey] = []
        for index, request in enumerate(requests):
            survey = self._first_offers(request, on_progress)
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
        raise _no_offer(requests, surveys, asked_for or Typed(tuple(each.text for each in requests)))

    def _first_offers(self, request: GpuRequest, on_progress: Callable[[str, str], None]) -> Survey:
        asking = self._begin([request])
        asking.wait(self._moment_s, lambda: not asking.waiting)
        if asking.waiting and not asking.surveys()[0].offers:
            on_progress("offers", f"No answer yet: {', '.join(sorted(asking.waiting))}; waiting for it.")
            asking.wait(self._answer_limit_s, lambda: not asking.waiting or bool(asking.surveys()[0].offers))
        if not asking.surveys()[0].offers:
            return self._ended(asking)[0]
        for name in sorted(asking.waiting):
            on_progress("offers", f"{name}: no answer yet; not waited for, as there is an offer.")
        return self._ended(asking, hung=False)[0]

    def _begin(self, requests: Sequence[GpuRequest], whole: bool = False) -> _Asking:
        asked = [target for target in self._targets if target.name not in self._hung]
        asking = _Asking(requests, [target.name for target in self._targets], {each.name for each in asked})
        for target in asked:
            # Daemon threads: one that hangs in a dead network must not keep the interpreter from ending.
            arguments = (target, requests, asking, whole)
            threading.Thread(target=self._ask, args=arguments, daemon=True).start()
        return asking

    def _ended(self, asking: _Asking, hung: bool = True) -> List[Survey]:
        """What was said; who has not answered by now is named and, if it ``hung``, not asked again."""
        if hung:
            self._hung |= asking.waiting
            asking.waiting.clear()
        late = f"did not answer within {self._answer_limit_s:.0f} s"
        problems = tuple(Problem(name, late) for name in sorted(self._hung))
        return [replace(survey, problems=survey.problems + problems) for survey in asking.surveys()]

    def _provider(self, target: Target) -> Provider:
        """One for all requests: what it has learnt of the machine need not be asked twice."""
        if target.name not in self._providers:
            self._providers[target.name] = provider_of(target, self._live_leases)
        return self._providers[target.name]

    def _ask(self, target: Target, requests: Sequence[GpuRequest], asking: _Asking, whole: bool) -> None:
        said: List[_Said] = []
        try:
            provider = self._provider(target)
            for request in requests:
                offers = provider.offers(request)
                said.append((offers, provider.inventory() if whole or not offers else ""))
        except ProvisionError as error:
            problem = Problem(target.name, error.message, error.remedy)
            said += [problem] * (len(requests) - len(said))
        except Exception as error:  # noqa: BLE001 - a provider from elsewhere; its failure is shown, others go on
            problem = Problem(target.name, f"{type(error).__name__}: {error}")
            said += [problem] * (len(requests) - len(said))
        asking.answers.put((target.name, said))


class _Asking:
    """One question to all targets, and the answers as they come.

    Args:
        order: names of all targets; the last word on which of two equal offers comes first.
        waiting: those that were asked.
    """

    def __init__(self, requests: Sequence[GpuRequest], order: Sequence[str], waiting: Set[str]) -> None:
        self.answers: queue.Queue[_Answer] = queue.Queue()
        self.waiting = waiting
        self._requests = requests
        self._order = {name: index for index, name in enumerate(order)}
        self._said: Dict[str, Sequence[_Said]] = {}
        self._began = time.monotonic()

    def wait(self, until_s: float, enough: Callable[[], bool]) -> None:
        """Take answers in until ``enough()``, or until so many seconds have passed since it was asked."""
        deadline = self._began + until_s
        while not enough():
            try:
                name, said = self.answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            self.waiting.discard(name)
            self._said[name] = said

    def surveys(self) -> List[Survey]:
        """What is known so far, for each request."""
        return [self._survey(index) for index in range(len(self._requests))]

    def _survey(self, index: int) -> Survey:
        offers: List[Offer] = []
        problems: List[Problem] = []
        inventories: List[Tuple[str, str]] = []
        for name, answers in self._said.items():
            said = answers[index]
            if isinstance(said, Problem):
                problems.append(said)
                continue
            offers.extend(said[0])
            if said[1]:
                inventories.append((name, said[1]))
        offers.sort(key=lambda offer: (*_price_rank(offer), _memory(offer), self._order[offer.target]))
        waiting = tuple(sorted(self.waiting))
        return Survey(tuple(offers), tuple(problems), tuple(sorted(inventories)), waiting)


def _price_rank(offer: Offer) -> Tuple[int, float]:
    """This machine first (it is there anyway), then by price; what has no known price comes last."""
    if offer.provider == "local":
        return 0, offer.usd_per_hour or 0.0
    return (1, offer.usd_per_hour) if offer.usd_per_hour is not None else (2, 0.0)


def _memory(offer: Offer) -> float:
    return min((gpu.memory_gib for gpu in offer.gpus), default=0.0)


def _no_offer(requests: Sequence[GpuRequest], surveys: Sequence[Survey], asked_for: Typed) -> NoOffer:
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
    asked_for_cpu = any(request.is_cpu for request in requests)
    if asked_for_cpu:
        return NoOffer(message, None)
    asked = {target for survey in surveys for target, _ in survey.inventories} | {
        one.target for one in problems
    }
    elsewhere = ", or --on HOST, a machine that ssh reaches" if asked == {"local"} else ""
    return NoOffer(message, f"{asked_for.or_else('cpu')}{elsewhere}")


def _heard(surveys: Sequence[Survey]) -> bool:
    """Whether any target answered at all."""
    return any(survey.inventories for survey in surveys)
