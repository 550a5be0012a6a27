"""A server that stops while it gives a machine back."""

from __future__ import annotations

import asyncio
import logging
import shlex
import threading
from pathlib import Path

import pytest

from gpu_provisioner import wire
from gpu_provisioner.carrier import Carrier
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from jupyter_ext.stand_ins import StandIns


class SlowProvider:
    """Takes a machine back when it is told to."""

    def __init__(self) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()

    def release(self, lease: Lease) -> None:
        self.asked.set()
        assert self.go_on.wait(60)


async def test_a_machine_that_is_being_given_back_goes_back_before_the_server_has_stopped(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = Lease("cpu-1", "cpu", "local", "local", "cpu", LeaseState.READY, 0.0)
    book, provider = LeaseBook(data_dir), SlowProvider()
    book.save(lease)
    welcome = {"epoch": 1, "up": 0, "offset": 0, "end": 0, "pid": 1, "machine": {}, "ready": True}
    said = tmp_path / "said"
    said.write_bytes(
        wire.encode_json_frame(wire.WELCOME, welcome)
        + wire.encode_frame(wire.DATA, wire.encode_event("stopping", by="idleness", release=True))
        + wire.encode_json_frame(wire.REFUSAL, {"reason": "stopped"})
    )
    argv = ["sh", "-c", f"cat {shlex.quote(str(said))}; exec cat 3>&1 > /dev/null"]
    monkeypatch.setattr("gpu_provisioner.holder.open_carrier", lambda _: (Carrier(argv), b""))
    monkeypatch.setattr("gpu_provisioner.holder.provider_of_lease", lambda _: provider)
    server = StandIns(data_dir, logging.getLogger(__name__), patience_s=0.0)
    server.start()
    assert await asyncio.to_thread(provider.asked.wait, 60)
    asyncio.get_running_loop().call_later(0.5, provider.go_on.set)
    await server.stop()
    over = book.load(lease.id)
    assert (over.state, over.detail) == (LeaseState.RELEASED, "released by idleness")
