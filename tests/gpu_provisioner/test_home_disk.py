"""The disk at home is full: one notice, the line stays up, nothing is lost; with room it goes on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import pytest

from gpu_provisioner.errors import LeaseError
from gpu_provisioner.holder import Holder
from gpu_provisioner.home_disk import HomeDisk
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from tests.gpu_provisioner.front import Lab, Place
from tests.gpu_provisioner.small_disk import make_room, small_disk_at
from tests.waiting import UNTIL_INTERRUPTED, wait_for

FOREVER = indent(UNTIL_INTERRUPTED, "    ")
LOUD = f"""
import os, pathlib
run = pathlib.Path(os.environ['TRACKSIDE_DIR']) / 'runs' / 'r1'
run.mkdir(parents=True)
journal = (run / 'w1.journal').open('wb', buffering=0)
try:
    for turn in range(30):
        print('%06d' % turn + 'x' * 100_000)
        journal.write(b'p' * 50_000)
{FOREVER}except KeyboardInterrupt:
    pathlib.Path('interrupted').touch()
print('END')
"""


@pytest.fixture
def small_disk(place: Place) -> Iterator[Path]:
    """The data folder is a disk of 1 MiB."""
    with small_disk_at(place.data) as made:
        yield made


def notices(events: list[dict[str, str]]) -> list[str]:
    return [event["text"] for event in events if event["type"] == "notice"]


def test_a_cell_waits_for_room_hears_ctrl_c_and_loses_nothing(
    small_disk: Path, lab: Lab, place: Place
) -> None:
    front = lab.kernel()
    cell = front.begin(LOUD)
    told = front.wait_event("notice")["text"]
    assert "is full (No space left on device)" in told and "nothing is lost" in told
    front.holder.command("interrupt")
    wait_for((place.root / "work" / "interrupted").exists, "Ctrl-C has reached the kernel")
    assert notices(front.events) == [told], "it is said once"
    assert front.cells[cell].reply is None
    make_room(small_disk)
    text = front.finish(cell).text
    assert [line[:6] for line in text.splitlines()] == [f"{turn:06d}" for turn in range(30)] + ["END"]
    assert (small_disk / "runs" / "r1" / "w1.journal").stat().st_size == 30 * 50_000
    assert "room" in notices(front.events)[1] and len(notices(front.events)) == 2
    assert "down" not in front.states


def test_a_line_that_breaks_while_there_is_no_room_comes_back(
    small_disk: Path, lab: Lab, place: Place
) -> None:
    front = lab.kernel()
    cell = front.begin(LOUD)
    front.wait_event("notice")
    front.kill_carrier()
    front.holder.command("interrupt")
    wait_for((place.root / "work" / "interrupted").exists, "Ctrl-C has reached the kernel")
    make_room(small_disk)
    assert front.finish(cell).text.endswith("END\n")
    assert len(notices(front.events)) == 2


def test_only_a_full_disk_is_waited_for(tmp_path: Path) -> None:
    said: list[str] = []
    tries: list[int] = []
    disk = HomeDisk(tmp_path, said.append)

    def refused() -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    def full_twice() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(PermissionError):
        disk.write(refused, lambda: True)
    assert said == []
    disk.write(full_twice, lambda: True)
    assert len(tries) == 3 and len(said) == 2
    tries.clear()
    disk.give_up()
    with pytest.raises(OSError, match="No space"):
        disk.write(full_twice, lambda: True)


def test_a_folder_that_cannot_keep_what_a_kernel_says_is_a_sentence(tmp_path: Path) -> None:
    lease = Lease("cpu-1", "cpu", "local", "local", "cpu", LeaseState.READY, 0.0)
    (tmp_path / "kernels").write_text("not a folder")
    with pytest.raises(LeaseError, match="cannot be kept"):
        Holder(lease, tmp_path)


def test_a_folder_of_somebody_else_is_a_sentence_too(tmp_path: Path) -> None:
    lease = Lease("cpu-1", "cpu", "local", "local", "cpu", LeaseState.READY, 0.0)
    others = tmp_path / "others"
    others.mkdir()
    for name in ("kernels", "leases"):  # a link is no folder of ours, wherever it leads
        (tmp_path / name).symlink_to(others)
    (others / lease.id).symlink_to(others)
    book = LeaseBook(tmp_path)
    acts = (lambda: Holder(lease, tmp_path), lambda: book.save(lease), lambda: book.update(lease.id))
    for act in acts:
        with pytest.raises(LeaseError, match="must be a folder that belongs to you") as told:
            act()
        assert told.value.remedy
