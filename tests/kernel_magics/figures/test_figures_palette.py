"""A run has one colour, in the panel and in a figure: both are held to one golden file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import kernel_magics as km
from kernel_magics.figures import View, comparison_page, comparison_table, runs_listing
from kernel_magics.figures.palette import (
    DARK,
    LIGHT,
    NEAR,
    coloured,
    comparison_slots,
    line_style,
    list_slots,
    preferred_slot,
)
from kernel_magics.store import open_store

GOLDEN = json.loads(
    (Path(__file__).parents[3] / "tests" / "contracts" / "golden" / "palette.json").read_text()
)


def test_the_colours_are_those_of_the_panel():
    assert (list(LIGHT), list(DARK)) == (GOLDEN["light"], GOLDEN["dark"])
    assert {run: preferred_slot(run) for run in GOLDEN["preferred"]} == GOLDEN["preferred"]


@pytest.mark.parametrize("case", GOLDEN["comparisons"])
def test_runs_of_a_comparison_are_drawn_as_in_the_panel(case):
    preferred = {run: preferred_slot(run) for run in case["runs"]}
    slots = comparison_slots(case["runs"], preferred, case["chosen"])
    styles = [line_style(slots[run]) for run in case["runs"]]
    assert [[style.light, style.dark, style.dash] for style in styles] == case["styles"]


@pytest.mark.parametrize("case", GOLDEN["lists"])
def test_runs_of_a_list_have_the_colours_of_the_panel(case):
    assert list(list_slots(map(tuple, case["runs"])).values()) == case["slots"]


def test_the_last_five_runs_all_look_different_and_a_new_one_changes_none():
    runs = [(f"20261122-{number:06}-abcdef", None) for number in range(200)]
    slots = list(list_slots(runs).values())
    assert all(len(set(slots[at : at + NEAR + 1])) == NEAR + 1 for at in range(len(runs) - NEAR))
    assert list(list_slots(runs[:150]).values()) == slots[:150]


@pytest.fixture
def six(tmp_path):
    """Six runs with a metric, oldest first; any six of eight colours are likely to clash."""
    for number in range(6):
        with km.init(name=f"run {number}", data_dir=tmp_path) as run:
            run.log({"loss": 1.0})
    with open_store(tmp_path) as store:
        return [run.id for run in reversed(store.runs())]


def chips(html: str) -> list[tuple[str, str]]:
    """Colour and dash of each run in a page, in order."""
    found = re.findall(r'<i class="(?:chip )?(\w+)" style="--light:(#\w+)', html)
    return [(colour, dash) for dash, colour in found]


def test_a_run_has_one_colour_in_runs_and_compare(six, tmp_path):
    with open_store(tmp_path) as store:
        listed = chips(runs_listing(store, store.runs()).html)
        assert chips(comparison_table(store, six[1:]).html) == listed[:5][::-1]
        # Alone it has no reason to look otherwise either.
        assert [chips(comparison_table(store, [run]).html)[0] for run in six] == listed[::-1]


def test_a_colour_that_somebody_chose_wins_over_every_other(six, tmp_path):
    first, second = six[0], six[1]
    with open_store(tmp_path) as store:
        store.edit(first, colour=10)
        store.refresh()
        table = comparison_table(store, [first, second], View(styles={first: 3, second: 4}))
        assert chips(table.html) == [(LIGHT[2], "dashed"), (LIGHT[4], "solid")]
        assert chips(runs_listing(store, store.runs()).html)[-1] == (LIGHT[2], "dashed")


def test_a_view_that_knows_colours_gives_them_to_all_of_a_page(six, tmp_path):
    given = dict(zip(six, (9, 1, 22, 3, 4, 5), strict=True))
    with open_store(tmp_path) as store:
        page = comparison_page(store, six, View(styles=given))
    wanted = [(line_style(slot).light, line_style(slot).dash) for slot in given.values()]
    assert chips(page) == wanted * 3, "in the legend, the table and the outputs"
    assert all(f'"{line_style(slot).dark}"' in page for slot in given.values()), "in the charts"


def test_the_runs_of_a_view_that_knows_some_colours_still_look_different(six, tmp_path):
    with open_store(tmp_path) as store:
        runs = [store.run(run) for run in six]
        styles = coloured(store, runs, View(styles={six[0]: 7})).styles
    assert styles[six[0]] == 7 and len(set(styles.values())) == len(six)
