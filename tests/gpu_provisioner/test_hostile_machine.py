"""A machine that sends what no agent sends: the line is made again, the user is told, nothing beside it is
lost."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_provisioner import wire
from gpu_provisioner.agent.streams import END
from gpu_provisioner.carrier import Carrier
from gpu_provisioner.holder import Holder
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.transfer_carrier import FarFile, Getting, Putting, Wanted
from gpu_provisioner.wire import Record
from tests.waiting import wait_for

DEEP = b'{"a":' * 100_000


def welcome(at: int, **more: object) -> bytes:
    whole = {"epoch": 1, "up": 0, "offset": at, "end": at, "pid": 1, "machine": {}, "ready": True}
    return wire.encode_json_frame(wire.WELCOME, {**whole, **more})


def after_a_welcome(*records: bytes) -> bytes:
    return welcome(0) + wire.encode_frame(wire.DATA, b"".join(records))


def without(key: str) -> bytes:
    [(_, body)] = wire.FrameReader().feed(welcome(0))
    return wire.encode_json_frame(
        wire.WELCOME, {name: value for name, value in wire.from_json(body).items() if name != key}
    )


HOSTILE = {
    "a welcome without an offset": without("offset"),
    "a welcome without an epoch": without("epoch"),
    "an offset that is a text": welcome(0, offset="x"),
    "an endless count": welcome(0, up=float("inf")),
    "an end no file can have": welcome(0, end=1 << 64),
    "a welcome of brackets": wire.encode_frame(wire.WELCOME, DEEP),
    "an event without parts": after_a_welcome(wire.encode_record(wire.EVENT, [])),
    "an event of brackets": after_a_welcome(wire.encode_record(wire.EVENT, [DEEP])),
    "a death of no kernel": after_a_welcome(wire.encode_event("kernel-died")),
    "a start of no kernel": after_a_welcome(wire.encode_event("kernel-started", epoch=None)),
    "trouble of brackets": welcome(0) + wire.encode_frame(wire.TROUBLE, DEEP),
}


class FarSide:
    """The first carrier sends what it is told to; those that follow are an agent's."""

    def __init__(self, folder: Path, first: bytes) -> None:
        self._folder, self._first = folder, first
        self.opened = 0
        self.holder: Holder | None = None

    def open(self, lease: Lease) -> tuple[Carrier, bytes]:
        assert self.holder is not None
        said = self._folder / f"said-{self.opened}"
        said.write_bytes(welcome(self.holder.home_end) if self.opened else self._first)
        self.opened += 1
        # What goes up is taken and thrown away, until the line is closed.
        return Carrier(["sh", "-c", f"cat {shlex.quote(str(said))}; exec cat 3>&1 > /dev/null"]), b""


@pytest.fixture
def lease() -> Lease:
    return Lease("cpu-1", "cpu", "local", "local", "cpu", LeaseState.READY, 0.0)


@pytest.fixture
def holders() -> Iterator[list[Holder]]:
    made: list[Holder] = []
    yield made
    for holder in made:
        holder.detach()


@pytest.mark.parametrize("first", HOSTILE.values(), ids=HOSTILE.keys())
def test_the_line_is_made_again_and_the_user_is_told(
    first: bytes, lease: Lease, holders: list[Holder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = FarSide(tmp_path, first)
    monkeypatch.setattr("gpu_provisioner.holder.open_carrier", far.open)
    told: list[tuple[str, str]] = []
    holder = Holder(lease, tmp_path / "data", on_state=lambda state: told.append((state, holder.detail)))
    holders.append(holder)
    far.holder = holder
    holder.keep_line()
    wait_for(lambda: far.opened > 1 and holder.state == "up", "the line is up again")
    assert [detail for state, detail in told if state == "down"], told
    assert all("sent what its agent never sends" in detail for state, detail in told if state == "down"), told


def test_what_came_beside_a_record_that_is_none_is_passed_on(
    lease: Lease, holders: list[Holder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = wire.encode_record(wire.IOPUB, [b"before"]), wire.encode_record(wire.IOPUB, [b"behind"])
    far = FarSide(tmp_path, after_a_welcome(good[0], wire.encode_record(wire.EVENT, [b"["]), good[1]))
    monkeypatch.setattr("gpu_provisioner.holder.open_carrier", far.open)
    came: list[Record] = []
    holder = Holder(lease, tmp_path / "data", on_records=came.extend)
    holders.append(holder)
    far.holder = holder
    holder.keep_line()
    wait_for(lambda: far.opened > 1 and holder.state == "up", "the line is up again")
    assert [parts for _, _, parts in came] == [[b"before"], [b"behind"]]


BROKEN = {
    "no welcome of ours": wire.encode_json_frame(wire.WELCOME, {}),
    "a place before the beginning": wire.encode_json_frame(wire.WELCOME, {"offset": -5, "size": -5}),
    "a place that is a text": wire.encode_json_frame(wire.WELCOME, {"offset": "x", "size": "x"}),
    "brackets": wire.encode_frame(wire.WELCOME, DEEP),
}


@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN.keys())
def test_a_transfer_is_not_ended_by_what_no_machine_sends(said: bytes, tmp_path: Path) -> None:
    """``WireError`` is what another carrier follows on."""
    (tmp_path / "said").write_bytes(said)
    (tmp_path / "file").write_bytes(b"content")
    argv = ["sh", "-c", f"cat {shlex.quote(str(tmp_path / 'said'))}; exec cat 3>&1 > /dev/null"]
    wanted = Wanted(FarFile("file", 7, 0), tmp_path / "part")
    getting = Getting([wanted], lambda wanted, changed: None, lambda advance: None)
    putting = Putting(tmp_path / "file", lambda advance: None)
    for carry in (getting.take, putting.send):
        carrier = Carrier(argv)
        try:
            with pytest.raises(wire.WireError):
                carry(carrier, b"")
        finally:
            carrier.close()


def test_a_file_whose_receipt_is_none_is_fetched_anew(tmp_path: Path) -> None:
    end = wire.encode_json_frame(wire.WELCOME, {"size": 4}) + wire.encode_frame(wire.DATA, b"some")
    (tmp_path / "said").write_bytes(end + wire.encode_json_frame(END, {}))
    wanted = Wanted(FarFile("file", 4, 0), tmp_path / "part")
    getting = Getting([wanted], lambda wanted, changed: None, lambda advance: None)
    carrier = Carrier(["cat", str(tmp_path / "said")])
    try:
        with pytest.raises(wire.WireError, match="changed while"):
            getting.take(carrier, b"")
    finally:
        carrier.close()
    assert not wanted.part.exists()
