"""A far side behind a network that a test breaks."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from tests.gpu_provisioner.cable import Cable
from tests.gpu_provisioner.far import Account, Far, SshLab
from tests.gpu_provisioner.front import Front, Place
from tests.waiting import last_for

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


MESSAGES, POINTS_EACH = 20_000, 10
COUNTED = f"""
import os, kernel_magics as km
from IPython.display import publish_display_data
with open(os.path.expanduser('~/ran'), 'a') as f: f.write('x')
run = km.init(project='breaks')
for i in range({MESSAGES}):
    GATES
    if i % 2: print(i, flush=True)
    else: publish_display_data({{'application/x-count': i, 'text/plain': str(i)}})
    for j in range({POINTS_EACH}): run.log({{'loss': {POINTS_EACH} * i + j}})
run.finish()
"""


def counted(gates: dict[int, str]) -> str:
    """A cell that prints and displays numbers and logs points; before these numbers it waits at a gate."""
    waits = "; ".join(f"exec({wait!r} if i == {number} else '')" for number, wait in gates.items())
    return COUNTED.replace("GATES", waits)


Way = Callable[[float], None]


def ways_to_break(cable: Cable, kill: Callable[[], None]) -> dict[str, Way]:
    """Ways in which a line breaks, each for some seconds; ``kill`` ends its carrier and sees it noticed."""

    def down(seconds: float) -> None:
        cable.link("down")
        last_for(seconds)
        cable.link("up")

    def dropped(seconds: float) -> None:
        cable.firewall("-j", "DROP")
        last_for(seconds)
        cable.firewall()

    def reset(seconds: float) -> None:
        cable.firewall("-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset")
        last_for(seconds)
        cable.firewall()

    def bad(seconds: float) -> None:
        cable.weather(delay_s=0.1, loss=0.2)
        last_for(seconds)
        cable.weather()

    return {"killed": lambda _: kill(), "down": down, "dropped": dropped, "reset": reset, "bad": bad}


def chosen(ways: dict[str, Way], number: int) -> list[str]:
    """So many of them, each at least once, most of them kills, in any order."""
    names = [*ways, *random.choices(list(ways), weights=(6, 1, 1, 1, 1), k=number - len(ways))]
    random.shuffle(names)
    print(names)  # shown when the test fails
    return names


def break_once(ways: dict[str, Way], name: str) -> None:
    """Break the line in that way, for some time, after it was whole for a moment."""
    last_for(random.uniform(0.02, 0.3))
    ways[name](random.uniform(0.2, 4.0 if name in ("down", "dropped") else 1.0))
