"""``--idle``, ``--max-usd-per-hour`` and ``--max-usd-per-day`` of ``%gpu_provision``."""

from __future__ import annotations

from typing import Optional

from gpu_provisioner.config import load_configuration
from gpu_provisioner.model import Lease
from gpu_provisioner.terms import Terms, duration_s
from gpu_provisioner.typed import release
from kernel_magics.errors import UsageMistake


def terms_of(idle: Optional[str], usd_per_hour: Optional[float], usd_per_day: Optional[float]) -> Terms:
    """What ``[limits]`` say, and the options instead of them.

    Raises:
        BadRequest, UsageMistake: an option that cannot be meant; nothing was rented.
        ConfigurationError: ``trackside.toml`` is wrong.
    """
    for option, value in (("--max-usd-per-hour", usd_per_hour), ("--max-usd-per-day", usd_per_day)):
        if value is not None and not value >= 0:
            raise UsageMistake(f"{option} cannot be {value}. Nothing was rented.", f"{option} 10")
    return Terms.of(load_configuration().limits).but(
        max_usd_per_hour=usd_per_hour,
        max_usd_per_day=usd_per_day,
        asked_idle_s=duration_s(idle) if idle is not None else None,
    )


def must_have_terms(lease: Lease, wanted: Terms) -> None:
    """Raises ``UsageMistake`` when a lease that would be taken again was rented with another ``--idle``."""
    has = float(lease.handle.get("agent", {}).get("idle_s") or 0.0)
    if wanted.asked_idle_s is not None and wanted.asked_idle_s != has:
        now = f"is released after {has:.0f} s without need" if has else "is not released when nobody needs it"
        raise UsageMistake(
            f"{lease.name!r} is yours already, and {now}; that does not change while it runs. "
            "Nothing was rented.",
            f"{release(lease)}; then the same again, or with --new for a second one",
        )


def idle_sentence(lease: Lease) -> str:
    """When it gives itself back; nothing if it never does."""
    idle_s = float(lease.handle.get("agent", {}).get("idle_s") or 0.0)
    return f" Released when nothing has run for {idle_s / 60:.0f} min (--idle)." if idle_s else ""
