"""Outputs side by side: the same cell of every run in one row, by its id, else by its source."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from playwright.sync_api import Error, Locator, Route, expect

from tests.waiting import wait_for

pytestmark = pytest.mark.ui

Lab = Any  # conftest.Lab
LabPage = Any  # conftest.LabPage

SEED = """
import json
from kernel_magics import tracking

def cell(run, key, cell_id, source, text=None):
    run.record_cell({"key": key, "cell_id": cell_id, "execution_count": 1, "source": source, "started": 1.0})
    if text is not None:
        run.record_output(key, "stream", json.dumps({"name": "stdout", "text": text + "\\n"}).encode())

TRAIN = "%%track {}\\nmodel = Net(width=64, depth=3)\\nfit(model, lr={})"
ids = []
run = tracking.init(name="original")
cell(run, "k1", "load", "data = load()", "1,797 digits")
cell(run, "k2", "train", TRAIN.format("a", 0.1), "trained original")
cell(run, "k3", "plot", "plot(model.history)")
run.finish(); ids.append(run.id)
run = tracking.init(name="edited")  # the same notebook
cell(run, "k4", "train", "entirely = 'another source'", "trained edited")
run.finish(); ids.append(run.id)
run = tracking.init(name="copied")  # a copy of the notebook: other ids
cell(run, "k5", "u1", TRAIN.format("c", 0.3), "trained copied")
cell(run, "k6", "u2", "only = 'here <img src=x onerror=window.hacked=1>'", "<script>window.hacked=2</script>")
run.finish(); ids.append(run.id)
run = tracking.init(name="silent")
run.finish(); ids.append(run.id)
for number in range(9):
    run = tracking.init(name=f"many {number}")
    cell(run, "k", "train", "fit()", f"output {number}")
    if number == 8:
        run.log({"sample": tracking.Html("<b>ninth</b>")}, step=0)
    run.finish(); ids.append(run.id)
print(json.dumps(ids))
"""
LIVE = """
import json, sys
from kernel_magics import tracking
run = tracking.init(name="goes on")
run.record_cell({"key": "k", "cell_id": "train", "execution_count": 1, "source": "fit()", "started": 1.0})
def say(text):
    run.record_output("k", "stream", json.dumps({"name": "stdout", "text": text}).encode())
    print(run.id, flush=True)
say("epoch 1\\n")
sys.stdin.readline()
say("epoch 2\\n")
sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def ids(lab: Lab) -> list[str]:
    made: list[str] = json.loads(lab.python(SEED).splitlines()[-1])
    return made


def outputs(lab_page: LabPage, run_ids: list[str]) -> Locator:
    lab_page.command("trackside:open-compare", {"runs": run_ids})
    part: Locator = lab_page.page.locator(".jp-trackside-compare:visible [data-section=outputs]")
    part.scroll_into_view_if_needed()
    return part


def shows(cell: Locator, text: str) -> None:
    """Scrolls to a cell until it says this: outputs are drawn on screen, and a redraw may take it away."""

    def says() -> bool:
        with contextlib.suppress(Error):
            cell.scroll_into_view_if_needed(timeout=2_000)
        return text in (cell.text_content() or "")

    wait_for(says, text)


def test_the_same_cell_of_every_run_stands_in_one_row(lab: Lab, ids: list[str], lab_page: LabPage) -> None:
    lab_page.open(lab)
    part = outputs(lab_page, ids[:3])
    cells = part.locator(".jp-trackside-outputCell")
    expect(cells).to_have_count(4 * 3)
    rows = [
        ["1,797 digits", "no such cell", "no such cell"],
        ["trained original", "trained edited", "trained copied"],
        ["no such cell", "no such cell", "<script>window.hacked=2</script>"],
        ["It showed nothing.", "no such cell", "no such cell"],
    ]
    for at, text in enumerate(text for row in rows for text in row):
        shows(cells.nth(at), text)
    heads = part.locator(".jp-trackside-cellHead")
    expect(heads.locator("code")).to_have_text(
        [
            "data = load()",
            "%%track a",
            "only = 'here <img src=x onerror=window.hacked=1>'",
            "plot(model.history)",
        ]
    )
    expect(heads.nth(1)).to_contain_text("sources differ")
    expect(heads.nth(0)).not_to_contain_text("sources differ")
    tops = {cells.nth(at).evaluate("node => node.getBoundingClientRect().top") for at in (3, 4, 5)}
    assert len(tops) == 1, "one row"
    assert part.locator("img, script").count() == 0
    assert lab_page.page.evaluate("window.hacked") is None


def test_a_run_without_outputs_says_so_above_its_column(lab: Lab, ids: list[str], lab_page: LabPage) -> None:
    lab_page.open(lab)
    part = outputs(lab_page, [ids[0], ids[3]])
    heads = part.locator(".jp-trackside-columnHead")
    expect(heads.nth(1)).to_contain_text("No output was recorded: only cells with %%track keep theirs")
    expect(heads.nth(0)).not_to_contain_text("No output was recorded")


UNSAVED = """
from kernel_magics import tracking
facts = {"notebook": "/home/me/Untitled3.ipynb", "script": None}
with tracking.init(name="plain cell", facts=facts):
    pass
with tracking.init(name="script", facts={"script": "/home/me/<b>train.py"}):
    pass
with tracking.init(name="secret") as run:
    run.record_cell({"key": "c", "source": "%%track --no-outputs", "started": 1.0, "outputs": False})
"""


def test_what_is_missing_is_said_with_the_reason(fresh_lab: Lab, lab_page: LabPage) -> None:
    fresh_lab.python(UNSAVED)
    lab_page.open(fresh_lab).sidebar()
    view = lab_page.compare("plain cell", "script", "secret")
    part = view.locator("[data-section=outputs]")
    part.scroll_into_view_if_needed()
    heads = part.locator(".jp-trackside-columnHead")
    expect(heads.nth(0)).to_contain_text("What its cell showed is in Untitled3.ipynb, if that was saved.")
    expect(heads.nth(1)).to_contain_text("this run is of the script <b>train.py.")
    expect(heads.nth(2)).not_to_contain_text("No output")
    expect(part.locator(".jp-trackside-outputCell").nth(2)).to_contain_text(
        "What it showed was not recorded: --no-outputs"
    )


def test_outputs_that_cannot_be_read_are_said_in_their_column_and_read_later(
    lab: Lab, ids: list[str], lab_page: LabPage
) -> None:
    lab_page.expected.append("503")
    lab_page.open(lab)
    page = lab_page.page

    def refuse(route: Route) -> None:
        route.fulfill(status=503, json={"message": "The index is being built anew.", "remedy": None})

    page.route(f"**/runs/{ids[1]}/outputs*", refuse)
    part = outputs(lab_page, ids[:2])
    head = part.locator(f".jp-trackside-columnHead[data-run-id='{ids[1]}']")
    expect(head).to_contain_text("The index is being built anew.")
    expect(part).to_contain_text("trained original")
    page.unroute(f"**/runs/{ids[1]}/outputs*")
    expect(part).to_contain_text("trained edited", timeout=30_000)
    expect(head).not_to_contain_text("The index is being built anew.")


def test_more_runs_than_columns_are_turned_to(lab: Lab, ids: list[str], lab_page: LabPage) -> None:
    lab_page.open(lab)
    part = outputs(lab_page, ids[4:])
    expect(part.locator(".jp-trackside-columnHead")).to_have_count(8)
    pager = part.locator(".jp-trackside-pager")
    expect(pager).to_contain_text("Runs 1 to 8 of 9")
    pager.get_by_role("button", name="The runs after").click()
    expect(part.locator(".jp-trackside-columnHead")).to_have_text(["many 8"])
    shows(part.locator(".jp-trackside-outputCell"), "output 8")
    media = lab_page.page.locator(".jp-trackside-compare:visible [data-section=media]")
    expect(media.locator("tr[data-media=sample]")).to_be_visible()
    media.get_by_role("button", name="The runs before").click()
    expect(media).to_contain_text("These runs logged nothing to look at.")


def test_a_run_that_goes_on_is_read_again_when_asked_and_when_it_ends(lab: Lab, lab_page: LabPage) -> None:
    with lab.process(LIVE) as live:
        run = live.stdout.readline().strip()
        lab_page.open(lab)
        part = outputs(lab_page, [run])
        expect(part.locator(".jp-trackside-outputCell")).to_contain_text("epoch 1")
        expect(part.locator(".jp-trackside-columnHead")).to_contain_text("It goes on")
        live.stdin.write("\n")
        live.stdin.flush()
        assert live.stdout.readline()

        # What is in the journal is in the index a moment later.
        while "epoch 2" not in (part.text_content() or ""):
            with lab_page.page.expect_response(f"**/runs/{run}/outputs*"):
                part.get_by_role("button", name="Read the outputs of goes on again").click()
        live.stdin.write("\n")
        live.stdin.flush()
    expect(part.locator(".jp-trackside-columnHead")).not_to_contain_text("It goes on")
