"""What browsers send is checked before anything is done with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext import queries
from jupyter_ext.errors import BadQuery
from jupyter_ext.queries import Watch, WindowQuery

RUN = "20261122-141503-k3f9qz"
GOOD = {"runs": [RUN], "metric": "loss", "x": "step", "start": None, "stop": 5, "width": 640}

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_a_query_takes_its_defaults() -> None:
    query = WindowQuery.from_json({"runs": [RUN, RUN], "metric": "loss"})
    assert query == WindowQuery((RUN,), "loss", "step", None, None, 1000)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"runs": []}, "runs"),
        ({"runs": "all"}, "runs"),
        ({"runs": [1]}, "runs"),
        ({"runs": ["../../etc/passwd"]}, "no run id"),
        ({"runs": [f"20261122-141503-{n:06}" for n in range(1001)]}, "1,001"),
        ({"metric": ""}, "metric"),
        ({"metric": "x" * 1025}, "metric"),
        ({"metric": "\ud800"}, "Unicode"),
        ({"x": ""}, "`x`"),
        ({"x": []}, "`x`"),
        ({"groups": []}, "groups"),
        ({"groups": [[]]}, "runs"),
        ({"groups": [[RUN], [RUN]]}, "exactly one group"),
        ({"groups": [[f"{RUN}x"]]}, "exactly one group"),
        ({"groups": "config.lr"}, "groups"),
        ({"start": "0"}, "start"),
        ({"stop": float("nan")}, "finite"),
        ({"stop": 10**400}, "finite"),
        ({"start": True}, "start"),
        ({"width": 0}, "width"),
        ({"width": 10_001}, "10,000"),
        ({"width": 1.5}, "width"),
        ({"width": True}, "width"),
        ({"smoothing": 1}, "smoothing"),
        ({"smoothing": -0.1}, "smoothing"),
        ({"smoothing": "much"}, "smoothing"),
        ({"smoothing": float("nan")}, "smoothing"),
        ({"smoothing": True}, "smoothing"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_query_is_refused_by_the_name_of_its_field(change: dict[str, Any], word: str) -> None:
    with pytest.raises(BadQuery, match=word):
        WindowQuery.from_json({**GOOD, **change})


@pytest.mark.parametrize("field", ["runs", "metric"])
def test_a_query_without_a_needed_field_is_refused(field: str) -> None:
    with pytest.raises(BadQuery, match=field):
        WindowQuery.from_json({key: value for key, value in GOOD.items() if key != field})


@given(anything)
def test_any_json_is_a_watch_or_a_bad_query(message: object) -> None:
    try:
        Watch.from_json(message)
    except BadQuery as mistake:
        assert mistake.message.endswith(".")


@given(st.fixed_dictionaries(dict.fromkeys(GOOD, anything)))
def test_any_fields_make_a_query_or_a_bad_query(message: object) -> None:
    try:
        WindowQuery.from_json(message)
    except BadQuery as mistake:
        assert mistake.message.endswith(".")


def test_a_watch_of_too_many_series_is_refused() -> None:
    with pytest.raises(BadQuery, match="at most 200 series; this one has 201"):
        Watch.from_json({"type": "watch", "id": 1, "series": [GOOD] * 201})


@pytest.mark.parametrize("text", ["", "{", "\ufeff[", "[" * 100_000])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(BadQuery, match="not JSON"):
        queries.json_body(text)


@pytest.mark.parametrize("text", ["0", "-1", "1e3", "100001", "٣", "", "nan"])
def test_a_limit_is_a_whole_number(text: str) -> None:
    with pytest.raises(BadQuery, match="limit"):
        queries.limit(text)


@pytest.mark.parametrize("text", ["..", "a/b", "A", "", "a\n", "é", "-a", "a" * 200])
def test_a_lease_id_cannot_leave_its_folder(text: str) -> None:
    with pytest.raises(BadQuery, match="no lease id"):
        queries.lease_id(text)


def test_runs_in_an_address_are_separated_by_commas() -> None:
    other = RUN.replace("k", "m")
    assert queries.run_ids(f"{RUN},{other}") == (RUN, other)
    for text in (None, "", f"{RUN},", "a,b"):
        with pytest.raises(BadQuery):
            queries.run_ids(text)
