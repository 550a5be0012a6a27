"""A machine that is being got here is given back elsewhere: who waits for it hears of it within seconds."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest

from gpu_provisioner import giving_back
from gpu_provisioner.calling_off import CalledOff, CallOff
from gpu_provisioner.errors import BootstrapError, ProvisionError
from gpu_provisioner.home import home_folder
from gpu_provisioner.lease_lock import lock_lease
from gpu_provisioner.lease_watch import GivenBack
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.provisioner import release
from tests.gpu_provisioner.front import Front, Lab, Place
from tests.waiting import Gate, wait_for

SOON_S = 25.0
"""Less than any limit that would end the waiting by itself."""


@pytest.fixture
def never(place: Place) -> str:
    """A Python that never starts: a queue, a machine that hangs."""
    python = place.root / "never-python"
    python.write_text(
        f"#!/bin/sh\nuntil [ -e {place.root}/go ]; do sleep 0.05; done\nexec {sys.executable}\n"
    )
    python.chmod(0o755)
    return str(python)


class Getting(threading.Thread):
    """Gets a machine in a thread of its own."""

    def __init__(self, lab: Lab, call_off: CallOff, **options: Any) -> None:
        super().__init__()
        self.error: BaseException | None = None
        self._lab, self._call_off, self._options = lab, call_off, options
        self.start()

    def run(self) -> None:
        try:
            with self._call_off.heard():
                self._lab.provision(**self._options)
        except BaseException as error:
            self.error = error


def starting(place: Place) -> Lease:
    def found() -> list[Lease]:
        return [lease for lease in LeaseBook(place.data).all() if lease.state == LeaseState.STARTING]

    wait_for(found, "it is being started")
    wait_for(place.processes, "its Python is being started")
    return found()[0]


def test_a_lease_released_while_it_is_being_started_is_not_waited_for(
    lab: Lab, place: Place, never: str
) -> None:
    getting = Getting(lab, CallOff(), python=never)
    over = release(starting(place), place.data, "another notebook")
    getting.join()
    assert over.state == LeaseState.RELEASED
    # Who brought it up gave it back: neither of them waited for what does not come.
    assert over.detail == "released by another notebook, before its kernel ran"
    assert isinstance(getting.error, GivenBack)
    assert "was given back while it was being started: released by another notebook" in str(getting.error)
    assert LeaseBook(place.data).all() == [over]
    assert list((place.data / "kernels").iterdir()) == []
    wait_for(lambda: not place.processes(), "nothing runs any more")


def test_a_process_that_hangs_while_it_brings_a_lease_up_is_done_without(
    lab: Lab, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = lab.provision()
    book = LeaseBook(place.data)
    book.update(lease.id, state=LeaseState.STARTING)
    monkeypatch.setattr(giving_back, "_GIVING_BACK_LIMIT_S", 0.5)
    lock = lock_lease(home_folder(place.data, lease.id), lease)
    over = release(book.load(lease.id), place.data, "the user")
    lock.close()
    assert over.state == LeaseState.RELEASED
    wait_for(lambda: not place.processes(), "nothing runs any more")
    assert not (home_folder(place.data, lease.id) / "give-back.json").exists()


def test_who_calls_it_off_is_heard_as_well(lab: Lab, place: Place, never: str) -> None:
    call_off = CallOff()
    getting = Getting(lab, call_off, python=never)
    starting(place)
    call_off.call()
    getting.join(SOON_S)
    assert not getting.is_alive()
    assert isinstance(getting.error, ProvisionError)
    [over] = LeaseBook(place.data).all()
    assert over.state == LeaseState.RELEASED and "given back" in over.detail
    wait_for(lambda: not place.processes(), "nothing runs any more")
    with pytest.raises(CalledOff):
        call_off.check()


def test_a_kernel_released_before_it_was_ready_is_not_waited_for(lab: Lab, place: Place, gate: Gate) -> None:
    startup = place.root / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-waits.py").write_text(f"open('starts', 'w').close()\n{gate.wait}\n")
    front = Front(lab.provision(), place.data)
    errors: list[BaseException] = []

    def start() -> None:
        try:
            front.holder.start(120)
        except BootstrapError as error:
            errors.append(error)

    waiting = threading.Thread(target=start)
    waiting.start()
    wait_for((place.root / "work" / "starts").exists, "its kernel starts, and does not get ready")
    release(front.holder.lease, place.data, "another notebook")
    waiting.join(SOON_S)
    gate.open()
    assert not waiting.is_alive(), "it noticed"
    assert ["released by another notebook" in str(error) for error in errors] == [True]
    front.holder.detach()
