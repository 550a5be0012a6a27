"""A carrier that is ended takes along what it started, and leaves what others share; its words do no harm."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from gpu_provisioner.carrier import Carrier
from gpu_provisioner.errors import BootstrapError
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.plain import plain
from gpu_provisioner.providers import provider_of
from tests.gpu_provisioner.far import Far
from tests.gpu_provisioner.front import Lab, Place
from tests.waiting import wait_for

LEASE = Lease("cpu-1", "cpu", "ssh", "far", "cpu", LeaseState.READY, 0.0)


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
    return str(path)


def children_of(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def test_a_wrapper_that_hangs_is_ended_with_what_it_started(place: Place) -> None:
    carrier = Carrier([script(place.root / "python3", "sleep 600\necho never")])
    wait_for(lambda: [one.name() for one in children_of(carrier.pid)] == ["sleep"], "the wrapper hangs")
    carrier.close()
    wait_for(lambda: not place.processes(), "nobody is left")


def test_a_connection_that_others_share_outlives_a_wrapper_that_began_it(far: Far) -> None:
    wrapper = script(far.place.root / "gcloud", 'ssh "$@"\ntrue')
    provider = provider_of(far.target(), lambda: ())
    argv = provider.carrier_argv(LEASE, ["cat"])
    carrier = Carrier([wrapper, *argv[1:]])
    carrier.write_all(b"there\n", time.monotonic() + 30)
    assert carrier.read_until(time.monotonic() + 30) == b"there\n"
    started = [one for one in children_of(carrier.pid) if one.name() == "ssh"]
    [shared] = far.shared_connections()
    carrier.close()
    wait_for(lambda: not any(one.is_running() for one in started if one != shared), "its own ssh has ended")
    assert far.shared_connections() == [shared]
    second = Carrier(argv)
    second.write_all(b"still\n", time.monotonic() + 30)
    assert second.read_until(time.monotonic() + 30) == b"still\n"
    second.close()
    assert far.shared_connections() == [shared]


def test_what_a_machine_prints_instead_of_python_is_shown_without_its_control_characters(
    lab: Lab, place: Place
) -> None:
    noisy = script(
        place.root / "python3",
        r"printf '\033]0;owned\007\033[2Jwelcome\r\n'; printf 'no \033[31mpython\033[0m\b here' >&2",
    )
    with pytest.raises(BootstrapError) as caught:
        lab.provision(python=noisy)
    shown = caught.value.message
    assert r"\x1b]0;owned\x07\x1b[2Jwelcome" in shown and r"no \x1b[31mpython\x1b[0m\x08 here" in shown
    assert all(letter == "\n" or letter.isprintable() for letter in shown), shown


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("two\r\nlines\tand a tab", "two\nlines\tand a tab"),
        ("Zürich 東京 🚀", "Zürich 東京 🚀"),
        ("back\rover", r"back\rover"),
        ("\u202edrawkcab", r"\u202edrawkcab"),
        ("", ""),
    ],
)
def test_only_what_a_terminal_would_obey_is_named(raw: str, shown: str) -> None:
    assert plain(raw) == shown
