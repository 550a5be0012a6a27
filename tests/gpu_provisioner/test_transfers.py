"""Files over carriers of their own: whole and once, however often the line breaks."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from gpu_provisioner.agent.streams import exchange_file
from gpu_provisioner.agent.streams import listing as far_listing
from gpu_provisioner.errors import TransferError
from gpu_provisioner.transfer import Listing, Transfers
from gpu_provisioner.transfer_carrier import Advance, FarFile, Wanted
from tests.gpu_provisioner.far import SshLab
from tests.gpu_provisioner.front import Front, Lab, Place
from tests.waiting import wait_for

BIG = 200 * 10**6
PARCEL = "ab" * 16


def carriers(but: int) -> list[psutil.Process]:
    """Living carriers of this process that are not process ``but``."""
    found = []
    for child in psutil.Process().children():
        try:
            ours = " -I -S -c " in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            continue
        if ours and child.pid != but:
            found.append(child)
    return found


class Killer:
    """Kills a transfer's carrier each time so many more bytes have come through."""

    def __init__(self, front: Front, every: int, times: int) -> None:
        holders = front.carrier()
        assert holders is not None
        self._kernel_line = holders.pid
        self._every, self._times = every, times
        self._next = every
        self.kills = 0
        self.troubles = 0
        self.last = Advance(0, 0)

    def __call__(self, advance: Advance) -> None:
        assert 0 <= advance.done <= advance.total
        self.last = advance
        self.troubles += bool(advance.trouble)
        if advance.done >= self._next and self.kills < self._times:
            self._next += self._every
            for carrier in carriers(self._kernel_line):
                carrier.send_signal(signal.SIGKILL)
                self.kills += 1


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """200 MB of no pattern, and their SHA-256."""
    path = tmp_path_factory.mktemp("big") / "big.bin"
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(BIG // 10**6):
            piece = os.urandom(10**6)
            file.write(piece)
            digest.update(piece)
    yield path, digest.hexdigest()
    path.unlink()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def transfers(front: Front) -> Transfers:
    return Transfers(front.holder.lease, lambda: front.holder.down_since is None)


def test_200_mb_go_up_whole_while_their_carriers_are_killed(
    lab: Lab, place: Place, big: tuple[Path, str]
) -> None:
    front = lab.kernel()
    killer = Killer(front, every=BIG // 10, times=8)
    transfers(front).store(big[0], PARCEL, big[1], killer)
    there = exchange_file(place.agents / front.holder.lease.id, PARCEL)
    assert (killer.kills, killer.troubles >= 1) == (8, True)
    assert (there.stat().st_size, sha256(there)) == (BIG, big[1])
    assert there.stat().st_mode & 0o777 == 0o600
    assert killer.last.done == BIG
    assert front.holder.state == "up"
    front.holder.release("me")
    assert not there.exists()


def test_200_mb_come_down_whole_while_their_carriers_are_killed(
    lab: Lab, place: Place, big: tuple[Path, str]
) -> None:
    front = lab.kernel()
    listing = transfers(front).listing(str(big[0]))
    killer = Killer(front, every=BIG // 10, times=8)
    kept: list[Wanted] = []
    wanted = Wanted(listing.files[0], place.root / "part")
    transfers(front).fetch(listing.root, [wanted], lambda one, _changed: kept.append(one), killer)
    assert killer.kills == 8 and kept == [wanted]
    assert sha256(wanted.part) == big[1]


def test_what_came_in_a_former_try_is_not_sent_again(lab: Lab, place: Place, big: tuple[Path, str]) -> None:
    front = lab.kernel()
    listing = transfers(front).listing(str(big[0]))
    part = place.root / "part"
    half = BIG // 2
    with big[0].open("rb") as file:
        part.write_bytes(file.read(half))
    seen: list[int] = []
    transfers(front).fetch(
        listing.root, [Wanted(listing.files[0], part)], lambda *_: None, lambda now: seen.append(now.done)
    )
    assert min(seen) == half and sha256(part) == big[1]


def test_a_part_that_is_not_a_beginning_of_the_file_is_thrown_away(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    source = place.root / "source"
    source.write_bytes(b"right" * 1000)
    part = place.root / "part"
    part.write_bytes(b"wrong" * 500)
    listing = transfers(front).listing(str(source))
    transfers(front).fetch(
        listing.root, [Wanted(listing.files[0], part)], lambda *_: None, lambda _advance: None
    )
    assert part.read_bytes() == b"right" * 1000


def test_a_folder_is_listed_without_following_links(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    folder = place.root / "out"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a").write_text("a")
    (folder / "deep" / "er" / "b.sh").write_text("b")
    (folder / "deep" / "er" / "b.sh").chmod(0o755)
    (folder / "link").symlink_to("/etc")
    (folder / "deep" / "file-link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    listing = transfers(front).listing(str(folder))
    assert listing.folder and listing.root == str(folder)
    assert [(each.path, each.size, each.executable) for each in listing.files] == [
        ("a", 1, False),
        ("deep/er/b.sh", 1, True),
    ]
    assert sorted(listing.left) == ["deep/file-link", "link", "pipe"]


def test_what_is_not_there_or_refused_is_a_sentence(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    with pytest.raises(TransferError, match="No such file"):
        transfers(front).listing(str(place.root / "nowhere"))
    gone = Wanted(FarFile("gone", 5, 0), place.root / "part")
    with pytest.raises(TransferError, match=r"refused: No such file or directory"):
        transfers(front).fetch(str(place.root), [gone], lambda *_: None, lambda _: None)
    with pytest.raises(TransferError, match="not the name of a parcel"):
        transfers(front).store(Path(__file__), "../../agent.json", "", lambda _: None)


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../b", "nul\0"])
def test_a_machine_cannot_name_a_file_outside_of_the_place_it_goes_to(
    monkeypatch: pytest.MonkeyPatch, lab: Lab, name: str
) -> None:
    front = lab.kernel()
    entry = {"path": name, "size": 1, "mtime_ns": 0, "executable": False}
    answer = {"root": "/", "folder": True, "files": [entry], "left": []}
    monkeypatch.setattr("gpu_provisioner.transfer.ask", lambda *_: answer)
    with pytest.raises(TransferError, match="could lie anywhere"):
        transfers(front).listing("/x")


def test_two_at_once_do_not_mix_their_bytes(lab: Lab, place: Place, big: tuple[Path, str]) -> None:
    """Two notebooks fetch the same file to the same place: one brings it, the other says so."""
    front = lab.kernel()
    listing = transfers(front).listing(str(big[0]))
    wanted = Wanted(listing.files[0], place.root / "part")
    refused: list[str] = []

    def another(advance: Advance) -> None:
        if advance.done and not refused:
            with pytest.raises(TransferError) as caught:
                transfers(front).fetch(listing.root, [wanted], lambda *_: None, lambda _: None)
            refused.append(caught.value.message)

    transfers(front).fetch(listing.root, [wanted], lambda *_: None, another)
    assert "by another %gpu_get" in refused[0]
    assert sha256(wanted.part) == big[1]


def test_a_file_that_hides_its_size_is_not_taken_to_be_empty(lab: Lab, place: Place) -> None:
    there = transfers(lab.kernel())
    listing = there.listing("/proc/self/status")
    with pytest.raises(TransferError, match="says that it is empty and is not"):
        wanted = Wanted(listing.files[0], place.root / "part")
        there.fetch(listing.root, [wanted], lambda *_: None, lambda _: None)


def test_a_folder_that_may_not_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "out" / "secret").mkdir(parents=True)
    (tmp_path / "out" / "a").write_text("a")
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = far_listing({"path": str(tmp_path / "out")})
    assert ([each["path"] for each in found["files"]], found["left"]) == (["a"], ["secret/"])
    assert "Permission denied" in far_listing({"path": str(tmp_path / "out" / "secret")})["error"]


@contextmanager
def kept_growing(path: Path) -> Iterator[None]:
    """A file that another thread writes to all the time."""
    stop = threading.Event()

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.wait(0.001):
                file.write(b"more\n")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_file_that_grows_is_fetched_as_it_was_and_that_is_said(lab: Lab, place: Place) -> None:
    front = lab.kernel()
    path = place.root / "log"
    path.write_bytes(b"more\n" * 2_000_000)
    told: list[bool] = []
    with kept_growing(path):
        listing = transfers(front).listing(str(path))
        wanted = Wanted(listing.files[0], place.root / "part")
        transfers(front).fetch(
            listing.root, [wanted], lambda _, changed: told.append(changed), lambda _: None
        )
    assert told == [True]
    whole = path.read_bytes()
    assert whole.startswith(wanted.part.read_bytes())


def test_a_kernel_that_is_gone_ends_the_waiting(lab: Lab, place: Place) -> None:
    front = lab.kernel()

    def line() -> bool:
        raise TransferError("it is gone")

    there = Transfers(front.holder.lease, line)
    missing = place.root / "x"
    missing.write_bytes(b"x")
    listing = Listing("/", False, (FarFile("x", 1, 0),))

    def broken(*_: object) -> str:
        return "no way"

    there._try = broken  # type: ignore[method-assign]
    with pytest.raises(TransferError, match="it is gone"):
        there.fetch(listing.root, [Wanted(listing.files[0], missing)], lambda *_: None, lambda _: None)


def test_files_cross_ssh_both_ways(ssh_lab: SshLab, place: Place) -> None:
    front = ssh_lab.kernel()
    data = os.urandom(3_000_000)
    path = place.root / "content"
    path.write_bytes(data)
    transfers(front).store(path, PARCEL, sha256(path), lambda _: None)
    part = place.root / "back"
    transfers(front).fetch_parcel(PARCEL, len(data), sha256(path), part, lambda _: None)
    assert part.read_bytes() == data
    with pytest.raises(TransferError, match="something else"):
        part.unlink()
        transfers(front).fetch_parcel(PARCEL, len(data), "0" * 64, part, lambda _: None)
    wait_for(lambda: front.holder.state == "up", "the kernel's own line was never in the way")
