"""Over there the user's quota is reached: before a kernel runs a sentence, while one runs a pause."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gpu_provisioner.errors import ProvisionError
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import LeaseState
from tests.gpu_provisioner.far import Account, Far, SshLab
from tests.gpu_provisioner.front import Place
from tests.waiting import wait_for


@dataclass
class Quota:
    """Of the cache folder over there; reached while the flag is there."""

    lab: SshLab
    flag: Path


@pytest.fixture
def quota(place: Place, account: Account) -> Iterator[Quota]:
    far = Far(place, account)
    library, flag = far.root / "quota.so", far.root / "reached"
    source = Path(__file__).with_name("quota_stub.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wall", "-o", str(library), str(source)], check=True)
    library.chmod(0o755)
    far.env.update(
        LD_PRELOAD=str(library), QUOTA_STUB_OF=str(far.root / "cache"), QUOTA_STUB_REACHED=str(flag)
    )
    far.start()
    lab = SshLab(place, far)
    yield Quota(lab, flag)
    flag.unlink(missing_ok=True)
    lab.close()
    far.close()


def test_a_quota_that_is_reached_is_a_sentence_and_nothing_is_left(quota: Quota, place: Place) -> None:
    quota.flag.touch()
    with pytest.raises(ProvisionError, match="Disk quota exceeded") as failed:
        quota.lab.provision()
    assert "Traceback" not in failed.value.message and failed.value.remedy
    assert {lease.state for lease in LeaseBook(place.data).all()} <= {LeaseState.RELEASED}
    wait_for(lambda: not quota.lab.far.processes_there(), "nothing is left running there")


def test_a_quota_that_is_reached_while_a_cell_prints_is_a_pause_in_which_nothing_is_lost(
    quota: Quota,
) -> None:
    front = quota.lab.kernel()
    quota.flag.touch()
    cell = front.begin("for i in range(3000): print(i, 'x' * 500, flush=True)")
    notice = front.wait_event("notice")["text"]
    assert "Disk quota exceeded" in notice and "nothing is lost" in notice
    quota.flag.unlink()
    assert front.finish(cell).text == "".join(f"{i} {'x' * 500}\n" for i in range(3000))
