"""The user's terms: how much may be spent, and after how long without need a machine is given back.

Costs are price × time, and only as good as the price: they are shown with "≈" and the price's date. What is
not known is not counted, and nobody pretends that it is.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence

from gpu_provisioner.errors import BadRequest, OverLimit
from gpu_provisioner.leases import LIVE
from gpu_provisioner.model import Lease, Offer
from gpu_provisioner.typed import Typed, release

PAID_IDLE_S = 1800.0
"""Where an hour costs something and nobody said otherwise."""

_UNITS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Terms:
    """What the user allows. ``None`` is no limit; ``idle_s`` 0 is never, ``None`` the default.

    Attributes:
        max_usd_per_hour: of everything that runs at a time, in US dollars.
        max_usd_per_day: of a calendar day of this machine, in US dollars.
        idle_s: so long without need and it is given back; a target's own ``idle_s`` comes before it,
            and ``asked_idle_s``, an option of the magic, before both.
    """

    max_usd_per_hour: Optional[float] = None
    max_usd_per_day: Optional[float] = None
    idle_s: Optional[float] = None
    asked_idle_s: Optional[float] = None

    @classmethod
    def of(cls, limits: Mapping[str, float]) -> Terms:
        """Those of ``[limits]`` in ``trackside.toml``."""
        return cls(**{key: float(limits[key]) for key in cls.__dataclass_fields__ if key in limits})

    def but(self, **given: Optional[float]) -> Terms:
        """These, with what a magic's options say instead."""
        return replace(self, **{key: value for key, value in given.items() if value is not None})

    def idle_of(self, offer: Offer, options: Mapping[str, Any]) -> float:
        """After how many seconds without need the machine is given back; 0 for never.

        Args:
            options: of the target.
        """
        for said in (self.asked_idle_s, options.get("idle_s"), self.idle_s):
            if said is not None:
                return float(said)
        return PAID_IDLE_S if offer.usd_per_hour else 0.0

    def check(
        self, offer: Offer, leases: Sequence[Lease], now: float, asked_for: Optional[Typed] = None
    ) -> None:
        """Refuse what would cost more than is allowed.

        Args:
            leases: all of the user's, those that are over as well.
            now: seconds since the epoch.
            asked_for: what was typed; default: the offer's device.

        Raises:
            OverLimit: with the figures. Nothing was rented.
        """
        price = offer.usd_per_hour
        if not price:
            return
        live = [lease for lease in leases if lease.state in LIVE and lease.usd_per_hour]
        hourly = sum(lease.usd_per_hour or 0.0 for lease in live)
        wanted = asked_for or Typed((offer.device,))
        asked = f"{offer.device} on {offer.target} costs ≈ ${price:.2f}/h"
        if self.max_usd_per_hour is not None and hourly + price > self.max_usd_per_hour:
            running = f" With what runs already ({_named(live)}) that" if live else " That"
            raise OverLimit(
                f"{asked}.{running} would be ≈ ${hourly + price:.2f}/h, and your limit is "
                f"${self.max_usd_per_hour:.2f}/h. Nothing was rented.",
                _remedy(live, wanted, "--max-usd-per-hour", hourly + price),
            )
        spent = spent_since(leases, start_of_day(now), now)
        first_hour = spent + hourly + price
        if self.max_usd_per_day is not None and first_hour > self.max_usd_per_day:
            raise OverLimit(
                f"{asked}. ≈ ${spent:.2f} were spent today; with another hour of all that runs that would "
                f"be ≈ ${first_hour:.2f}, and your limit is ${self.max_usd_per_day:.2f} a day. "
                "Nothing was rented.",
                _remedy(live, wanted, "--max-usd-per-day", first_hour),
            )


NO_LIMITS = Terms()


def duration_s(text: str) -> float:
    """Seconds of ``30m``, ``1.5h``, ``45s``, ``1800`` or ``off`` (0).

    Raises:
        BadRequest: it is none of these.
    """
    if text in ("off", "never", "0"):
        return 0.0
    number = text.rstrip("hmins")
    unit = text[len(number) :] or "s"
    try:
        seconds = float(number) * _UNITS[unit]
    except (ValueError, KeyError):
        seconds = math.nan
    if not 0 < seconds < math.inf:
        told = f"{text!r} is no length of time. Nothing was rented."
        raise BadRequest(told, "--idle 30m, 1.5h, 90s or off")
    return seconds


def spent_since(leases: Iterable[Lease], start: float, now: float) -> float:
    """US dollars that the leases have cost from ``start`` to ``now``, as far as their prices are known."""
    total = 0.0
    for lease in leases:
        end = now if lease.state in LIVE else (lease.released or lease.created)
        hours = max(0.0, min(end, now) - max(lease.created, start)) / 3600
        total += hours * (lease.usd_per_hour or 0.0)
    return total


def start_of_day(now: float) -> float:
    """Midnight before ``now``, by this machine's clock."""
    day = time.localtime(now)
    return time.mktime((day.tm_year, day.tm_mon, day.tm_mday, 0, 0, 0, 0, 0, -1))


def price_for_runs(lease: Lease) -> Dict[str, Any]:
    """What the runs on a lease write down: ``{usd_per_hour, as_of, source}``; the first is ``None`` where no
    price is known, and then with ``provider``, which tells a machine of one's own from one that was rented.
    Nothing for this machine itself, unless its target names a price.
    """
    if lease.provider == "local" and lease.usd_per_hour is None:
        return {}
    source = str(lease.handle.get("price_source") or "")
    if lease.usd_per_hour is None:
        return {"usd_per_hour": None, "provider": lease.provider}
    facts = {"usd_per_hour": lease.usd_per_hour, "as_of": lease.price_as_of, "source": source}
    return {key: value for key, value in facts.items() if key == "usd_per_hour" or value}


def source_of(options: Mapping[str, Any]) -> str:
    """Where a target's price comes from, for people."""
    if options.get("usd_per_gpu_hour") is not None:
        return "usd_per_gpu_hour of trackside.toml"
    return f"price list {options['price_list']}" if options.get("price_list") else ""


def _named(leases: Sequence[Lease]) -> str:
    return ", ".join(f"{lease.name} ≈ ${lease.usd_per_hour or 0.0:.2f}/h" for lease in leases)


def _remedy(live: List[Lease], asked_for: Typed, option: str, needed: float) -> str:
    instead = f"{release(live[0])}; or, to allow it this once: " if live else ""
    return f"{instead}{asked_for.given(option, f'{math.ceil(needed * 100) / 100:g}')}"
