"""Leases on a real server, with a real agent of the local provider."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from gpu_provisioner import gpus
from gpu_provisioner.home import home_folder
from gpu_provisioner.lease_lock import lock_lease
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.providers import provider_of_lease
from gpu_provisioner.providers.base import Target
from gpu_provisioner.provisioner import provision

Ask = Callable[..., Awaitable[Any]]


def a_lease(**values: Any) -> Lease:
    facts = {"id": "cpu-test-1", "name": "cpu", "provider": "local", "target": "local", "spec": "cpu"}
    return Lease(**{**facts, "state": LeaseState.RELEASED, "created": 5.0, **values})


async def rented(data_dir: Path) -> Lease:
    """A lease of this machine whose agent runs."""

    def rent() -> Lease:
        return provision(
            [gpus.parse("cpu")],
            targets=[Target("local", "local")],
            data_dir=data_dir,
            notebook="a.ipynb",
            kernel_id="kernel-1",
        )

    return await asyncio.to_thread(rent)


async def test_there_are_no_leases_at_first(ask: Ask) -> None:
    assert await ask("leases") == {"leases": []}


async def test_leases_are_listed_newest_first_without_their_handle(ask: Ask, data_dir: Path) -> None:
    book = LeaseBook(data_dir)
    book.save(a_lease(handle={"env": {"SECRET": "x"}}))
    book.save(a_lease(id="cpu-test-2", created=6.0, kernel_id="kernel-1"))
    leases = (await ask("leases"))["leases"]
    assert [lease["id"] for lease in leases] == ["cpu-test-2", "cpu-test-1"]
    assert all("handle" not in lease for lease in leases)


async def test_a_notebooks_kernel_is_named_only_while_it_holds_the_lease(
    ask: Ask, listen: Ask, data_dir: Path
) -> None:
    """A restarted kernel has the same id, and its cells run here."""
    lease = a_lease(state=LeaseState.READY, kernel_id="kernel-1", created=time.time())
    held = lock_lease(home_folder(data_dir, lease.id), lease)
    LeaseBook(data_dir).save(lease)
    browser = await listen()
    (shown,) = (await ask("leases"))["leases"]
    assert shown["kernel_id"] == "kernel-1"
    held.close()
    await browser.until(
        lambda message: message["type"] == "leases" and message["leases"][0]["kernel_id"] is None
    )


async def test_a_lease_is_pushed_when_it_comes_and_when_it_changes(listen: Ask, data_dir: Path) -> None:
    browser = await listen()
    book = LeaseBook(data_dir)
    lease = a_lease(state=LeaseState.PLANNED, created=time.time())
    held = lock_lease(home_folder(data_dir, lease.id), lease)
    book.save(lease)

    def shows(state: str) -> Callable[[dict[str, Any]], bool]:
        return lambda message: (
            message["type"] == "leases" and [one["state"] for one in message["leases"]] == [state]
        )

    await browser.until(shows("planned"))
    book.finish("cpu-test-1", LeaseState.RELEASED, "enough")
    await browser.until(shows("released"))
    held.close()


async def test_releasing_a_lease_ends_its_agent_and_can_be_repeated(ask: Ask, data_dir: Path) -> None:
    lease = await rented(data_dir)
    [shown] = (await ask("leases"))["leases"]
    assert (shown["state"], shown["kernel_id"], shown["notebook"]) == ("ready", None, "a.ipynb")
    for _ in range(2):
        await ask("leases", lease.id, spec="/leases/{lease}", method="DELETE", status=204, request_timeout=60)
    [shown] = (await ask("leases"))["leases"]
    assert shown["state"] == "released"
    assert "JupyterLab" in shown["detail"]
    assert provider_of_lease(lease).status(lease) == LeaseState.LOST


async def test_a_lease_whose_agent_has_died_is_shown_as_lost(ask: Ask, data_dir: Path) -> None:
    lease = await rented(data_dir)
    await asyncio.to_thread(provider_of_lease(lease).release, lease)
    [shown] = (await ask("leases"))["leases"]
    assert shown["state"] == "lost"
    assert "ended by SIGTERM" in shown["detail"] and "all it had said is here" in shown["detail"]


async def test_an_unknown_lease_is_a_404_and_a_malformed_id_a_400(ask: Ask) -> None:
    delete = {"spec": "/leases/{lease}", "method": "DELETE"}
    assert "no lease abc-1" in (await ask("leases", "abc-1", status=404, **delete))["message"]
    assert "no lease id" in (await ask("leases", "ABC", status=400, **delete))["message"]
