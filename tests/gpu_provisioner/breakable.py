"""A far side behind a network that a test breaks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tests.gpu_provisioner.far import Account, Far, SshLab
from tests.gpu_provisioner.front import Front, Place

QUICK = ("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=3", "-o", "ConnectTimeout=2")
"""What the product does in half a minute, in seconds; these come before its own options and win."""


class Network(Protocol):
    """The way to a network namespace."""

    name: str
    address: str

    def link(self, state: str) -> None: ...

    def firewall(self, *rule: str) -> None: ...


@contextmanager
def lab_behind(network: Network, place: Place, account: Account) -> Iterator[SshLab]:
    """A lab whose far side is reached only over ``network``, which is whole again before it is closed."""
    far = Far(place, account, address=network.address, namespace=network.name, port=2222)
    far.start()
    lab = SshLab(place, far)
    yield lab
    network.firewall()
    network.link("up")
    lab.close()
    far.close()


def quick_kernel(lab: SshLab) -> Front:
    """A kernel whose line is given up after three seconds of silence."""
    return lab.kernel(ssh_args=[*QUICK, *lab.far.target().options["ssh_args"]])
