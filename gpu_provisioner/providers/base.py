"""What a provider is: it finds, starts, reaches and stops machines. Nothing else.

Everything behind "here is a command whose stdin and stdout reach the machine" is shared by all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, List, Mapping, Optional, Protocol, Sequence, runtime_checkable

from gpu_provisioner.errors import ProvisionError
from gpu_provisioner.model import GpuRequest, Lease, LeaseState, Offer

TERMS: Mapping[str, type] = {"usd_per_gpu_hour": float, "price_list": str, "idle_s": float}
"""Keys that a target of any provider may have: what an hour costs (:mod:`gpu_provisioner.prices`), and after
how many seconds without need it is given back (:mod:`gpu_provisioner.terms`).
"""


@dataclass(frozen=True)
class Target:
    """One place machines come from: a ``[targets.NAME]`` table of ``trackside.toml``.

    Attributes:
        options: the table's other keys, already checked against the provider's :attr:`Provider.OPTIONS`.
    """

    name: str
    provider: str
    options: Mapping[str, Any] = field(default_factory=dict)


LiveLeases = Callable[[], Iterable[Lease]]


class Provider(Protocol):
    """One kind of place. An instance serves one target.

    A provider class is found by the entry point group ``trackside.providers`` and called with the target and
    a function that lists the user's live leases (what they hold is not free, even if it looks idle).

    What an error means for the bill: when :meth:`submit` raises, nothing was rented or it has been given
    back; when :meth:`release` raises, the machine may still cost money, and the message says so.
    """

    OPTIONS: Mapping[str, type]
    """Keys a target of this provider may have besides ``provider``, and their types."""

    ASK_PAUSE_S: float
    """Least pause between two calls of :meth:`status` that nobody asked for, in seconds: it may mean a login
    each time."""

    def __init__(self, target: Target, live_leases: LiveLeases) -> None: ...

    def offers(self, request: GpuRequest) -> List[Offer]:
        """What can be had now for ``request``; empty when nothing fits.

        May be slow; called in a thread of its own, for all targets at once.

        Raises:
            ProviderError: the target could not be asked.
        """

    def inventory(self) -> str:
        """What is there at all, a clause for a message ("2 × a100-80gb, both busy"; "no GPU here")."""

    def submit(self, offer: Offer, lease: Lease) -> Lease:
        """Get the machine. The lease's file exists already, in state ``planned``, and its id is the tag by
        which :meth:`find` finds the machine should this process die now. ``offer.options["cwd"]``: the folder
        that the notebook works in.

        Returns:
            the lease with its ``handle``: everything the other methods need, together with ``python`` (the
            interpreter over there), ``env`` (set before anything runs) and ``agent`` (settings of the agent).
        """

    def status(self, lease: Lease) -> LeaseState:
        """Whether the lease still holds something: ``READY``, ``LOST``, ``STARTING`` while it waits."""

    def carrier_argv(self, lease: Lease, command: Sequence[str]) -> List[str]:
        """A command to run *here* that runs ``command`` there, with stdin and stdout joined, 8 bits clean."""

    def explain(self, complaint: str, status: Optional[int]) -> Optional[ProvisionError]:
        """Why a carrier ended before any word of ours came back over it.

        Args:
            complaint: the end of what it wrote to stderr.
            status: its exit status; ``None`` when it did not end.

        Returns:
            ``Unreachable`` when surely nothing happened there; ``None`` for no idea.
        """

    def release(self, lease: Lease) -> None:
        """Give the machine back. May be repeated; a machine nobody knows any more counts as given back."""

    def living(self) -> List[Lease]:
        """All machines of this user that carry a tag of ours, also those that no lease file here knows.

        ``handle`` is as :meth:`submit` would make it, with ``owner``: what the machine says of who began it.
        """

    def find(self, tag: str) -> List[Lease]:
        """Of these the ones with this tag (a lease's id)."""


Ask = Callable[[str, str], str]
"""``ask(question, said)``: shows what the machine said meanwhile, then the question; returns what was typed,
unseen. Raises :class:`NobodyToAsk` where nobody can answer."""


class NobodyToAsk(Exception):
    """There is nobody who could type an answer: no notebook's front-end, no terminal."""


@runtime_checkable
class LogsIn(Protocol):
    """What a provider has besides, when the way to its machine may ask a person something.

    Every other method of it works without a question or raises ``LoginNeeded``.
    """

    def needs_login(self) -> bool:
        """Whether it is known that without a person's login there is no way in now. Asks no machine."""

    def log_in(self, ask: Ask) -> None:
        """See to it that there is a way in without a question from now on. May be repeated.

        Args:
            ask: called in this thread, as often as the machine has a question.

        Raises:
            Unreachable: it did not work, was cancelled, or nobody is there to answer.
        """
