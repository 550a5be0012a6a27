"""A run has one colour, in the panel and in a figure: both are held to one golden file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import kernel_magics as km
from kernel_magics.figures.palette import DARK, LIGHT, line_styles, preferred_slot, styles_of_runs
from kernel_magics.store import open_store

GOLDEN = json.loads(
    (Path(__file__).parents[3] / "tests" / "contracts" / "golden" / "palette.json").read_text()
)


def test_the_colours_are_those_of_the_panel():
    assert (list(LIGHT), list(DARK)) == (GOLDEN["light"], GOLDEN["dark"])
    assert {run: preferred_slot(run) for run in GOLDEN["preferred"]} == GOLDEN["preferred"]


@pytest.mark.parametrize("case", GOLDEN["comparisons"])
def test_runs_of_a_comparison_are_drawn_as_in_the_panel(case):
    styles = line_styles(case["runs"], case["chosen"])
    assert [[styles[run].light, styles[run].dark, styles[run].dash] for run in case["runs"]] == case["styles"]


def test_a_colour_that_somebody_chose_is_that_of_the_figure(tmp_path):
    for name in ("one", "two"):
        km.init(name=name, data_dir=tmp_path).finish()
    with open_store(tmp_path) as store:
        first, second = (run.id for run in store.runs())
        store.edit(first, colour=10)
        styles = styles_of_runs(store.runs())
    assert (styles[first].light, styles[first].dash) == (LIGHT[2], "dashed")
    assert styles[second].light == LIGHT[preferred_slot(second)]
