"""A machine whose disk is full, or whose clock is days off: said in a sentence, nothing lost."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpu_provisioner.errors import ProvisionError
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import LeaseState
from gpu_provisioner.payload import build_payload
from gpu_provisioner.provisioner import release
from kernel_magics.store import open_store
from tests.gpu_provisioner.far import Account, Far, SshLab
from tests.gpu_provisioner.far_notebook import configure
from tests.gpu_provisioner.front import Place
from tests.kernel_magics.bridge.notebook_driver import Notebook
from tests.waiting import wait_for

DAY_S = 86400
SmallDisk = Callable[[int], Path]


@pytest.fixture
def small_disk(far: Far) -> Iterator[SmallDisk]:
    """Makes the cache folder over there a file system of so many bytes. Needs root and the right to mount."""
    cache = far.root / "cache"

    def make(size: int) -> Path:
        options = f"size={size},mode=700,uid={far.account.uid}"
        mount = ["mount", "-t", "tmpfs", "-o", options, "trackside-test", str(cache)]
        if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("NOT TESTED: a full disk needs a tmpfs of its own, and mounting one needs root")
        return cache

    yield make
    if os.path.ismount(cache):
        subprocess.run(["umount", "-l", str(cache)], check=True)


@pytest.mark.parametrize("share", [0.3, 1.5, "unpacked"])
def test_a_disk_that_is_full_over_there_is_a_sentence_and_costs_nothing(
    small_disk: SmallDisk, ssh_lab: SshLab, place: Place, share: float | str
) -> None:
    size = build_payload(os.environ).size
    if share == "unpacked":
        # Just the payload and not the agent's folder: that is where it has no room any more.
        cache = small_disk(20 << 20)
        ssh_lab.kernel().holder.release("me")
        ssh_lab.fronts.clear()
        used = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
        filler = cache / "filler"
        with filler.open("wb") as file:
            free = os.statvfs(cache).f_bavail * os.statvfs(cache).f_frsize
            file.write(b"x" * free)
        assert used > size
    else:
        small_disk(int(size * float(share)))
    with pytest.raises(ProvisionError, match="No space left on device") as failed:
        ssh_lab.provision()
    assert "Traceback" not in failed.value.message, failed.value.message
    assert failed.value.remedy
    assert {lease.state for lease in LeaseBook(place.data).all()} <= {LeaseState.RELEASED}
    wait_for(lambda: not ssh_lab.far.processes_there(), "nothing is left running there")


FILL = """
space = open({filler!r}, 'wb', 0)
try:
    while True: space.write(b'x' * 65536)
except OSError: space.close()
"""


def test_a_disk_that_fills_up_over_there_makes_the_cell_wait_and_loses_nothing(
    small_disk: SmallDisk, ssh_lab: SshLab
) -> None:
    filler = small_disk(24 << 20) / "filler"
    front = ssh_lab.kernel()
    running = front.begin(
        "import kernel_magics as km\nrun = km.init(project='full')\n"
        + FILL.format(filler=str(filler))
        + "for i in range(3000):\n"
        "    run.log({'loss': i})\n"
        "    print(i, 'x' * 500, flush=True)\n"
        "run.finish()\n"
    )
    notice = front.wait_event("notice")["text"]
    assert "No space left on device" in notice and "nothing is lost" in notice
    filler.unlink()
    cell = front.finish(running)
    assert cell.reply is not None and cell.reply["status"] == "ok", cell.reply
    # What the tracker says about the disk goes to stderr, amid the lines.
    text = "".join(content["text"] for _, content in cell.outputs if content.get("name") == "stdout")
    assert text == "".join(f"{i} {'x' * 500}\n" for i in range(3000))
    told = [event["text"] for event in front.events if event["type"] == "notice"]
    assert len(told) == 2 and "There is room again" in told[1]
    with open_store() as store:
        store.refresh()
        [run] = store.runs(project="full")
        assert list(store.series(run.id, "loss").value) == list(range(3000))


@pytest.fixture
def clock_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clock")
    folder.chmod(0o755)
    source = Path(__file__).with_name("clock_stub.c")
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-Wall", "-o", str(folder / "clock.so"), str(source)], check=True
    )
    return folder / "clock.so"


@pytest.fixture
def skewed(
    place: Place, account: Account, clock_library: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[int], Far]]:
    """Makes the target ``gpu1``, whose clock is so many days ahead."""
    far = Far(place, account)
    library = far.root / "clock.so"
    library.write_bytes(clock_library.read_bytes())
    library.chmod(0o755)

    def make(days: int) -> Far:
        far.env.update(LD_PRELOAD=str(library), CLOCK_STUB_S=str(days * DAY_S))
        far.start()
        configure(far, monkeypatch)
        return far

    yield make
    for lease in LeaseBook(place.data).live():
        release(lease, place.data, "the test")
    far.close()


@pytest.mark.parametrize(("days", "words"), [(-3, "3.0 days behind"), (2, "2.0 days ahead of")])
def test_a_clock_that_is_days_off_is_told_and_changes_nothing(
    place: Place, skewed: Callable[[int], Far], days: int, words: str
) -> None:
    far = skewed(days)
    path = place.root / "work" / "a.ipynb"
    notebook = Notebook({**os.environ, "JPY_SESSION_NAME": str(path)}, place.root / "work")
    try:
        notebook.must("%load_ext kernel_magics")
        shown = notebook.must("%gpu_provision cpu --on gpu1", timeout=120).all_text
        assert f"clock there is {words}" in shown, shown
        there = notebook.value("__import__('time').time()")
        notebook.must("%%track --project skew\nfor i in range(200): run.log({'loss': i})")
        with open_store() as store:
            store.refresh()
            [run] = store.runs(project="skew")
            assert run.status == "finished"
            assert list(store.series(run.id, "loss").value) == list(range(200))
            assert abs(run.created - there) < DAY_S / 2
        refreshed = notebook.must("%gpu_status", timeout=60).all_text
        assert "ready" in refreshed
        assert "Released" in notebook.must("%gpu_release", timeout=60).all_text
        assert list(far.agents.iterdir()) == []
    finally:
        notebook.close()
