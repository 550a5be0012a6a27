"""A watch hears of every journal that grows or appears, by inotify and by looking alike."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernel_magics.journal import mounts, watch
from kernel_magics.journal.watch import JournalWatch

PATIENCE_S = 20.0


@pytest.fixture(params=["listening", "looking"])
def watched(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JournalWatch]:
    found = JournalWatch(tmp_path, look=request.param == "looking")
    if request.param == "listening" and sys.platform == "linux":
        assert found.listens
    yield found
    found.close()


def append(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(data)
    return path


def collect(watched: JournalWatch, wanted: set[Path]) -> set[Path]:
    """What the watch reports until everything wanted is there."""
    found: set[Path] = set()
    while not wanted <= found:
        news = watched.wait(PATIENCE_S)
        assert news, f"not heard of: {wanted - found}"
        found |= news
    return found


def test_what_is_there_already_is_reported_first(watched: JournalWatch, tmp_path: Path) -> None:
    paths = {append(tmp_path / "runs" / f"r{index}" / "w.journal") for index in range(3)}
    append(tmp_path / "runs" / "r0" / "w.lock")
    assert collect(watched, paths) == paths


def test_growth_new_journals_and_new_runs_are_reported(watched: JournalWatch, tmp_path: Path) -> None:
    first = append(tmp_path / "runs" / "a" / "w.journal")
    collect(watched, {first})
    append(first)
    assert first in collect(watched, {first})
    second = append(tmp_path / "runs" / "a" / "v.journal")
    collect(watched, {second})
    third = append(tmp_path / "runs" / "b" / "w.journal")
    collect(watched, {third})
    append(third)
    collect(watched, {third})


def test_without_news_it_waits_as_long_as_asked(watched: JournalWatch) -> None:
    assert watched.wait(0.3) == set()


def test_it_can_be_woken(watched: JournalWatch) -> None:
    waker = threading.Timer(0.05, watched.wake)
    waker.start()
    assert watched.wait(PATIENCE_S) == set()
    waker.join()


def test_a_run_folder_that_is_removed_is_no_error(watched: JournalWatch, tmp_path: Path) -> None:
    gone = append(tmp_path / "runs" / "gone" / "w.journal")
    collect(watched, {gone})
    gone.unlink()
    gone.parent.rmdir()
    kept = append(tmp_path / "runs" / "kept" / "w.journal")
    assert kept in collect(watched, {kept})


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    found = JournalWatch(tmp_path)
    found.close()
    found.close()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_when_inotify_is_used_up_it_looks_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = JournalWatch(tmp_path)
    assert found.listens

    def refuse(self: object, folder: Path) -> int:
        raise OSError(28, "no watch left")

    monkeypatch.setattr(watch._Inotify, "add", refuse)
    path = append(tmp_path / "runs" / "a" / "w.journal")
    collect(found, {path})
    assert not found.listens
    append(path)
    collect(found, {path})
    found.close()


@pytest.fixture
def mount_table(tmp_path: Path) -> Callable[..., Path]:
    def table(*mounts_and_kinds: tuple[str, str]) -> Path:
        path = tmp_path / "mountinfo"
        lines = [f"36 35 98:0 / {mount} rw - {kind} src rw\n" for mount, kind in mounts_and_kinds]
        path.write_text("".join(lines))
        return path

    return table


@pytest.mark.parametrize(
    ("folder", "network"),
    [
        ("/home/me/x", True),
        ("/home/me2", False),
        ("/home/me/local/x", False),
        ("/with space/x", True),
        ("/", False),
    ],
)
def test_network_file_systems_are_known_by_the_mount_table(
    mount_table: Callable[..., Path], folder: str, network: bool
) -> None:
    table = mount_table(
        ("/", "ext4"), ("/home/me", "nfs4"), ("/home/me/local", "xfs"), (r"/with\040space", "fuse.sshfs")
    )
    assert mounts.is_network(Path(folder), table) is network


def test_without_a_mount_table_a_folder_counts_as_local(tmp_path: Path) -> None:
    assert mounts.is_network(tmp_path, tmp_path / "none") is False
