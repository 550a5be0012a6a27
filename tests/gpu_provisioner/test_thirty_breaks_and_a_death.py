"""At full size: thirty breaks of the network, and the notebook's kernel killed in the middle of them."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from gpu_provisioner.home import home_folder
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.pulse import line_of
from kernel_magics.store import open_store
from tests.gpu_provisioner.breakable import (
    MESSAGES,
    POINTS_EACH,
    QUICK,
    break_once,
    chosen,
    counted,
    ways_to_break,
)
from tests.gpu_provisioner.cable import Cable
from tests.gpu_provisioner.far import Account, Far
from tests.gpu_provisioner.far_notebook import configure, opened
from tests.gpu_provisioner.front import Place
from tests.kernel_magics.bridge.notebook_driver import Cell, Notebook
from tests.waiting import Gate, wait_for

BREAKS, MIDDLE, LAST = 30, 9_000, 2_000


@pytest.fixture
def far(cable: Cable, place: Place, account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    """The target ``gpu1``, reached only over ``cable``."""
    made = Far(place, account, address=cable.address, namespace=cable.name, port=2222)
    made.start()
    configure(made, monkeypatch, ssh_args=QUICK)
    yield made
    made.close()


@pytest.fixture
def notebook(cable: Cable, far: Far, place: Place) -> Iterator[Notebook]:
    with opened(place, place.root / "work" / "breaks.ipynb") as made:
        made.must("%gpu_provision cpu --on gpu1", timeout=120)
        yield made
        cable.firewall()
        cable.link("up")
        cable.weather()


def numbers(outputs: list[dict[str, Any]]) -> list[int]:
    """The numbers that were printed and displayed, in order."""
    found: list[int] = []
    for message in outputs:
        content = message["content"]
        if message["msg_type"] == "stream":
            found += [int(word) for word in content["text"].split() if word.isdigit()]
        elif "application/x-count" in content.get("data", {}):
            found.append(content["data"]["application/x-count"])
    return found


class Watched:
    """The line of a notebook's kernel, as the folder of its lease and its processes show it."""

    def __init__(self, notebook: Notebook, folder: Path) -> None:
        self._notebook, self._folder = notebook, folder

    def is_up(self) -> bool:
        note = line_of(self._folder)
        return note.get("pid") == self._notebook.pid and note.get("state") == "up"

    def kill(self) -> None:
        """``kill -9`` of what carries it; returns when another does."""
        old = wait_for(self._carriers, "a carrier", 60)
        for each in old:
            each.send_signal(signal.SIGKILL)
        wait_for(lambda: self._carriers() and not set(self._carriers()) & set(old), "another carrier", 60)

    def _carriers(self) -> list[psutil.Process]:
        found = []
        for child in psutil.Process(self._notebook.pid).children():
            try:
                if child.status() != psutil.STATUS_ZOMBIE and " -I -S -c " in " ".join(child.cmdline()):
                    found.append(child)
            except psutil.Error:
                continue
        return found


def break_lines(cable: Cable, notebook: Notebook, folder: Path, number: int, cell: Cell) -> None:
    """So many breaks, with the page reading on as a browser does."""
    line = Watched(notebook, folder)
    ways = ways_to_break(cable, line.kill)
    for name in chosen(ways, number):
        notebook.pump(line.is_up, 90, cell)
        break_once(ways, name)


def next_kernel(notebook: Notebook) -> None:
    """Another kernel for the notebook, as Jupyter starts it after a death, and a page of its own."""
    notebook.manager.session.session = uuid.uuid4().hex  # else the new client's ids are those of the old one
    notebook.manager.restart_kernel(now=True)
    notebook.connect()
    notebook.must("%load_ext kernel_magics")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_message_and_point_is_there_once_although_the_notebook_kernel_dies_between_thirty_breaks(
    cable: Cable, far: Far, notebook: Notebook, place: Place, gate_at: Callable[[Path], Gate]
) -> None:
    middle, over = gate_at(far.home / "middle"), gate_at(far.home / "over")
    [lease] = LeaseBook(place.data).live()
    folder = home_folder(place.data, lease.id)
    source = counted({MIDDLE: middle.wait, MESSAGES - LAST: over.wait})
    cell = notebook.execute(source, metadata={"cellId": "c1"})
    notebook.pump(lambda: len(cell.outputs) > 20, 60, cell)
    break_lines(cable, notebook, folder, BREAKS // 2, cell)
    seen = numbers(cell.outputs)
    assert seen == list(range(len(seen)))

    cable.link("down")
    notebook.kill()
    middle.open()
    next_kernel(notebook)
    cable.link("up")
    attached = notebook.must("%gpu_attach", timeout=240)
    assert "goes on there" in attached.all_text
    break_lines(cable, notebook, folder, BREAKS - BREAKS // 2, attached)
    over.open()
    notebook.pump(lambda: MESSAGES - 1 in numbers(attached.outputs[-3:]), 240, attached)

    assert numbers(attached.outputs) == list(range(MESSAGES))
    assert notebook.must("run.id", timeout=240).result
    assert (far.home / "ran").read_text() == "x"
    with open_store() as store:
        store.refresh()
        [run] = store.runs(project="breaks")
        assert run.status == "finished"
        values = store.series(run.id, "loss").value
        assert [int(value) for value in values] == list(range(MESSAGES * POINTS_EACH))
