"""What a person says about a metric is with it in the journal, whenever it was said."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

import kernel_magics as km
from kernel_magics.journal.format import Kind
from kernel_magics.tracking import active
from kernel_magics.tracking.notices import TracksideWarning

Records = Callable[[str], list[Any]]


def metrics(record: Any) -> dict[str, dict[str, Any]]:
    """As a reader puts them together: a later frame of an id refines the earlier ones."""
    found: dict[int, dict[str, Any]] = {}
    for content in record.all(Kind.METRIC):
        found.setdefault(content["id"], {}).update(content)
    return {
        content.pop("name"): {key: content[key] for key in ("unit", "better", "x") if key in content}
        for content in found.values()
    }


def test_said_before_or_after_the_first_log_it_is_on_the_record(records: Records) -> None:
    with km.init() as run:
        run.define_metric("loss", better="lower")
        run.log({"loss": 1.0, "acc": 0.5, "epoch": 1})
        km.define_metric("acc", unit="%", better="higher", x="epoch")
        run.log({"loss": 1.0, "acc": 0.5, "epoch": 2})
    (record,) = records(run.id)
    assert metrics(record) == {
        "loss": {"better": "lower"},
        "acc": {"unit": "%", "better": "higher", "x": "epoch"},
        "epoch": {},
    }
    assert [content["id"] for content in record.all(Kind.METRIC)] == [0, 1, 2, 1]
    assert record.points("acc") == [(0, 0.5), (1, 0.5)]
    assert len(record.all(Kind.LAYOUT)) == 1


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("val/*", {"val/loss", "val/acc/top1", "val/a\nb"}),
        ("*loss", {"loss", "val/loss", "loss[0]loss"}),
        ("*", {"loss", "val/loss", "val/acc/top1", "val/a\nb", "loss[0]", "loss[0]loss", "x.y"}),
        ("loss[0]", {"loss[0]"}),
        ("x?y", set()),
        ("x.y", {"x.y"}),
    ],
)
def test_a_star_stands_for_any_characters_and_nothing_else_is_special(
    records: Records, pattern: str, fits: set[str]
) -> None:
    names = ["loss", "val/loss", "val/acc/top1", "val/a\nb", "loss[0]", "loss[0]loss", "x.y"]
    with km.init() as run:
        run.log(dict.fromkeys(names[:3], 0.0))
        run.define_metric(pattern, unit="u")
        run.log(dict.fromkeys(names, 0.0))
    assert {name for name, said in metrics(records(run.id)[0]).items() if said} == fits


def test_the_last_word_wins_key_by_key(records: Records) -> None:
    with km.init() as run:
        run.define_metric("*", unit="a", better="lower")
        run.define_metric("acc", better="higher")
        run.log({"acc": 1.0, "loss": 1.0})
        run.define_metric("acc", unit="%")
    assert metrics(records(run.id)[0]) == {
        "acc": {"unit": "%", "better": "higher"},
        "loss": {"unit": "a", "better": "lower"},
    }


def test_inferred_numbers_are_meant_as_logged_ones_and_telemetry_is_not_touched(records: Records) -> None:
    with km.init() as run:
        run.log_inferred({"loss": 1.0})
        run.record_system({"cpu": 1.0}, {"cpu": "%"})
        run.define_metric("*", unit="u")
    by_source = {content["source"]: content.get("unit") for content in records(run.id)[0].all(Kind.METRIC)}
    assert by_source["inferred"] == "u"
    assert by_source["system"] != "u"


def test_a_forked_child_knows_what_was_said(records: Records) -> None:
    with km.init() as run:
        run.define_metric("loss", better="lower")
        child = os.fork()
        if child == 0:
            run.log({"loss": 1.0})
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    _, member = records(run.id)
    assert metrics(member) == {"loss": {"better": "lower"}}


def test_a_direction_there_is_not_is_said_once_and_the_rest_is_kept(records: Records) -> None:
    with km.init() as run:
        with pytest.warns(TracksideWarning, match='"lower" or "higher", not \'min\'') as heard:
            run.define_metric("loss", better="min", unit="nats")
            run.define_metric("loss", better="min", unit="nats")
        run.log({"loss": 1.0})
    assert len(heard) == 1
    assert metrics(records(run.id)[0]) == {"loss": {"unit": "nats"}}


def test_without_a_run_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(active, "_told_no_run", False)
    monkeypatch.setattr(active, "_runs", [])
    with pytest.warns(TracksideWarning, match=r"define_metric\(\) recorded nothing: no run is active"):
        km.define_metric("loss", better="lower")
