"""Trap 14: what piled up during an outage passes below what a Jupyter Server lets through."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kernel_magics.bridge.outbox import Outbox, Outgoing, in_portions
from tests.waiting import wait_for

SERVER_WINDOW_S, SERVER_MESSAGES, SERVER_STREAM_BYTES = 3.0, 3000, 3_000_000


class RecordingKernel:
    """Takes what is sent, with the time it came."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, str, Sequence[bytes]]] = []

    def frames(self, msg_type: str, parts: Sequence[bytes]) -> Any:
        return (msg_type, parts)

    def send(self, batch: Sequence[Any]) -> None:
        self.sent += [(time.monotonic(), msg_type, parts) for msg_type, parts in batch]


def stream(text: str, name: str = "stdout", parent: str = "p") -> Outgoing:
    content = json.dumps({"name": name, "text": text}).encode()
    return Outgoing("stream", parent, [b"{}", json.dumps({"msg_id": parent}).encode(), b"{}", content])


def display(number: int) -> Outgoing:
    return Outgoing("display_data", "p", [b"{}", b"{}", b"{}", json.dumps({"n": number}).encode()])


def texts(items: Sequence[Any]) -> list[tuple[str, str, str]]:
    """(parent, name, text), adjacent text of one stream joined."""
    joined: list[tuple[str, str, str]] = []
    for item in items:
        content = json.loads(item.parts[3])
        key = (item.parts[1].decode(), content["name"])
        if joined and joined[-1][:2] == key:
            joined[-1] = (*key, joined[-1][2] + content["text"])
        else:
            joined.append((*key, content["text"]))
    return joined


PIECES = st.lists(
    st.tuples(st.text(max_size=30), st.sampled_from(["stdout", "stderr"]), st.sampled_from("pq"))
)


@given(PIECES)
def test_merging_changes_no_text_and_no_order(pieces: list[tuple[str, str, str]]) -> None:
    items = [stream(*piece) for piece in pieces if piece[0]]
    merged = list(in_portions(items))
    assert texts(merged) == texts(items)
    assert len(merged) <= len(items)


def test_a_long_text_is_split_since_the_server_would_drop_it_whole() -> None:
    portions = list(in_portions([stream("x" * 5_000_000)]))
    assert max(portion.stream_bytes for portion in portions) < SERVER_STREAM_BYTES / 10
    assert texts(portions)[0][2] == "x" * 5_000_000


def test_messages_pass_straight_through_when_nothing_piled_up() -> None:
    kernel = RecordingKernel()
    outbox, called = Outbox(kernel, paced=True), []
    outbox.send([display(1), display(2)])
    outbox.then(lambda: called.append(len(kernel.sent)))
    assert called == [2]


def test_a_backlog_stays_below_the_servers_limits_and_in_order() -> None:
    kernel = RecordingKernel()
    outbox, done = Outbox(kernel, paced=True), threading.Event()
    outbox.catch_up()
    for start in range(0, 4000, 500):
        outbox.send([display(number) for number in range(start, start + 500)])
    outbox.send([stream("y" * 50_000) for _ in range(40)])
    order: list[int] = []
    outbox.then(lambda: order.append(len(kernel.sent)))
    outbox.then(done.set)
    assert done.wait(60)
    numbers = [json.loads(parts[3])["n"] for _, msg_type, parts in kernel.sent if msg_type == "display_data"]
    assert numbers == list(range(4000))
    assert order == [len(kernel.sent)]
    assert sum(len(json.loads(p[3])["text"]) for _, kind, p in kernel.sent if kind == "stream") == 2_000_000
    for index, (begin, _, _) in enumerate(kernel.sent):
        window = [each for each in kernel.sent[index:] if each[0] <= begin + SERVER_WINDOW_S]
        assert len(window) <= SERVER_MESSAGES
        assert sum(len(b"".join(p)) for _, kind, p in window if kind == "stream") <= SERVER_STREAM_BYTES


def test_after_a_backlog_messages_pass_straight_through_again() -> None:
    kernel = RecordingKernel()
    outbox = Outbox(kernel, paced=True)
    outbox.catch_up()
    outbox.send([display(1)])

    def passes_straight_through() -> bool:
        before = len(kernel.sent)
        outbox.send([display(2)])
        return len(kernel.sent) == before + 1

    wait_for(lambda: not outbox.is_catching_up, what="the backlog is over")
    assert passes_straight_through()


def test_without_a_jupyter_server_nothing_is_held_back() -> None:
    kernel = RecordingKernel()
    outbox = Outbox(kernel, paced=False)
    outbox.catch_up()
    outbox.send([display(number) for number in range(10_000)])
    assert len(kernel.sent) == 10_000
