"""Filters say which runs are meant; a mistake names its place; the panel is held to the same golden file."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kernel_magics as km
from kernel_magics.errors import UsageMistake
from kernel_magics.model import RunInfo, RunStatus
from kernel_magics.store import FilterMistake, open_store
from kernel_magics.store.filters import matcher, parse, to_text, unknown_fields
from kernel_magics.store.filters.matching import number_text
from kernel_magics.store.filters.tree import (
    Compare,
    Field,
    Has,
    Literal,
    Not,
    OneOf,
    Search,
    Within,
    conjunction,
    disjunction,
)

GOLDEN = json.loads(
    (Path(__file__).parents[3] / "tests" / "contracts" / "golden" / "filters.json").read_text()
)
RUNS = [
    RunInfo(**{**run, "status": RunStatus(run["status"]), "tags": tuple(run["tags"])})
    for run in GOLDEN["runs"]
]


@pytest.mark.parametrize("case", GOLDEN["filters"], ids=lambda case: case["filter"])
def test_a_filter_means_the_runs_of_the_golden_file(case):
    expression = parse(case["filter"])
    matches = matcher(expression, GOLDEN["now"])
    assert [index for index, run in enumerate(RUNS) if matches(run)] == case["runs"]
    assert to_text(expression) == case["text"]
    assert parse(case["text"]) == expression


@pytest.mark.parametrize("case", GOLDEN["mistakes"], ids=lambda case: case["filter"])
def test_a_mistake_names_its_place_and_what_to_write(case):
    with pytest.raises(FilterMistake) as caught:
        parse(case["filter"])
    found = caught.value
    assert [found.reason, found.start, found.end, found.remedy] == [
        case[key] for key in ("reason", "start", "end", "remedy")
    ]
    assert isinstance(found, UsageMistake)
    assert f"character {case['start'] + 1}" in found.message


def test_a_date_without_a_zone_is_a_day_of_the_local_clock(monkeypatch):
    import time

    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        started = {"id": "20261101-000000-aaaaaa", "name": "n", "project": "p", "status": RunStatus.FINISHED}
        noon_before = RunInfo(**started, created=1793480400.0 - 43200)  # 2026-10-31T12:00+13:00
        midnight = RunInfo(**started, created=1793444400.0)  # 2026-11-01T00:00+13:00
        on_that_day = matcher(parse("started = 2026-11-01"), 0.0)
        assert [on_that_day(run) for run in (noon_before, midnight)] == [False, True]
        assert matcher(parse("started < 2026-11-01"), 0.0)(noon_before)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_field_that_no_run_has_is_named():
    expression = parse("config.lr < 1 and config.lrr < 1 and los.last = 3 and name = x")
    assert unknown_fields(expression, RUNS) == ["config.lrr", "los.last"]
    assert unknown_fields(parse("status = failed"), []) == []


def test_the_store_lists_the_runs_that_a_filter_means(tmp_path):
    data = tmp_path / "data"
    for lr in (0.1, 0.01, 0.001):
        with km.init("digits", f"lr {lr}", {"lr": lr}, data_dir=data) as run:
            run.log({"loss": lr})
            run.log({"loss": 2 * lr})
            run.log({"loss": math.nan})
    with open_store(data) as store:
        names = [run.name for run in store.runs(where="config.lr < 0.1")]
        assert names == ["lr 0.001", "lr 0.01"]
        assert [run.name for run in store.runs(where="config.lr < 0.1", limit=1)] == ["lr 0.001"]
        assert [run.name for run in store.runs(where="loss.max = 0.2 and loss.min = 0.1")] == ["lr 0.1"]
        assert len(store.runs(where="loss.last = nan")) == 3
        assert store.runs(project="other", where="") == []
        with pytest.raises(FilterMistake):
            store.runs(where="config.lr <")


# What follows is checked with filters and runs that nobody thought of.

TEXTS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="`"), max_size=8)
NAMES = TEXTS.filter(lambda text: text.strip() and not text.startswith(("config.", "summary.", "facts.")))
FIELDS = st.one_of(
    st.sampled_from([Field("run", name) for name in ("name", "group", "tags", "notes")]),
    NAMES.map(lambda name: Field("config", name)),
)
METRICS = st.builds(Field, st.just("metric"), NAMES, st.sampled_from(["last", "min", "max", "best"]))
NUMBERS = st.floats(allow_nan=False).map(lambda value: Literal(repr(value)))
QUOTED = TEXTS.map(lambda text: Literal(text, True))
LEAVES = st.one_of(
    st.builds(Compare, FIELDS, st.sampled_from(["=", "!="]), st.one_of(QUOTED, NUMBERS)),
    st.builds(Compare, METRICS, st.sampled_from(["=", "<", ">", "<=", ">="]), NUMBERS),
    st.builds(OneOf, FIELDS, st.lists(QUOTED, min_size=1, max_size=3).map(tuple)),
    st.builds(Within, QUOTED, FIELDS),
    st.builds(Has, st.one_of(FIELDS, METRICS)),
    st.builds(Search, TEXTS),
)
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(conjunction),
        st.lists(inner, min_size=2, max_size=3).map(disjunction),
        inner.map(Not),
    ),
    max_leaves=8,
)


@given(EXPRESSIONS)
@settings(max_examples=300, deadline=None)
def test_what_is_printed_says_the_same(expression):
    assert parse(to_text(expression)) == expression


@given(st.text(max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_filter_or_a_mistake_at_a_place_in_it(text):
    try:
        matches = matcher(parse(text), 0.0)
    except FilterMistake as mistake:
        assert 0 <= mistake.start <= mistake.end <= len(text)
    else:
        assert all(isinstance(matches(run), bool) for run in RUNS)


def naive(expression: str, lr: object, loss: float | None) -> bool:
    """The meaning of a comparison by Python itself."""
    field, sign, number = expression.split()
    value = lr if field == "config.lr" else loss
    if sign == "!=":
        return not naive(f"{field} = {number}", lr, loss)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    compare = {"=": "__eq__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}[sign]
    return bool(getattr(float(value), compare)(float(number)))


COMPARISONS = st.builds(
    lambda *parts: " ".join(parts),
    st.sampled_from(["config.lr", "loss.last"]),
    st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    st.sampled_from(["0", "-1.5", "0.1", "1e3", "2"]),
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.just("x"), st.sampled_from([0, 2, 0.1, -1.5, 1000]), st.floats()
)


@given(COMPARISONS, COMPARISONS, st.sampled_from(["and", "or", ""]), st.booleans(), VALUES, st.floats())
@settings(max_examples=300, deadline=None)
def test_filters_agree_with_a_naive_evaluator(first, second, joint, negated, lr, loss):
    run = RunInfo(
        *("20261101-000000-aaaaaa", "n", "p", RunStatus.FINISHED),
        config={} if lr is None else {"lr": lr},
        summary={"loss": loss},
    )
    left, right = naive(first, lr, loss), naive(second, lr, loss)
    whole = (left or right) if joint == "or" else (left and right)
    text = f"{first} {joint} {second}"
    text = f"not ({text})" if negated else text
    assert matcher(parse(text), 0.0)(run) is (whole != negated)


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=300, deadline=None)
def test_a_number_is_written_as_short_as_javascript_does_and_reads_back(value):
    text = number_text(value)
    assert float(text) == value
    assert "e-0" not in text and not text.endswith(".0")
