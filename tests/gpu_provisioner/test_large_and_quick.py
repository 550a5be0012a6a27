"""What is large crosses whole, both ways; what is asked in a row is asked once."""

from __future__ import annotations

import hashlib
import random

import pytest

from gpu_provisioner import openssh, wire
from gpu_provisioner.providers import provider_of
from tests.gpu_provisioner.far import Far, SshLab
from tests.gpu_provisioner.front import Lab

LISTEN = """
import hashlib
seen = []
def opened(comm, message): seen.extend(hashlib.sha256(each).hexdigest() for each in message['buffers'])
get_ipython().kernel.comm_manager.register_target('sums', opened)
"""
SHOW = """
import random
made = random.Random(7).randbytes({count})
get_ipython().kernel.session.send(get_ipython().kernel.iopub_socket, 'display_data',
    {{'data': {{'text/plain': 'large'}}, 'metadata': {{}}}}, parent=get_ipython().kernel.get_parent(),
    ident=b'display_data', buffers=[made, b'small'])
"""


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("count", [(1 << 16) - 1, 1 << 16, 20_000_003])
def test_buffers_of_any_size_arrive_whole_both_ways_and_in_order(lab: Lab, count: int) -> None:
    front = lab.kernel()
    front.execute(LISTEN)
    made = random.Random(7).randbytes(count)
    content = {"comm_id": "one", "target_name": "sums", "data": {}}
    header = {
        "msg_id": "up",
        "msg_type": "comm_open",
        "session": "test",
        "username": "test",
        "version": "5.3",
    }
    header["date"] = "2026-01-01T00:00:00+00:00"
    parts = [wire.to_json(part) for part in (header, {}, {}, content)]
    front.holder.post(wire.SHELL, [*parts, made, b"small"])
    cell = front.execute("print(*seen)")
    assert cell.text.split() == [digest(made), digest(b"small")]
    came: list[list[bytes]] = []
    kept = front.holder._on_records

    def listen(records: list[wire.Record]) -> None:
        came.extend(parts[4:] for _, channel, parts in records if channel == wire.IOPUB and len(parts) > 4)
        kept(records)

    front.holder._on_records = listen
    front.execute(SHOW.format(count=count))
    assert [[digest(part) for part in parts] for parts in came] == [[digest(made), digest(b"small")]]


@pytest.mark.parametrize(("trusted_s", "sessions"), [(600.0, 1), (0.0, 2)])
def test_a_machine_that_has_just_answered_is_not_asked_whether_it_does(
    ssh_lab: SshLab, far: Far, monkeypatch: pytest.MonkeyPatch, trusted_s: float, sessions: int
) -> None:
    monkeypatch.setattr(openssh, "_TRUSTED_S", trusted_s)
    log = far.keys / "sshd.log"
    provider = provider_of(ssh_lab.target(), tuple)
    assert provider.find("nothing") == []
    before = log.read_text().count("Starting session")
    assert provider.find("nothing") == []
    assert log.read_text().count("Starting session") - before == sessions
