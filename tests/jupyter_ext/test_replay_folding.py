"""What a cell showed in the end, however many messages it said it in."""

from __future__ import annotations

import json
import time

import pytest

from gpu_provisioner import wire
from gpu_provisioner.home_cells import Parents
from jupyter_ext.replay_cell import CellFilters, folded, joined
from jupyter_ext.replay_streams import shown_in
from kernel_magics.store.folding import Folder


def stream(text: str, name: str = "stdout") -> tuple[str, dict[str, str]]:
    return "stream", {"name": name, "text": text}


LINES = [
    stream(f"step {number:8} loss 0.123456 acc 0.98765 time 12.34 s/it eta 1:23\n")
    for number in range(100_000)
]


def test_a_hundred_thousand_messages_are_one_text_at_once():
    """A page that is loaded anew after a night of training must not hold the server for minutes."""
    whole = "".join(content["text"] for _kind, content in LINES)
    began = time.perf_counter()
    assert folded(LINES) == [stream(whole)]
    assert joined(LINES) == [stream(whole)]
    assert time.perf_counter() - began < 10


def test_text_that_is_looked_at_goes_on_and_is_cleared():
    folder = Folder()
    for text in ("a", "b", "c"):
        folder.add("cell", *stream(text))
        folder.messages("cell")
    folder.add("cell", *stream("!", "stderr"))
    folder.add("cell", *stream("?", "stderr"))
    assert folder.messages("cell") == [stream("abc"), stream("!?", "stderr")]
    folder.add("cell", "clear_output", {"wait": True})
    assert folder.messages("cell") == [
        stream("abc"),
        stream("!?", "stderr"),
        ("clear_output", {"wait": True}),
    ]
    folder.add("cell", *stream("new"))
    folder.add("cell", *stream("er"))
    assert folder.messages("cell") == [stream("newer")]
    folder.add("cell", *stream("st"))
    folder.add("cell", "clear_output", {})
    folder.add("cell", *stream("last"))
    assert folder.outputs("cell") == [{"output_type": "stream", "name": "stdout", "text": "last"}]


@pytest.mark.parametrize("kind", ["stream", "error", "clear_output", "update_display_data", "comm_msg"])
@pytest.mark.parametrize("content", [b"[1]", b"null", b"3", b"{", b"[" * 100_000])
def test_what_is_no_message_does_not_keep_the_others_from_the_page(kind, content):
    parent = json.dumps({"msg_id": "key"}).encode()
    head = json.dumps({"msg_type": kind, "msg_id": "m"}).encode()
    record = (1, wire.IOPUB, [head, parent, b"{}", content])
    assert shown_in([CellFilters({"key": 0})], Parents(), record) == []


@pytest.mark.parametrize("strange", ["many", [], {}, float("inf"), -1, True, None, 10**400])
def test_a_strange_account_of_what_was_left_out_hides_no_other_output(strange):
    folder = Folder()
    folder.add("cell", *stream("before\n"))
    folder.add("cell", "cut", {"messages": strange, "bytes": strange, "limit": strange})
    folder.add("cell", *stream("behind\n"))
    texts = [content["text"] for _kind, content in folder.messages("cell")]
    assert (texts[0], texts[-1]) == ("before\n", "behind\n") and "left out 0 messages" in texts[1]
