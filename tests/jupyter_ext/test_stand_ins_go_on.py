"""What is wrong with one lease does not keep the server from standing in for the others."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import pytest

from gpu_provisioner.absence import absent_since
from gpu_provisioner.home import home_folder
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from jupyter_ext.stand_ins import StandIns

LOG = logging.getLogger("trackside.test")


def lease(data_dir: Path, name: str, created: float) -> Lease:
    return LeaseBook(data_dir).save(
        Lease(name, name, "local", "local", "cpu", LeaseState.READY, created=created)
    )


async def stand_in_for(lease: Lease, data_dir: Path) -> None:
    """Until the server has stood in for that lease."""
    stand_ins = StandIns(data_dir, LOG, patience_s=0.0)
    stand_ins.start()
    try:
        async with asyncio.timeout(60):
            while absent_since(home_folder(data_dir, lease.id)) is None:
                await asyncio.sleep(0.05)
    finally:
        await stand_ins.stop()


def test_a_lease_whose_folder_is_not_safe_leaves_the_others_alone(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = lease(data_dir, "cpu-bad-1", created=time.time())  # the newest is looked at first
    good = lease(data_dir, "cpu-good-1", created=time.time() - 60)
    (data_dir / "elsewhere").mkdir()
    home_folder(data_dir, bad.id).parent.mkdir()
    home_folder(data_dir, bad.id).symlink_to(data_dir / "elsewhere")
    asyncio.run(stand_in_for(good, data_dir))
    told = [record.getMessage() for record in caplog.records if bad.id in record.getMessage()]
    [only] = told
    assert only.startswith(f"Trackside: the lease {bad.id} is not held here: ")
