"""Listings: what they carry is the same however long it is."""

from __future__ import annotations

import json
import math

import pytest

from kernel_magics.store import lazy

NASTY = [None, "{}", '{"a": NaN, "b": [1, {"c": null}], "ü": "\\ud83d\\ude00 ]},"}', '{"x": -Infinity}']


@pytest.mark.parametrize("at_once", [0, 10**9])
@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 1000])
def test_objects_of_a_listing_are_what_their_texts_say(at_once, count, monkeypatch):
    monkeypatch.setattr(lazy, "AT_ONCE", at_once)
    texts = [NASTY[number % 4] if number % 3 else json.dumps({"n": number}) for number in range(count)]
    found = lazy.mappings(texts)
    assert [repr(dict(one)) for one in found] == [repr(json.loads(text or "{}")) for text in texts]


def test_a_long_mapping_behaves_as_a_dict_does(monkeypatch):
    monkeypatch.setattr(lazy, "AT_ONCE", 0)
    (one,) = lazy.mappings(['{"lr": 0.1, "deep": {"er": 1}}'])
    assert isinstance(one, lazy.JsonMapping)
    assert one == {"lr": 0.1, "deep": {"er": 1}} and one != {"lr": 0.2} and len(one) == 2
    assert list(one) == ["lr", "deep"] and one.get("none", 3) == 3 and {**one} == one
    assert repr(one) == "{'lr': 0.1, 'deep': {'er': 1}}"
    with pytest.raises(KeyError):
        one["none"]
    assert math.isnan(lazy.mappings(['{"a": NaN}'])[0]["a"])
