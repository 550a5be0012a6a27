"""What a machine costs, which one is meant, and when it gives itself back: as a person reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel_magics.figures import runs_listing, words
from kernel_magics.model import RunInfo
from kernel_magics.store import open_store
from tests.kernel_magics.bridge.conftest import OpenNotebook
from tests.kernel_magics.bridge.notebook_driver import Notebook
from tests.waiting import wait_for


def test_a_run_on_a_priced_machine_says_what_it_cost_and_where_the_price_comes_from(
    open_notebook: OpenNotebook, home: dict[str, str]
) -> None:
    Path(home["TRACKSIDE_DIR"]).mkdir()
    notebook = open_notebook(
        TRACKSIDE_PRICE='{"usd_per_hour": 36000000, "as_of": "2026-09-20", "source": "a list"}'
    )
    notebook.must("%%track paid\nrun.log({'loss': 1})")
    with open_store(Path(home["TRACKSIDE_DIR"])) as store:

        def finished() -> list[RunInfo]:
            store.refresh()
            return [run for run in store.runs() if run.finished]

        [run] = wait_for(finished, what="the run")
        listed = runs_listing(store, store.runs()).text
    assert run.facts["price"] == {"usd_per_hour": 36000000, "as_of": "2026-09-20", "source": "a list"}
    assert run.finished is not None
    assert run.cost_usd(0.0) == pytest.approx(10_000 * (run.finished - run.created))
    assert words.run_cost(run).startswith("≈ $") and words.run_cost(run) in listed
    assert words.price_source(run) == "≈ $36000000.00/h, a list, 2026-09-20"


@pytest.mark.parametrize(
    ("options", "ename", "words_"),
    [
        ("--idle soon", "BadRequest", ["no length of time", "30m"]),
        ("--max-usd-per-hour much", "UsageMistake", ["invalid float value: 'much'"]),
        ("--orr gpu", "UsageMistake", ["did you mean '--or'?"]),
        ("--ideal 3m", "UsageMistake", ["did you mean '--idle'?"]),
    ],
)
def test_a_mistake_in_the_terms_is_a_sentence(
    notebook: Notebook, options: str, ename: str, words_: list[str]
) -> None:
    cell = notebook.run(f"%gpu_provision cpu {options}")
    assert cell.reply["content"]["ename"] == ename, cell.all_text
    for word in words_:
        assert word in cell.error
    assert "No machine is yours" in notebook.run("%gpu_release").error


@pytest.mark.parametrize(
    ("code", "words_"),
    [
        ("%compare --bogus", ["unrecognized arguments: --bogus", "%compare [RUN]"]),
        ("%compare --lats 3", ["did you mean '--last'?"]),
        ("%runs --limt 3", ["did you mean '--limit'?"]),
        ("%runs 'open", ["No closing quotation"]),
    ],
)
def test_every_magic_says_what_may_have_been_meant(notebook: Notebook, code: str, words_: list[str]) -> None:
    cell = notebook.run(code)
    assert cell.reply["content"]["ename"] == "UsageMistake" and 'File "' not in cell.all_text
    for word in words_:
        assert word in cell.error


def test_the_idle_policy_is_said_and_does_not_change_unseen(notebook: Notebook) -> None:
    said = notebook.must("%gpu_provision cpu --idle 2h", timeout=120).all_text
    assert "Released when nothing has run for 120 min" in said
    again = notebook.run("%gpu_provision cpu --idle 1h")
    assert again.status == "error" and "released after 7200 s without need" in again.error
    notebook.must("%gpu_provision cpu")


def test_a_bare_release_ends_only_what_is_surely_meant(
    open_notebook: OpenNotebook, home: dict[str, str]
) -> None:
    one = open_notebook("one.ipynb")
    one.must("%gpu_provision cpu --name mine", timeout=120)
    other = open_notebook("other.ipynb")
    cell = other.run("%gpu_release")
    assert cell.status == "error"
    assert "This notebook has no machine; yours are: mine. Which one? Nothing was done." in cell.error
    assert "%gpu_release mine" in cell.error
    assert "did you mean 'mine'?" in other.run("%gpu_release mime").error.lower()
    assert one.value("1 + 1") == 2
    assert "Released 'mine'" in other.must("%gpu_release mine", timeout=60).all_text
