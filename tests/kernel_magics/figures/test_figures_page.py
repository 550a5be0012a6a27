"""The page and its picture: complete, offline, and deaf to what names and outputs want."""

from __future__ import annotations

import re
import struct
import subprocess
import time
from pathlib import Path

import pytest
from bokeh.models import DataRange1d

import kernel_magics as km
from kernel_magics.errors import DataFolderError
from kernel_magics.figures import View, compare_figures, write_html, write_png
from kernel_magics.figures.outputs import (
    LEFT_OUT,
    LONGEST_TEXT,
    cells_html,
    output_html,
    text_html,
    why_no_output,
)
from kernel_magics.figures.page import made
from kernel_magics.figures.picture import _FLAGS, NoPicture, find_browser
from kernel_magics.model import RunInfo, RunStatus
from kernel_magics.store import open_store


@pytest.fixture
def browser() -> str:
    try:
        return find_browser()
    except NoPicture as missing:
        pytest.skip(str(missing))


@pytest.fixture
def page(store, run_ids, tmp_path) -> Path:
    return write_html(store, run_ids, tmp_path / "compare.html")


def rendered(browser: str, page: Path, profile: Path) -> str:
    command = [browser, *_FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_one_figure_per_metric_with_every_run_and_one_x_axis(store, run_ids):
    figures = compare_figures(store, run_ids)
    assert [figure.name for figure in figures] == ["train/loss", "val/acc"]
    assert len({figure.x_range.id for figure in figures}) == 1
    from bokeh.models import CrosshairTool, Line

    overlays = {tool.overlay.id for figure in figures for tool in figure.select(CrosshairTool)}
    assert len(overlays) == 1
    for figure in figures:
        assert len([one for one in figure.renderers if isinstance(one.glyph, Line)]) == 3


NOON = time.mktime((2026, 11, 20, 12, 0, 0, 0, 0, -1))


def ran(start: float, end: float | None) -> RunInfo:
    """A run from so many seconds after noon to so many; ``None``: it goes on."""
    status = RunStatus.RUNNING if end is None else RunStatus.FINISHED
    finished = None if end is None else NOON + end
    return RunInfo("r", "r", "p", status, created=NOON + start, finished=finished)


@pytest.mark.parametrize(
    ("runs", "span"),
    [
        ([ran(0, 20)], "run of 2026-11-20 12:00"),
        ([ran(0, 600)], "run of 2026-11-20 12:00 to 12:10"),
        ([ran(0, None)], "run of 2026-11-20 12:00 and on"),
        ([ran(7200, 7500), ran(60, 86_400)], "runs of 2026-11-20 12:01 to 2026-11-21 12:00"),
        ([ran(0, 60), ran(3600, None)], "runs of 2026-11-20 12:00 to 13:00, some still going on"),
    ],
)
def test_a_page_says_when_it_was_made_and_over_which_time_its_runs_went(runs, span):
    said, of = made(runs, NOON + 5 * 86_400).split(" · ")
    assert said == f"made 2026-11-25 12:00 {time.strftime('%Z', time.localtime(NOON))}"
    assert of == span


def test_the_day_of_its_oldest_run_is_not_a_pages_date(page):
    today = time.strftime("%Y-%m-%d %H:")
    assert f"Trackside · made {today}" in page.read_text("utf-8")


def test_inferred_metrics_have_an_x_range_of_their_own(store):
    """Logged by the step, inferred by the epoch: on one range three epochs would be a pixel wide."""
    with km.init() as run:
        for _step in range(5000):
            run.log({"loss": 1.0, "acc": 0.5})
        for epoch in range(3):
            run.log_inferred({"loss": 0.5, "val": 0.1}, step=epoch)
    store.refresh()

    def ranges(x: str) -> list[str]:
        figures = compare_figures(store, [run.id], View(x, inferred=True))
        found = {(figure.name, "inferred" in figure.title.text): figure.x_range.id for figure in figures}
        lines = {tool.overlay.id for figure in figures for tool in figure.select(CrosshairTool)}
        assert len(lines) == len(set(found.values())), "a crosshair is shared by charts of one range"
        return [found[key] for key in [("loss", False), ("acc", False), ("loss", True), ("val", True)]]

    from bokeh.models import CrosshairTool

    logged, also_logged, inferred, also_inferred = ranges("step")
    assert logged == also_logged and inferred == also_inferred and logged != inferred
    assert len(set(ranges("relative"))) == 1, "seconds are the same for all"


def test_no_spike_is_lost_on_the_way_into_a_chart(store, run_ids):
    loss = compare_figures(store, run_ids, width=100)[0]
    segments = [one for one in loss.renderers if type(one.glyph).__name__ == "Segment"]
    assert len(segments) == 3
    for segment in segments:
        assert max(segment.data_source.data["max"]) == 50.0
        assert sum(segment.data_source.data["count"]) == 5000
    crosses = [one for one in loss.renderers if getattr(one.glyph, "marker", None) == "x"]
    assert len(crosses) == 3, "NaN has its marks"


@pytest.mark.parametrize("x", ["step", "relative", "time"])
def test_charts_exist_for_every_x(x, store, run_ids):
    (loss, _acc) = compare_figures(store, run_ids, x)
    assert loss.xaxis[0].axis_label


def test_the_page_names_nothing_outside_itself(page):
    text = page.read_text()
    without_scripts = re.sub(r"<script.*?</script>", "", text, flags=re.S)
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", without_scripts)
    assert "<script src" not in text and "<link" not in without_scripts


def test_a_browser_draws_the_page_and_nothing_hostile_runs(browser, page, tmp_path):
    dom = rendered(browser, page, tmp_path / "profile")
    assert "<title>digits · 3 runs</title>" in dom, "a hostile script changed the title"
    height = re.search(r'<html[^>]* data-height="([0-9]+)"', dom)
    assert height is not None and int(height.group(1)) > 1000
    assert dom.count('data-metric="') == 2
    assert dom.count('<iframe class="html" sandbox="allow-same-origin"') == 6


def test_the_picture_shows_the_whole_page(browser, page, tmp_path):
    picture = write_png(page, tmp_path / "compare.png", width=900)
    data = picture.read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and width == 900 and height > 1000
    assert len(data) > 40_000, "an empty page compresses to less"


def test_without_a_browser_the_error_says_what_to_install(page, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoPicture, match="no Chromium or Chrome") as found:
        write_png(page, tmp_path / "compare.png")
    assert found.value.remedy is not None and "chromium" in found.value.remedy


def test_a_browser_that_fails_is_quoted(page, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho it hurts >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(NoPicture, match="status 3: it hurts"):
        write_png(page, tmp_path / "compare.png", browser=str(broken))


def test_a_page_that_cannot_be_written_is_a_sentence(store, run_ids, tmp_path):
    with pytest.raises(DataFolderError, match="was not written"):
        write_html(store, run_ids, tmp_path / "missing" / "compare.html")


def test_runs_without_metrics_or_cells_make_a_page_too(tmp_path, own_folders):
    import kernel_magics as km
    from kernel_magics.store import open_store

    with km.init(name="bare") as run:
        pass
    with open_store() as store:
        text = write_html(store, [run.id], tmp_path / "bare.html").read_text()
    assert (
        "No metric was logged." in text
        and "No output was recorded: only cells with %%track keep theirs" in text
    )


def test_terminal_colours_become_classes_and_cursor_escapes_vanish():
    assert text_html("\x1b[1;31mred\x1b[0m <b>") == '<span class="b c1">red</span> &lt;b&gt;'
    assert text_html("a\x1b[2Kb\x1b]0;title\x07c") == "abc"
    assert text_html("10%\r50%\r100%\ndone\r\n") == "100%\ndone\n"


def test_a_text_too_long_says_how_much_is_left_out():
    shown = text_html("a" * 30_000 + "b" * 30_000)
    assert shown.startswith("a" * 100) and shown.endswith("b" * 100)
    assert f"{60_000 - LONGEST_TEXT:,} characters left out" in shown


def test_an_image_that_is_no_base64_is_not_put_into_the_page():
    data = {"image/png": '"><script>alert(1)</script>', "text/plain": "plain"}
    assert output_html({"output_type": "display_data", "data": data}) == '<pre class="result">plain</pre>'


def test_what_cannot_be_shown_is_named():
    shown = output_html({"output_type": "display_data", "data": {"application/x-odd": {}}})
    assert "application/x-odd" in shown


def test_system_metrics_stand_over_time_where_the_others_stand_over_steps(store):
    """A sample of the machine belongs to no step: on the step axis it would be a dot, or a vertical line."""
    with km.init(project="p", name="system", capture={"packages": False, "diff": False}) as run:
        run.log({"loss": 1.0}, step=10)
        run.record_system({"system/cpu_percent": 50.0}, {"system/cpu_percent": "%"})
    store.refresh()
    figures = {figure.name: figure for figure in compare_figures(store, [run.id])}
    assert figures["loss"].xaxis[0].axis_label == "step"
    assert figures["system/cpu_percent"].xaxis[0].axis_label == "time since the run's start"
    assert figures["loss"].x_range is not figures["system/cpu_percent"].x_range


@pytest.mark.parametrize(("percent", "reached"), [(99.5, 100.0), (250.0, 250.0)])
def test_a_machines_load_stands_on_an_axis_from_nothing_to_all(store, percent, reached):
    with km.init(project="p", name="system", capture={"packages": False, "diff": False}) as run:
        run.log({"accuracy": 99.5})
        for more in (0.0, 0.4):
            run.record_system({"system/cpu_percent": percent - more}, {"system/cpu_percent": "%"})
    store.refresh()
    figures = {figure.name: figure for figure in compare_figures(store, [run.id])}
    shown = figures["system/cpu_percent"].y_range
    assert -10.0 * reached / 100 < shown.start < 0 and reached < shown.end < 1.1 * reached
    assert isinstance(figures["accuracy"].y_range, DataRange1d), "what somebody measured keeps its own scale"


def test_a_page_says_why_there_is_no_output(own_folders):
    """Of a script, of a cell that was not tracked, and of one that was told to keep it off the record."""
    kinds = (
        {"script": "/home/me/<b>train.py"},
        {"notebook": "/home/me/Untitled.ipynb"},
        {},
        {"script": None},
    )
    assert [why_no_output(facts).split("theirs")[1] for facts in kinds] == [
        ", and this run is of the script <b>train.py.",
        ". What its cell showed is in Untitled.ipynb, if that was saved.",
        ". What its cell showed is in its notebook, if that was saved.",
        ". What its cell showed is in its notebook, if that was saved.",
    ]
    with km.init() as quiet:
        quiet.record_cell({"key": "c", "source": "1", "started": 1.0})
    with km.init() as secret:
        secret.record_cell({"key": "c", "source": "1", "started": 1.0, "outputs": False})
    with open_store() as opened:
        assert [opened.outputs(run.id)[0].recorded for run in (quiet, secret)] == [True, False]
        shown = [cells_html(opened.outputs(run.id), {}) for run in (quiet, secret)]
    assert "It showed nothing." in shown[0] and LEFT_OUT in shown[1] and "nothing" not in shown[1]
    assert "<b>" not in cells_html([], kinds[0])
