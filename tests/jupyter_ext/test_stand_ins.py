"""The server stands in for a notebook whose kernel is gone: a real agent of this machine goes on talking."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gpu_provisioner import gpus, wire
from gpu_provisioner.absence import absent_since
from gpu_provisioner.bootstrap import open_carrier
from gpu_provisioner.errand import call_on
from gpu_provisioner.home import home_folder, read_records
from gpu_provisioner.home_cells import HomeCells
from gpu_provisioner.lease_lock import is_held, is_worked_with
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease
from gpu_provisioner.providers.base import Target
from gpu_provisioner.provisioner import provision, release
from tests.gpu_provisioner.front import Front
from tests.waiting import Gate

Ask = Callable[..., Awaitable[Any]]

NOTEBOOK = """
import sys
from pathlib import Path
from gpu_provisioner.leases import LeaseBook
from tests.gpu_provisioner.front import Front
data = Path(sys.argv[1])
front = Front(LeaseBook(data).load(sys.argv[2]), data)
front.holder.start(60)
print(front.begin(sys.argv[3], cell_id='c1'), flush=True)
sys.stdin.read()
"""
"""Stands in for a notebook's kernel that is killed."""

CELL = """
open({ran!r}, 'a').write('x')
for i in range(200): print(i, flush=True)
{go}
for i in range(200, 400): print(i, flush=True)
"""


@pytest.fixture
def lease(data_dir: Path) -> Iterator[Lease]:
    """Rented before the server starts, given back when it has stopped."""
    made = provision([gpus.parse("cpu")], targets=[Target("local", "local")], data_dir=data_dir)
    yield made
    if LeaseBook(data_dir).live():
        release(made, data_dir, "the test")


def text_at_home(data_dir: Path, lease: Lease) -> str:
    """What the kernel has printed, as far as it is home."""
    found = []
    for batch in read_records(data_dir, lease.id):
        for _, channel, parts in batch:
            if channel == wire.IOPUB and b'"stream"' in parts[0]:
                found.append(wire.from_json(parts[3])["text"])
    return "".join(found)


def numbers(last: int) -> str:
    return "".join(f"{i}\n" for i in range(last))


async def killed_in_the_middle(
    data_dir: Path, lease: Lease, tmp_path: Path, gate: Gate, wait_for: Ask
) -> str:
    """A holder that was killed while its cell ran, which waits at the gate; the cell's key."""
    code = CELL.format(ran=str(tmp_path / "ran"), go=gate.wait)
    child = subprocess.Popen(
        [sys.executable, "-c", NOTEBOOK, str(data_dir), lease.id, code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    with child:
        assert child.stdout is not None
        key = (await asyncio.to_thread(child.stdout.readline)).decode().strip()
        await wait_for(lambda: _async(lambda: "100\n" in text_at_home(data_dir, lease)))
        child.send_signal(signal.SIGKILL)
    return key


async def _async(question: Callable[[], Any]) -> Any:
    return await asyncio.to_thread(question)


async def test_what_a_kernel_says_comes_home_while_no_notebook_is_there(
    lease: Lease, ask: Ask, wait_for: Ask, data_dir: Path, tmp_path: Path, gate: Gate
) -> None:
    await ask("info")
    folder = home_folder(data_dir, lease.id)
    key = await killed_in_the_middle(data_dir, lease, tmp_path, gate, wait_for)
    await wait_for(lambda: _async(lambda: is_held(folder)))
    assert not is_worked_with(folder)
    [shown] = (await ask("leases"))["leases"]
    assert shown["state"] == "ready" and shown["kernel_id"] is None
    gate.open()
    cells = HomeCells(data_dir, lease.id)
    await wait_for(lambda: _async(lambda: any(cell.key == key and cell.end for cell in cells.look())))
    assert text_at_home(data_dir, lease) == numbers(400)
    assert (tmp_path / "ran").read_text() == "x"
    [cell] = cells.look()
    absent = absent_since(folder)
    assert absent is not None and cell.start < absent < (cell.end or 0)


async def test_whoever_wants_the_lease_gets_it_from_the_stand_in(
    lease: Lease, ask: Ask, wait_for: Ask, data_dir: Path
) -> None:
    await ask("info")
    folder = home_folder(data_dir, lease.id)
    for _ in range(2):
        await wait_for(lambda: _async(lambda: is_held(folder)))
        front = await asyncio.to_thread(Front, lease, data_dir)
        assert is_worked_with(folder)
        await asyncio.to_thread(front.holder.start, 60)
        assert (await asyncio.to_thread(front.execute, "print('mine')")).text == "mine\n"
        await asyncio.to_thread(front.holder.detach)


async def test_a_release_from_the_panel_ends_what_the_server_holds(
    lease: Lease, ask: Ask, wait_for: Ask, data_dir: Path
) -> None:
    await ask("info")
    await wait_for(lambda: _async(lambda: is_held(home_folder(data_dir, lease.id))))
    await ask("leases", lease.id, spec="/leases/{lease}", method="DELETE", status=204, request_timeout=60)
    [shown] = (await ask("leases"))["leases"]
    assert shown["state"] == "released"


async def test_a_lease_handed_over_to_another_machine_is_not_taken_back(
    lease: Lease, ask: Ask, wait_for: Ask, data_dir: Path
) -> None:
    await ask("info")
    folder = home_folder(data_dir, lease.id)
    await wait_for(lambda: _async(lambda: is_held(folder) and (folder / "stream").stat().st_size > 0))
    await asyncio.to_thread(
        call_on, lambda: open_carrier(lease), 30, {"type": "hand-over", "by": "another machine"}
    )
    await wait_for(lambda: _async(lambda: not is_held(folder)))
    looks: list[bool] = []

    async def looked_often() -> bool:
        looks.append(is_held(folder))
        return len(looks) > 80

    await wait_for(looked_often)
    assert not any(looks)


async def test_a_server_that_stops_lets_go(
    lease: Lease, ask: Ask, wait_for: Ask, data_dir: Path, jp_serverapp: Any
) -> None:
    await ask("info")
    folder = home_folder(data_dir, lease.id)
    await wait_for(lambda: _async(lambda: is_held(folder)))
    services = next(
        app.settings["trackside_services"]
        for apps in jp_serverapp.extension_manager.extension_apps.values()
        for app in apps
        if app.name == "trackside"
    )
    await services.stop()
    assert not is_held(folder)
