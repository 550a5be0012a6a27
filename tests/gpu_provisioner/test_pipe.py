"""Who is attached lends the agent his stdin and stdout, and his end is the end of the pipe."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_provisioner import wire
from gpu_provisioner.agent.connection import Connection
from gpu_provisioner.agent.spool import Spool
from gpu_provisioner.agent.zeromq import zmq
from tests.gpu_provisioner.far import SshLab
from tests.gpu_provisioner.front import Front, Lab
from tests.waiting import wait_for

READABLE = dict.fromkeys(range(1024), zmq.POLLIN)


class Attached:
    """A connection of the agent, and the two ends of what was lent to it."""

    def __init__(self, kind: str, stack: ExitStack) -> None:
        ours, self.sock = socket.socketpair()
        stack.enter_context(self.sock)
        self.connection = stack.enter_context(closing(Connection(ours)))
        if kind == "socket":
            near, far = socket.socketpair()
            self.to_agent = self.from_agent = near.detach()
            reads = writes = far.detach()
        else:
            reads, self.to_agent = os.pipe()
            self.from_agent, writes = os.pipe()
        socket.send_fds(self.sock, [wire.encode_frame(b"L")], [reads, writes])
        for handle in {reads, writes}:
            os.close(handle)
        for handle in {self.to_agent, self.from_agent}:
            stack.callback(os.close, handle)
        assert self.connection.receive(READABLE) == [(b"L", b"")]


@pytest.fixture(params=["socket", "pipe"])
def attached(request: pytest.FixtureRequest) -> Iterator[Attached]:
    with ExitStack() as stack:
        yield Attached(request.param, stack)


def test_bytes_go_by_what_was_lent_both_ways(attached: Attached, tmp_path: Path) -> None:
    connection = attached.connection
    os.write(attached.to_agent, wire.encode_frame(b"P", b"ping"))
    assert connection.receive(READABLE) == [(b"P", b"ping")]
    spool = Spool(tmp_path / "spool")
    kept = os.urandom(2 << 20)
    spool.append(kept)
    connection.put(b"W", b"welcome")
    connection.offset = 0
    frames = wire.FrameReader()
    came: list[tuple[bytes, bytes]] = []
    while connection.wants_to_write(spool.end):
        connection.flush(spool)
        came += frames.feed(os.read(attached.from_agent, 1 << 20))
    os.set_blocking(attached.from_agent, False)
    try:
        came += frames.feed(os.read(attached.from_agent, 1 << 20))
    except BlockingIOError:
        pass  # all of it has been read already
    assert came[0] == (b"W", b"welcome")
    assert b"".join(body for tag, body in came if tag == wire.DATA) == kept


def test_what_is_answered_meanwhile_comes_between_frames_and_never_into_one(
    attached: Attached, tmp_path: Path
) -> None:
    connection = attached.connection
    spool = Spool(tmp_path / "spool")
    kept = os.urandom(3 << 20)
    spool.append(kept)
    connection.offset = 0
    frames = wire.FrameReader()
    came: list[tuple[bytes, wire.Buffer]] = []
    put = 0
    while connection.wants_to_write(spool.end):
        connection.flush(spool)
        if put < 40 and connection.offset < spool.end:
            connection.put(wire.RECEIPT, put.to_bytes(8, "big"))
            put += 1
        # Less than a frame at a time: there is always one that is on its way.
        came += frames.feed(os.read(attached.from_agent, 50_000))
    os.set_blocking(attached.from_agent, False)
    with suppress(BlockingIOError):
        while True:
            came += frames.feed(os.read(attached.from_agent, 1 << 20))
    assert b"".join(body for tag, body in came if tag == wire.DATA) == kept
    receipts = [wire.decode_offset(body) for tag, body in came if tag == wire.RECEIPT]
    assert receipts == list(range(put)) and put > 10


def test_the_end_of_who_lent_them_is_the_end_though_others_hold_the_other_ends(attached: Attached) -> None:
    os.write(attached.to_agent, wire.encode_frame(b"P"))
    attached.sock.shutdown(socket.SHUT_RDWR)
    assert attached.connection.receive(READABLE) == []
    assert attached.connection.closed


def test_descriptors_that_are_not_two_are_refused() -> None:
    ours, theirs = socket.socketpair()
    with closing(Connection(ours)) as connection, theirs, Path(os.devnull).open() as one:
        socket.send_fds(theirs, [wire.encode_frame(b"L")], [one.fileno()])
        assert connection.receive(READABLE) == []
        assert connection.closed


@given(
    lengths=st.lists(st.sampled_from([0, 3, wire.LONG - 1, wire.LONG, 200_000]), max_size=6),
    cuts=st.lists(st.sampled_from([3, 4096, 65_541, 300_000]), max_size=8).map(lambda cuts: [*cuts, 100_000]),
)
@settings(deadline=None, max_examples=50)
def test_frames_are_the_same_however_they_come_out_of_a_pipe(lengths: list[int], cuts: list[int]) -> None:
    said = [(b"M", bytes([number]) * length) for number, length in enumerate(lengths)]
    data = memoryview(b"".join(wire.encode_frame(tag, body) for tag, body in said))
    heard: list[tuple[bytes, wire.Buffer]] = []
    with ExitStack() as stack:
        attached = Attached("pipe", stack)
        os.set_blocking(attached.to_agent, False)
        turn = 0
        while data:
            try:
                data = data[os.write(attached.to_agent, data[: cuts[turn % len(cuts)]]) :]
            except BlockingIOError:
                pass  # it is read below
            heard += attached.connection.receive(READABLE)
            turn += 1
        while frames := attached.connection.receive(READABLE):
            heard += frames
    assert [(tag, bytes(body)) for tag, body in heard] == said


@pytest.mark.parametrize("lends", [True, False], ids=["this version", "an agent that takes none"])
def test_a_cell_runs_whether_or_not_the_agent_takes_the_descriptors(lab: Lab, lends: bool) -> None:
    """An agent may be of an older version than who attaches: then what crosses is copied."""
    front = lab.kernel()
    if not lends:
        lab.take_no_pipes(front)
    before = moved_bytes(front)
    assert len(front.execute("print('x' * 10_000_000)").text) == 10_000_001
    assert (moved_bytes(front) - before > 10_000_000) is (not lends)


def moved_bytes(front: Front) -> int:
    """What the attached process itself has written, in bytes."""
    return int(wait_for(front.carrier, "a carrier runs").io_counters().write_chars)


def test_the_far_end_of_a_broken_ssh_is_gone_soon_and_the_agent_holds_nothing_of_it(ssh_lab: SshLab) -> None:
    front = ssh_lab.kernel()
    facts = json.loads((ssh_lab.far.agents / front.holder.lease.id / "agent.json").read_text())
    agent = psutil.Process(facts["pid"])
    held = agent.num_fds()
    for _ in range(3):
        ssh_lab.reconnect(front)
    front.execute("pass")
    wait_for(lambda: agent.num_fds() <= held, "what was lent has been given back")
