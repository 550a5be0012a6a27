"""At full size: 20,000 messages and 200,000 points while the network breaks thirty times at random."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernel_magics.store import open_store
from tests.gpu_provisioner.breakable import (
    MESSAGES,
    POINTS_EACH,
    break_once,
    chosen,
    counted,
    lab_behind,
    quick_kernel,
    ways_to_break,
)
from tests.gpu_provisioner.cable import Cable
from tests.gpu_provisioner.far import Account, SshLab
from tests.gpu_provisioner.front import Front, Place
from tests.waiting import Gate, wait_for

LAST, BREAKS = 2_000, 30
"""The last messages come after the last break, so that all of them fall into it on any machine."""


@pytest.fixture
def lab(cable: Cable, place: Place, account: Account) -> Iterator[SshLab]:
    """A lab whose far side is reached only over ``cable``."""
    with lab_behind(cable, place, account) as made:
        yield made
        cable.weather()


def numbers(front: Front, cell: str) -> list[int]:
    """What the cell printed and displayed, in order."""
    found: list[int] = []
    for kind, content in front.cells[cell].outputs:
        if kind == "stream":
            found += [int(word) for word in content["text"].split()]
        elif kind == "display_data":
            found.append(content["data"]["application/x-count"])
    return found


@pytest.mark.timeout(600)
def test_every_message_and_point_comes_home_once_and_in_order_over_thirty_breaks(
    cable: Cable, lab: SshLab, place: Place, gate_at: Callable[[Path], Gate]
) -> None:
    front = quick_kernel(lab)
    over = gate_at(lab.far.home / "over")
    cell = front.begin(counted({MESSAGES - LAST: over.wait}))
    front.wait(lambda: cell in front.cells and len(front.cells[cell].outputs) > 20, "the cell prints")

    def kill() -> None:
        before = front.states.count("down")
        carrier = wait_for(front.carrier, "a carrier", 60)
        carrier.send_signal(signal.SIGKILL)
        front.wait(lambda: front.states.count("down") > before, "the kill is noticed")

    ways = ways_to_break(cable, kill)
    names = chosen(ways, BREAKS)
    for name in names:
        front.wait(lambda: front.holder.state == "up", f"the line is up before it is {name}", 90)
        break_once(ways, name)
    over.open()
    reply = front.finish(cell, 240).reply
    assert reply is not None and reply["status"] == "ok"
    assert numbers(front, cell) == list(range(MESSAGES))
    assert front.ends == sorted(set(front.ends))
    assert (lab.far.home / "ran").read_text() == "x"
    assert front.states.count("down") >= names.count("killed")
    with open_store() as store:
        store.refresh()
        [run] = store.runs(project="breaks")
        assert run.status == "finished"
        values = store.series(run.id, "loss").value
        assert [int(value) for value in values] == list(range(MESSAGES * POINTS_EACH))
