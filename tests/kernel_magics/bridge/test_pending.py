"""Who waits for which answer: reply and idle in any order, a kernel that dies, a request that overtakes."""

from __future__ import annotations

from typing import Any

import pytest

from kernel_magics.bridge.ipykernel_names import LocalKernel, UnsupportedKernel
from kernel_magics.bridge.pending import Pending, Reply, Wants

BOTH = Wants(idle=True)


@pytest.mark.parametrize("order", [("reply", "idle"), ("idle", "reply")])
def test_an_answer_is_complete_with_reply_and_idle(order: tuple[str, str]) -> None:
    pending = Pending()
    future = pending.expect("a", BOTH)
    acts: dict[str, Any] = {
        "reply": lambda: pending.replied("a", Reply("execute_reply", {"n": 1})),
        "idle": lambda: pending.idle("a"),
    }
    acts[order[0]]()
    assert not future.done()
    acts[order[1]]()
    assert future.result(0).content == {"n": 1}


def test_a_second_reply_and_a_stranger_are_dropped() -> None:
    pending = Pending()
    future = pending.expect("a", BOTH)
    pending.replied("a", Reply("execute_reply", 1))
    pending.replied("a", Reply("execute_reply", 2))
    pending.idle("b")
    pending.idle("a")
    assert future.result(0).content == 1
    pending.idle("a")


def test_a_dead_kernel_fails_what_it_owed_and_nothing_else() -> None:
    """On a new epoch pending requests fail, and are never sent again; those for the new kernel wait on."""
    pending = Pending()
    old, new = pending.expect("old", BOTH), pending.expect("new", BOTH)
    pending.posted("old", 1)
    pending.posted("new", 2)
    pending.fail("it died", 1)
    assert old.result(0).lost == "it died"
    assert not new.done()


def test_a_request_after_the_end_fails_at_once() -> None:
    """A transfer asks its next question when the machine is gone: nobody waits for what cannot come."""
    pending = Pending()
    pending.posted("earlier", 1)
    pending.fail("the machine is gone")
    future = pending.expect("late", BOTH)
    pending.posted("late", 2)
    assert future.result(0).lost == "the machine is gone"


def test_a_request_that_was_posted_to_a_kernel_known_to_be_dead_fails() -> None:
    """The news of the death may come between posting and noting it."""
    pending = Pending()
    future = pending.expect("late", BOTH)
    pending.fail("it died", 3)
    assert not future.done()
    pending.posted("late", 3)
    assert future.result(0).lost == "it died"


def test_a_cancelled_wait_disturbs_nobody() -> None:
    pending = Pending()
    future = pending.expect("a", Wants())
    future.cancel()
    pending.replied("a", Reply("x", 1))
    assert not pending.waits("a")


def test_a_kernel_that_lacks_what_we_need_is_named() -> None:
    """Before anything is rented, and not in the middle of a cell."""

    class Odd:
        session = None

    with pytest.raises(UnsupportedKernel) as caught:
        LocalKernel(Odd())
    assert "_abort_queues" in str(caught.value) and "Nothing was rented" in str(caught.value)
