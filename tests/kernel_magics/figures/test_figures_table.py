"""The comparison's table and list: what runs were given, what they came to, where they differ."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

import kernel_magics as km
from kernel_magics.errors import UnknownRun, UsageMistake
from kernel_magics.figures import choose_runs, comparison_table, run_labels, runs_listing
from kernel_magics.figures import words as spelled
from kernel_magics.figures.palette import STYLES, comparison_slots, preferred_slot
from kernel_magics.store import open_store


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _value in attrs]


def test_settings_that_differ_are_marked_and_come_first(store, run_ids):
    table = comparison_table(store, run_ids)
    config = [row for row in table.rows if row.section == "config"]
    assert (config[0].name, config[0].cells, config[0].differs) == ("lr", ("0.01", "0.1", "1"), True)
    assert [row.name for row in config if row.differs] == ["lr"]
    assert "≠ lr" in table.text and "≠ seed" not in table.text


def test_the_last_values_of_metrics_are_in_the_table(store, run_ids):
    rows = {row.name: row.cells for row in comparison_table(store, run_ids).rows}
    assert rows["val/acc"] == ("0.701", "0.71", "0.8")
    assert len(rows["train/loss"]) == 3 and all(rows["train/loss"])


def test_what_runs_cost_stands_with_the_price_and_its_date(own_folders):
    price = {"usd_per_hour": 2.7, "source": "price list coreweave", "as_of": "2026-09-20"}
    ids = []
    own = {"usd_per_hour": None, "provider": "ssh"}
    for facts in ({}, {"price": {"usd_per_hour": None}}, {"price": own}, {"price": price}):
        with km.init(facts=facts) as run:
            ids.append(run.id)
    with open_store() as store:
        rows = {row.name: row.cells for row in comparison_table(store, ids).rows}
        assert rows["cost"] == ("", "no price known", "own machine", "< $0.01")
        assert rows["price"] == ("", "", "", "≈ $2.70/h, price list coreweave, 2026-09-20")
        assert "cost" not in {row.name for row in comparison_table(store, ids[:1]).rows}


def test_a_missing_setting_differs_from_every_value(own_folders):
    ids = []
    for config in ({"a": None}, {}, {"a": 1}, {"a": True}):
        with km.init(config=config) as run:
            ids.append(run.id)
    with open_store() as store:
        (row,) = [row for row in comparison_table(store, ids).rows if row.name == "a"]
        assert row.cells == ("none", "", "1", "yes") and row.differs
        (row,) = [row for row in comparison_table(store, ids[2:]).rows if row.name == "a"]
        assert row.differs, "1 and true are not the same"


def test_nothing_in_names_or_settings_becomes_markup(store, run_ids):
    table = comparison_table(store, run_ids)
    listing = runs_listing(store, store.runs())
    for page in (table.html, listing.html):
        found = Tags(page)
        assert not {"script", "img", "svg", "iframe"} & set(found.tags)
        assert "onerror" not in found.attributes
    assert "\x1b" not in table.text


def test_the_columns_of_the_text_are_aligned_also_with_wide_letters(own_folders):
    ids = []
    for name in ("模型", "b"):
        with km.init(name=name, config={"x": name}) as run:
            ids.append(run.id)
    with open_store() as store:
        lines = comparison_table(store, ids).text.splitlines()
    columns = {line.replace("模型", "abcd").find("b", 20) for line in lines if line.endswith("b")}
    assert len(columns) == 1


def test_runs_of_one_name_are_told_apart(own_folders):
    ids = []
    for _ in range(2):
        with km.init(name="same") as run:
            ids.append(run.id)
    with open_store() as store:
        labels = run_labels([store.run(run_id) for run_id in ids])
    assert labels == [f"same ({run_id[-6:]})" for run_id in ids]


@pytest.mark.parametrize("names", [("café", "cafe\u0301"), ("x" * 80 + "1", "x" * 80 + "2")])
def test_runs_whose_names_only_look_the_same_are_told_apart(own_folders, names):
    ids = []
    for name in names:
        with km.init(name=name) as run:
            ids.append(run.id)
    with open_store() as store:
        labels = run_labels([store.run(run_id) for run_id in ids])
    assert [label[-9:] for label in labels] == [f" ({run_id[-6:]})" for run_id in ids]


def test_runs_are_chosen_by_id_part_of_an_id_or_name(store, run_ids):
    assert choose_runs(store, [run_ids[1], run_ids[0][-6:]]).run_ids == (run_ids[1], run_ids[0])
    assert choose_runs(store, ["lr-1.0", "lr-1.0"]).run_ids == (run_ids[2],)
    with pytest.raises(UsageMistake, match="3 ids"):
        choose_runs(store, [run_ids[0][:8]])
    with pytest.raises(UnknownRun, match=r"Did you mean 'lr-1.0'"):
        choose_runs(store, ["lr-1.00"])


def test_without_a_wish_the_last_group_is_chosen_and_said(store, run_ids):
    with km.init(project="other", name="older") as run:
        run.log({"x": 1.0})
    store.refresh()
    choice = choose_runs(store)
    assert choice.run_ids == (run.id,) and choice.reason == "The last run of project 'other'."
    choice = choose_runs(store, project="digits", last=2)
    assert choice.run_ids == tuple(run_ids[1:])
    assert choice.reason == "The last 2 of 3 runs of project 'digits'."


def test_of_several_runs_of_a_name_the_newest_is_taken_and_said(own_folders):
    for _ in range(2):
        with km.init(name="same") as run:
            pass
    with open_store() as store:
        choice = choose_runs(store, ["same"])
    assert choice.run_ids == (run.id,) and "2 runs are named 'same'" in choice.reason


def test_an_empty_store_says_how_to_make_a_run(own_folders):
    with open_store() as store, pytest.raises(UnknownRun, match="no runs") as found:
        choose_runs(store)
    assert found.value.remedy == "km.init(project=…) in your script"


def test_no_two_runs_of_a_comparison_look_alike_and_each_keeps_its_colour():
    ids = [f"20261122-{number:06}-aaaaaa" for number in range(STYLES)]
    listed = dict.fromkeys(ids, 5)
    slots = comparison_slots(ids, listed, {})
    assert len({slot % STYLES for slot in slots.values()}) == STYLES
    assert comparison_slots(ids[:1], listed, {})[ids[0]] == slots[ids[0]]
    # The sidebar computes the same (FNV-1a, labextension/test/palette.test.ts).
    assert preferred_slot("20261122-141503-k3f9qz") == 0x811C9DC5 * 0 + _fnv("20261122-141503-k3f9qz") % 8


def _fnv(text: str) -> int:
    digest = 2166136261
    for byte in text.encode():
        digest = (digest ^ byte) * 16777619 % 2**32
    return digest


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 00 s"),
        (7325, "2 h 02 min"),
        (90000, "1 d 01 h"),
        (None, ""),
    ],
)
def test_durations_are_said_as_people_do(seconds, text):
    assert spelled.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.031234, "0.03123"),
        (12000.0, "12,000"),
        (1.2e-05, "1.2e-05"),
        (float("nan"), "NaN"),
        (float("inf"), "∞"),
    ],
)
def test_numbers_have_four_digits_and_no_more(value, text):
    assert spelled.number(value) == text
