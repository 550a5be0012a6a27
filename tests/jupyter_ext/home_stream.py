"""A kernel's stream as it comes home, written by a test."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from gpu_provisioner import wire
from gpu_provisioner.home import HomeJournal, home_folder
from gpu_provisioner.lease_lock import lock_lease
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState


class Stream:
    """The home journal of one lease, which is held while this is open."""

    def __init__(self, data_dir: Path, name: str = "cpu-test-1") -> None:
        lease = Lease(name, "cpu", "local", "local", "cpu", LeaseState.READY, time.time())
        self.held = lock_lease(home_folder(data_dir, name), lease)
        LeaseBook(data_dir).save(lease)
        self.journal = HomeJournal(home_folder(data_dir, name))

    def add(self, *records: bytes) -> None:
        self.journal.append(b"".join(records))

    def cell(self, key: str, cell_id: str = "c1", kernel: str = "kernel-1", session: str = "page") -> None:
        facts = {"msg_id": key, "session": session, "cell_id": cell_id, "notebook": None, "kernel_id": kernel}
        self.add(wire.encode_event("cell", **facts))
        self.say(key, "execute_input", {"code": "", "execution_count": 7})

    def say(self, key: str, kind: str, content: dict[str, Any], channel: int = wire.IOPUB) -> None:
        header, parent = {"msg_id": "x", "msg_type": kind}, {"msg_id": key}
        self.add(
            wire.encode_record(channel, [json.dumps(part).encode() for part in (header, parent, {}, content)])
        )

    def write(self, key: str, text: str) -> None:
        self.say(key, "stream", {"name": "stdout", "text": text})

    def end(self, key: str) -> None:
        self.say(key, "status", {"execution_state": "idle"})

    def close(self) -> None:
        self.journal.close()
        self.held.close()
