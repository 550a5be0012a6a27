"""An answer is waited for as long as something comes before it, and then it is said that it does not come."""

from __future__ import annotations

import itertools
from concurrent.futures import Future

import pytest

from kernel_magics.bridge.pending import Reply
from kernel_magics.bridge.remote import answer_of
from kernel_magics.errors import KernelLost


def test_an_answer_behind_much_output_is_waited_for_beyond_every_limit() -> None:
    asked: Future[Reply] = Future()
    answer = Reply("kernel_info_reply", {}, {}, ())
    looks = itertools.count()

    def moves() -> int:
        look = next(looks)
        if look == 20:
            asked.set_result(answer)
        return look

    assert answer_of(asked, "gpu1", 0.0, moves, look_s=0.001) is answer


def test_a_kernel_from_which_nothing_comes_is_said_to_be_silent_and_not_waited_for() -> None:
    with pytest.raises(KernelLost, match="The kernel on gpu1 does not answer: nothing has come") as caught:
        answer_of(Future(), "gpu1", 0.0, lambda: 1, look_s=0.001)
    assert "%gpu_attach" in (caught.value.remedy or "")
