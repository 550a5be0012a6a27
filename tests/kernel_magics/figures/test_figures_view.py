"""Comparisons as somebody wants to see them: grouped, smoothed, over another metric; and saved."""

from __future__ import annotations

from pathlib import Path

import nbformat
import numpy as np
import pytest
from bokeh.models import Patches, Segment
from nbclient import NotebookClient

import kernel_magics as km
from kernel_magics.errors import DataFolderError, UsageMistake
from kernel_magics.figures import (
    View,
    compare_figures,
    comparison_page,
    comparison_table,
    save_comparison,
)
from kernel_magics.figures.media import media_html
from kernel_magics.figures.saving import compare_line
from kernel_magics.figures.view import groups_of
from kernel_magics.model import RunInfo, RunStatus
from kernel_magics.store import open_store

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
def seeds() -> list[str]:
    """Four runs: two learning rates, two seeds each, `loss` = 10 lr + seed + step."""
    made = []
    for lr in (0.1, 0.2):
        for seed in range(2):
            config = {"opt": {"lr": lr}, "seed": seed}
            with km.init(project="p", name=f"{lr}/{seed}", config=config) as run:
                for step in range(20):
                    run.log({"loss": 10 * lr + seed + step, "epoch": step / 4}, step=step)
            made.append(run.id)
    return made


def lines(figure, name):
    """The data of the lines of this name."""
    found = [one for one in figure.renderers if type(one.glyph).__name__ == "Line" and one.name == name]
    return [one.data_source.data for one in found]


def test_groups_are_drawn_as_their_means_with_their_range(seeds):
    with open_store() as store:
        (loss, _epoch) = compare_figures(store, seeds, View(group_by="config.opt.lr"))
    (data,) = lines(loss, "opt.lr = 0.1")
    np.testing.assert_allclose(data["last"], 1.5 + np.arange(20))
    np.testing.assert_allclose(data["min"], 1.0 + np.arange(20))
    np.testing.assert_allclose(data["std"], np.sqrt(0.5))
    assert set(data["members"]) == {2}
    assert len(lines(loss, "opt.lr = 0.2")) == 1


def test_a_figure_stands_over_any_metric(seeds):
    with open_store() as store:
        (loss, _epoch) = compare_figures(store, seeds[:1], "epoch")
        assert loss.xaxis[0].axis_label == "epoch"
        np.testing.assert_allclose(lines(loss, "0.1/0")[0]["x"], np.arange(20) / 4)
        with pytest.raises(UsageMistake, match="none of these runs has 'weather'"):
            compare_figures(store, seeds, "weather")


def test_metrics_without_the_one_of_the_axis_are_left_out(seeds):
    with km.init(project="p", name="bare") as bare:
        bare.log({"other": 1.0})
    with open_store() as store:
        names = [figure.name for figure in compare_figures(store, [*seeds, bare.id], "epoch")]
    assert names == ["loss", "epoch"]


def test_a_smoothed_line_lies_over_what_was_recorded(seeds):
    with open_store() as store:
        (loss, _epoch) = compare_figures(store, seeds[:1], View(smoothing=0.9))
        (window,) = store.window(seeds[:1], "loss", smoothing=0.9)
    recorded, smooth = lines(loss, "0.1/0")
    np.testing.assert_allclose(recorded["last"], 1.0 + np.arange(20))
    np.testing.assert_allclose(smooth["last"], window.last)


def info(run_id: str, **more: object) -> RunInfo:
    return RunInfo(run_id, run_id, "p", RunStatus.FINISHED, **more)


def test_groups_are_those_of_the_panel():
    """The cases of labextension/test/grouping.test.ts."""
    runs = [info("a", config={"opt": {"lr": 0.1}}), info("b"), info("c", config={"opt": {"lr": 0.1}})]
    found = [(group.label, group.run_ids) for group in groups_of(runs, "config.opt.lr")]
    assert found == [("opt.lr = 0.1", ("a", "c")), ("opt.lr = –", ("b",))]
    odd = [info(name, config={"lr": value}) for name, value in zip("abcd", (1, "1", [1], None), strict=True)]
    assert len(groups_of(odd, "config.lr")) == 4
    tagged = [info("a", tags=("x", "y")), info("b", tags=("y", "x"))]
    assert [group.run_ids for group in groups_of(tagged, "tags")] == [("a", "b")]
    with pytest.raises(UsageMistake, match="grouped by"):
        groups_of(runs, "lr")


def test_notes_are_text_and_the_legend_names_the_groups(seeds):
    with open_store() as store:
        page = comparison_page(store, seeds, View(group_by="config.opt.lr", notes=f"because\n{HOSTILE}"))
    assert HOSTILE not in page and "because\n&lt;img src=x" in page
    assert "mean of 2 runs" in page and "opt.lr = 0.2" in page


def test_a_saved_notebook_opens_the_comparison_again(seeds, tmp_path):
    view = View(x="epoch", group_by="config.opt.lr", smoothing=0.5, notes="*why*")
    with open_store() as store:
        path = save_comparison(store, seeds, tmp_path / "again.ipynb", view)
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert "*why*" in notebook.cells[0].source
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    (output,) = notebook.cells[-1].outputs
    assert "opt.lr = 0.1" in output["data"]["text/html"]


def test_the_magic_of_a_view_is_a_line_that_can_be_typed():
    view = View("val/loss of all", log=True, group_by="config.a b")
    assert compare_line(["r1"], view) == "%compare r1 --x 'val/loss of all' --group-by 'config.a b' --log"
    assert compare_line(["r1", "r2"], View()) == "%compare r1 r2"
    known = View(styles={"r1": 3, "r2": 17})
    assert compare_line(["r2", "r1"], known) == "%compare r2 r1 --styles 17,3"


@pytest.fixture
def own_axes() -> list[str]:
    """Two runs whose metrics say over what they are to be drawn; of `loss` they say different things."""
    made = []
    for over in ("epoch", "tokens"):
        with km.init(project="p", name=over) as run:
            run.define_metric("val/*", x="epoch")
            run.define_metric("lost", x="nowhere")
            run.define_metric("loss", x=over)
            for step in range(10):
                run.log({"val/acc": step, "epoch": step / 4, "tokens": step * 100, "loss": 1.0, "lost": 2.0})
        made.append(run.id)
    return made


def test_a_metric_stands_over_what_it_was_defined_to_be_drawn_over(own_axes):
    with open_store() as store:
        by_itself = {one.name: one for one in compare_figures(store, own_axes)}
        asked = {one.name: one for one in compare_figures(store, own_axes, "step")}
        alone = {one.name: one for one in compare_figures(store, own_axes[1:])}
    axis = {name: figure.xaxis[0].axis_label for name, figure in by_itself.items()}
    assert axis == {"val/acc": "epoch", "epoch": "step", "tokens": "step", "loss": "step", "lost": "step"}
    np.testing.assert_allclose(lines(by_itself["val/acc"], "epoch")[0]["x"], np.arange(10) / 4)
    assert by_itself["loss"].x_range is by_itself["epoch"].x_range is not by_itself["val/acc"].x_range
    assert {figure.xaxis[0].axis_label for figure in asked.values()} == {"step"}
    assert alone["loss"].xaxis[0].axis_label == "tokens", "nobody disagrees"


def test_a_report_by_itself_honours_the_axes_of_its_metrics(own_axes, tmp_path):
    with open_store() as store:
        assert '"axis_label":"epoch"' in comparison_page(store, own_axes)
        assert '"axis_label":"epoch"' not in comparison_page(store, own_axes, "step")


@pytest.mark.parametrize(("name", "error", "words"), [
    ("report.docx", UsageMistake, "not as 'report.docx'"),
    ("missing/report.html", DataFolderError, "no folder"),
])  # fmt: skip
def test_a_file_that_cannot_be_is_refused_before_anything_is_made(name, error, words, seeds, tmp_path):
    with open_store() as store, pytest.raises(error, match=words):
        save_comparison(store, seeds, tmp_path / name)
    assert list(Path(tmp_path).glob("**/report*")) == []


def test_a_baseline_that_is_not_compared_and_a_band_that_is_none_are_said(store, run_ids):
    with pytest.raises(UsageMistake, match="none of the compared runs"):
        comparison_page(store, run_ids[1:], View(baseline=run_ids[0]))
    with pytest.raises(UsageMistake, match="A band is one of range, std"):
        compare_figures(store, run_ids, View(group_by="group", band="wide"))


def test_metrics_tell_how_far_they_are_from_the_baseline(own_folders):
    ids = []
    for value in (2.0, 1.0, float("nan")):
        with km.init() as run:
            run.log({"loss": value})
        ids.append(run.id)
    with open_store() as store:
        table = comparison_table(store, ids, View(baseline=ids[0]))
        (row,) = [row for row in table.rows if row.name == "loss"]
        assert row.cells == ("2", "1  −1 (−50 %)", "NaN")


def test_a_metric_read_from_output_that_was_logged_as_well_is_shown_when_asked_for(own_folders):
    with km.init() as run:
        run.log({"loss": 1.0})
        run.log_inferred({"loss": 1.0, "f1": 0.5}, step=0)
    with open_store() as store:

        def rows(view: View) -> set[str]:
            table = comparison_table(store, [run.id], view)
            return {row.name for row in table.rows if row.section == "metrics"}

        assert rows(View()) == {"loss", "f1 (inferred)"}
        assert rows(View(inferred=True)) == {"loss", "f1 (inferred)", "loss (inferred)"}
        assert "not shown again: loss" in comparison_page(store, [run.id], brief=True)


def test_events_are_marked_where_they_stand_on_the_axis(own_folders):
    with km.init() as run:
        run.log({"loss": 1.0}, step=7)
        run.record_event("gpu-fault", "error", HOSTILE)
        run.record_event("checkpoint", "info")
    with open_store() as store:
        places = {}
        for x in ("step", "relative", "time"):
            (chart,) = compare_figures(store, [run.id], x)
            (marks,) = [one for one in chart.renderers if isinstance(one.glyph, Segment)]
            places[x] = marks.data_source.data["x"]
            assert len(marks.data_source.data["text"]) == 1, "what is only information is not marked"
        assert places["step"] == [7.0]
        assert abs(places["relative"][0]) < 60 and places["time"][0] > 1e12
        page = comparison_page(store, [run.id])
        assert "checkpoint" in page and HOSTILE not in page


def test_the_band_of_a_group_ends_where_there_is_no_mean(own_folders):
    ids = []
    for seed in range(2):
        with km.init(config={"lr": 0.1}) as run:
            for step, value in enumerate([1.0, 2.0, float("nan"), 4.0, 5.0]):
                run.log({"loss": value + seed}, step=step)
        ids.append(run.id)
    with open_store() as store:
        for band, first in (("range", [1.0, 2.0, 3.0, 2.0]), ("std", None)):
            (chart,) = compare_figures(store, ids, View(group_by="config.lr", band=band))
            (patches,) = [one for one in chart.renderers if isinstance(one.glyph, Patches)]
            assert [len(xs) for xs in patches.data_source.data["xs"]] == [4, 4], "two parts of two points"
            if first is not None:
                assert list(patches.data_source.data["ys"][0]) == first


def test_media_beyond_the_limit_are_left_out_from_the_beginning_and_that_is_said(own_folders):
    with km.init() as run:
        for step in range(4):
            run.log({"page": km.Html(HOSTILE + "x" * 1000)}, step=step)
    with open_store() as store:
        runs = [store.run(run.id)]
        whole = media_html(store, runs, [HOSTILE])
        assert 'data-steps="[0, 1, 2, 3]"' in whole and "not in this page" not in whole
        some = media_html(store, runs, [HOSTILE], most_bytes=2500)
        assert 'data-steps="[2, 3]"' in some and "2 earlier items are not in this page" in some
        assert HOSTILE not in whole and 'sandbox="allow-same-origin"' in whole
        assert media_html(store, [], []) == ""
