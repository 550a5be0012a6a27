"""What has only a time finds its step."""

from __future__ import annotations

import numpy as np
import pytest

from kernel_magics.errors import UnknownRun

RUN = "20261122-141503-aaaaaa"


@pytest.mark.parametrize("count", [1, 100, 4096, 20_000])
def test_the_step_at_a_time_is_that_of_the_last_point_before_it(count, journal, reopen):
    times = np.cumsum(np.random.default_rng(count).exponential(size=count))
    steps = np.arange(count) * 3
    journal.log_many("loss", steps, times, np.zeros(count))
    journal.log({"rare": 1.0}, 7, 0.5)
    asked = [*np.linspace(0, times[-1] + 1, 40).tolist(), float(times[-1]), float(times[0])]
    before = [np.flatnonzero(times <= one) for one in asked]
    expected = [int(steps[places[-1]]) if len(places) else None for places in before]
    assert reopen().steps_at(RUN, asked) == expected


def test_without_a_logged_point_there_is_no_step(journal, reopen):
    journal.log({"system/cpu": 1.0}, 0, 1.0, source="system")
    store = reopen()
    assert store.steps_at(RUN, [0.0, 5.0]) == [None, None]
    with pytest.raises(UnknownRun):
        store.steps_at("20261122-141503-zzzzzz", [0.0])
