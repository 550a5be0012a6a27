"""What comes at the very moment a run finishes."""

from __future__ import annotations

import warnings

from kernel_magics import tracking
from kernel_magics.model import MetricSource


def test_a_sample_while_the_journal_is_being_closed_numbers_no_metric_anew() -> None:
    """The telemetry thread may have a sample when the run is closed and its journal is still open."""
    run = tracking.init(project="p", name="race", capture={"packages": False, "diff": False})
    run.log({"m": 1.0}, step=0)
    scribe = run._scribe
    background = scribe._background
    assert background is not None
    close_writer = background._last
    numbered = []

    def sample_then_close() -> None:
        numbered.append(scribe.layout(("system/late",), MetricSource.SYSTEM))
        run._intake.take({"system/late": 1.0}, 0, MetricSource.SYSTEM, {})
        close_writer()

    background._last = sample_then_close
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nobody has lost anything
        run.finish()
    assert numbered == [None]
