"""Reading what was recorded: how metrics are meant, things to look at, artifacts, points as a data frame."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import kernel_magics as km
from kernel_magics.errors import UnknownRun, UsageMistake
from kernel_magics.model import MetricInfo, MetricSource
from kernel_magics.store.happenings import happenings

RUN = "20261122-141503-aaaaaa"


def test_a_later_frame_refines_how_a_metric_is_meant(journal, reopen):
    number = journal.metric("loss", unit="nats")
    journal.log({"loss": 3.0}, 0)
    store = reopen()
    assert store.metrics([RUN])[RUN] == [MetricInfo("loss", MetricSource.LOGGED, "nats")]
    journal.json(5, id=number, name="loss", source="logged", better="lower", x="epoch")
    assert store.refresh().new_metrics == {RUN}, "who shows the metric must hear of it"
    assert store.metrics([RUN])[RUN] == [MetricInfo("loss", MetricSource.LOGGED, "nats", "lower", "epoch")]
    journal.json(5, id=number, name="loss", source="logged", better="sideways")
    assert not store.refresh().new_metrics
    assert store.metrics([RUN])[RUN][0].better == "lower"


def test_of_several_writers_the_one_who_says_it_counts(new_journal, reopen):
    new_journal(writer="w0", created=1.0).metric("loss", better="lower")
    new_journal(writer="w1", created=2.0).metric("loss", unit="nats", x="epoch", better="higher")
    (info,) = reopen().metrics([RUN])[RUN]
    assert (info.unit, info.better, info.x) == ("nats", "lower", "epoch")


def test_the_best_of_a_metric_that_shall_be_high_is_where_it_was_first_highest(journal, reopen):
    for step, value in enumerate([1.0, 5.0, float("nan"), 5.0, float("inf"), 2.0]):
        journal.log({"acc": value}, step * 10)
    journal.json(5, id=journal.metric("acc"), name="acc", source="logged", better="higher")
    (summary,) = reopen().metric_summaries([RUN])[RUN]
    assert (summary.best, summary.best_step, summary.better) == (5.0, 10, "higher")


def test_what_the_recorder_defines_is_what_the_store_reads(data_dir, reopen):
    with km.init() as run:
        run.define_metric("loss", unit="nats", better="lower", x="epoch")
        for step in range(30):
            run.log({"loss": 1.0 / (step + 1), "epoch": step / 10})
    store = reopen()
    info = next(one for one in store.metrics([run.id])[run.id] if one.name == "loss")
    assert (info.unit, info.better, info.x) == ("nats", "lower", "epoch")
    (window,) = store.window([run.id], "loss", x=info.x)
    np.testing.assert_array_equal(window.x, np.arange(30) / 10)


def test_media_come_with_their_content_or_the_place_of_their_bytes(data_dir, reopen):
    with km.init() as run:
        run.log({"rows": km.Table(["a", "b"], [[1, "x"]]), "loss": 0.5}, step=3)
        run.log({"page": km.Html("<b>" + "long" * 20_000 + "</b>")}, step=4)
    store = reopen()
    rows, page = store.media(run.id)
    assert (rows["metric"], rows["step"], rows["type"]) == ("rows", 3, "table")
    assert rows["content"] == {"columns": ["a", "b"], "data": [[1, "x"]]}
    assert Path(page["blob"]).read_text(encoding="utf-8") == "<b>" + "long" * 20_000 + "</b>"
    assert store.media(run.id, "page") == [page] and store.media(run.id, "loss") == []
    with pytest.raises(UnknownRun):
        store.media("20261122-000000-zzzzzz")


def test_a_digest_that_is_a_path_opens_nothing(journal, reopen):
    journal.json(14, metric="m", step=0, time=0.0, type="image", mime="image/png", size=1, digest="../../x")
    (one,) = reopen().media(RUN)
    assert "blob" not in one


def test_artifacts_name_their_blobs(data_dir, reopen, tmp_path):
    (tmp_path / "model.bin").write_bytes(b"weights")
    with km.init() as run:
        run.log_artifact(tmp_path / "model.bin", name="model", type="model")
    (artifact,) = reopen().artifacts(run.id)
    assert (artifact["name"], artifact["type"], artifact["size"]) == ("model", "model", 7)
    assert (data_dir / "blobs" / artifact["digest"]).read_bytes() == b"weights"


def test_a_data_frame_has_every_point_as_a_row(new_journal, reopen):
    pytest.importorskip("pandas")
    first, second = "20261122-000000-aaaaaa", "20261122-000001-bbbbbb"
    one = new_journal(first, created=1.0)
    values = np.array([0.1, float("nan"), float("inf"), -0.0])
    one.log_many("loss", [0, 5, 5, -3], [1.0, 2.0, 2.0, 3.0], values)
    one.log({"loss": 9.0, "acc": 1.0}, 2**53 + 1, source="inferred")
    new_journal(second, created=2.0).log({"acc": 0.5}, 7, time=4.0)
    store = reopen()
    frame = store.dataframe()
    assert list(frame.columns) == ["run", "metric", "source", "step", "time", "value"]
    assert list(frame["run"].unique()) == [first, second]
    logged = frame[(frame.run == first) & (frame.source == "logged")]
    np.testing.assert_array_equal(logged["value"].to_numpy().view("i8"), values.view("i8"))
    assert logged["step"].tolist() == [0, 5, 5, -3] and logged["time"].tolist() == [1.0, 2.0, 2.0, 3.0]
    assert frame[frame.source == "inferred"]["step"].tolist() == [2**53 + 1] * 2
    assert store.dataframe([second], ["acc"])["value"].tolist() == [0.5]
    assert store.dataframe([second], ["loss"]).empty
    with pytest.raises(UnknownRun):
        store.dataframe(["20261122-000000-zzzzzz"])


def test_without_pandas_a_data_frame_is_refused_with_a_sentence(journal, reopen, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageMistake, match="pip install pandas"):
        reopen().dataframe()


@pytest.mark.parametrize("time", [[1.0], {}, "now", 10**400, None, True])
def test_an_event_at_a_time_that_is_none_hides_no_other(journal, reopen, time):
    journal.log({"loss": 1.0}, 7, time=1500.0)
    journal.json(10, name="strange", time=time, level="info", detail="")
    journal.json(10, name="ordinary", time=1600.0, level="info", detail="")
    journal.finish()
    store = reopen()
    found = {one["name"]: one for one in happenings(store, store.run(journal.run_id))}
    assert (found["strange"]["time"], found["strange"]["step"]) == (None, None)
    assert (found["ordinary"]["time"], found["ordinary"]["step"]) == (1600.0, 7)
