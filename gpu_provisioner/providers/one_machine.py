"""What one machine with its GPUs offers: shared by the providers that are one machine."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from gpu_provisioner.gpus import canonical_name, matches
from gpu_provisioner.model import Gpu, GpuRequest, Lease, Offer
from gpu_provisioner.prices import price_of
from gpu_provisioner.providers.base import Target


@dataclass(frozen=True)
class Machine:
    """A machine's GPUs, and why there are none or fewer than there should be (or ``""``)."""

    gpus: Tuple[Gpu, ...]
    problem: str
    cores: int

    @classmethod
    def described(cls, facts: Mapping[str, Any], leases: Iterable[Lease]) -> Machine:
        """From what :func:`gpu_provisioner.agent.devices.describe_gpus` said there, and ``cores``.

        Args:
            leases: live ones; what they hold is not free, even if it looks idle.
        """
        leased = {gpu.uuid: lease.name for lease in leases for gpu in lease.gpus}
        gpus = tuple(_gpu(each, leased.get(each["uuid"])) for each in facts["gpus"])
        return cls(gpus, str(facts["gpu_problem"]), int(facts.get("cores") or 1))

    def offers(self, target: Target, request: GpuRequest) -> List[Offer]:
        """One offer for each model that has enough free GPUs; of these the ones with the lowest index."""
        if request.is_cpu:
            return [_offer(target, "cpu", (), f"{self.cores} processor cores")]
        free: Dict[str, List[Gpu]] = defaultdict(list)
        for gpu in self.gpus:
            if not gpu.busy and matches(request, gpu):
                free[gpu.model].append(gpu)
        return [
            _offer(target, model, tuple(gpus[: request.count]), _describe(gpus[: request.count]))
            for model, gpus in sorted(free.items(), key=lambda item: (item[1][0].memory_gib, item[0]))
            if len(gpus) >= request.count
        ]

    def inventory(self, here: str) -> str:
        """Its GPUs and who uses them, or why there is none; ``here``: "here" or "there"."""
        if not self.gpus:
            return f"no GPU {here}: {self.problem}" if self.problem else f"no GPU {here}"
        return "; ".join(
            f"GPU {gpu.index} {gpu.model} {gpu.memory_gib:.0f} GiB, "
            + (f"busy ({gpu.busy_reason})" if gpu.busy else "free")
            for gpu in self.gpus
        )


def _gpu(facts: Mapping[str, Any], holder: Optional[str]) -> Gpu:
    return Gpu(
        index=facts["index"],
        name=facts["name"],
        uuid=facts["uuid"],
        memory_gib=facts["memory_gib"],
        model=canonical_name(facts["name"], facts["memory_gib"]),
        busy=facts["busy"] or holder is not None,
        busy_reason=f"leased by you as {holder!r}" if holder else facts["busy_reason"],
    )


def _describe(gpus: List[Gpu]) -> str:
    count = f"{len(gpus)} × " if len(gpus) > 1 else ""
    return f"{count}{gpus[0].name}, {gpus[0].memory_gib:.0f} GiB, free"


def _offer(target: Target, device: str, gpus: Tuple[Gpu, ...], detail: str) -> Offer:
    price = price_of(device, target.options)
    return Offer(
        provider=target.provider,
        target=target.name,
        device=device,
        gpus=gpus,
        usd_per_hour=price.usd_per_gpu_hour * len(gpus) if price else None,
        price_as_of=price.as_of if price else None,
        detail=detail,
    )
