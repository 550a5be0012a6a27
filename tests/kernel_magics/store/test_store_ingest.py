"""Journals into the index: nothing twice, nothing lost, whatever happens to writer, reader or disk."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from kernel_magics.model import RunStatus
from kernel_magics.store import open_store
from kernel_magics.store.frames import parse

RUN = "20261122-141503-aaaaaa"


def test_a_run_is_what_its_journal_says(journal, reopen):
    journal.json(2, python="3.11", packages={f"p{n}": "1.0" for n in range(100)}, notebook="a.ipynb")
    journal.json(3, lr=0.1, model={"layers": [64, 10]})
    journal.json(3, lr=0.2, old=1)
    journal.json(3, **{"old": None, "$deleted": ["old"]})
    journal.json(4, best=0.93)
    journal.log({"loss": 0.5, "acc": 0.1}, 0)
    journal.log({"loss": 0.25, "acc": float("nan")}, 7)
    journal.json(13, name="renamed", tags=["a", "b"])
    journal.finish(
        "failed",
        2000.0,
        detail="ValueError: no",
        error={"ename": "ValueError", "evalue": "no", "traceback": ["t"]},
    )
    run = reopen().run(RUN)
    assert (run.name, run.project, run.tags) == ("renamed", "p", ("a", "b"))
    assert run.config == {"lr": 0.2, "model": {"layers": [64, 10]}}
    assert run.summary["best"] == 0.93 and run.summary["loss"] == 0.25 and np.isnan(run.summary["acc"])
    assert run.facts["packages"]["p99"] == "1.0"
    assert (run.status, run.status_detail, run.finished) == (RunStatus.FAILED, "ValueError: no", 2000.0)
    assert run.error == {"ename": "ValueError", "evalue": "no", "traceback": ["t"]}


def test_a_listing_carries_the_short_facts_only(journal, reopen):
    journal.json(2, host="gpu-box", notebook="a.ipynb", diff="x" * 10_000)
    (run,) = reopen().runs()
    assert run.facts == {"host": "gpu-box", "notebook": "a.ipynb"}
    assert reopen().run(RUN).facts["diff"] == "x" * 10_000


def test_runs_come_newest_first_by_project_and_limit(new_journal, reopen):
    for number in range(6):
        run_id = f"20261122-14150{number}-aaaaaa"
        new_journal(run_id, created=1000.0 + number, project="odd" if number % 2 else "even").finish()
    store = reopen()
    assert [run.created for run in store.runs()] == [1005.0, 1004.0, 1003.0, 1002.0, 1001.0, 1000.0]
    assert [run.created for run in store.runs(project="odd", limit=2)] == [1005.0, 1003.0]
    wanted = ["20261122-141500-aaaaaa", "20261122-141504-aaaaaa", "20261122-999999-zzzzzz"]
    assert [run.created for run in store.runs(ids=wanted)] == [1004.0, 1000.0]


def test_the_summary_of_a_metric_knows_last_extremes_and_best(journal, reopen):
    journal.metric("loss", better="lower", unit="nats")
    for step, value in [(0, 3.0), (1, 1.0), (2, float("inf")), (3, 1.0), (4, 2.0)]:
        journal.log({"loss": value}, step)
    (summary,) = reopen().metric_summaries([RUN])[RUN]
    assert (summary.last, summary.last_step, summary.count) == (2.0, 4, 5)
    assert (summary.min, summary.min_step, summary.max, summary.max_step) == (1.0, 1, 3.0, 0)
    assert (summary.best, summary.best_step, summary.unit) == (1.0, 1, "nats")


def test_refresh_reads_on_and_says_what_has_changed(journal, reopen):
    journal.log({"loss": 1.0}, 0)
    store = reopen()
    assert not store.refresh()
    journal.log({"loss": 2.0}, 1)
    changes = store.refresh()
    assert (changes.runs, changes.metrics, changes.new_metrics) == ({RUN}, {(RUN, "loss")}, set())
    journal.log({"acc": 0.5}, 1)
    assert store.refresh().new_metrics == {RUN}
    assert store.series(RUN, "loss").value.tolist() == [1.0, 2.0]


def test_the_order_of_logging_survives_layouts_that_take_turns(journal, reopen):
    expected = []
    for step in range(500):
        journal.log({"loss": float(step)}, step)
        journal.log({"loss": float(-step), "acc": 1.0}, step)
        expected += [float(step), float(-step)]
    store = reopen()
    assert store.series(RUN, "loss").value.tolist() == expected
    assert len(store.series(RUN, "acc")) == 500


def test_points_that_come_one_by_one_make_the_same_index_as_all_at_once(journal, reopen):
    random = np.random.default_rng(0)
    values = random.normal(size=9_000)
    store = reopen()
    for start in range(0, 9_000, 700):
        part = slice(start, start + 700)
        journal.log_many("loss", np.arange(9_000)[part], np.arange(9_000)[part] * 0.5, values[part])
        store.refresh()
    np.testing.assert_array_equal(store.series(RUN, "loss").value, values)
    before = [store.window([RUN], "loss", axis, width=300)[0].to_json() for axis in ("step", "time")]
    store.rebuild()
    assert before == [store.window([RUN], "loss", axis, width=300)[0].to_json() for axis in ("step", "time")]


def test_a_deleted_run_leaves_the_index(new_journal, reopen, data_dir):
    kept, gone = "20261122-000000-aaaaaa", "20261122-000001-bbbbbb"
    for run_id in (kept, gone):
        new_journal(run_id).log_many("loss", range(5000), range(5000), range(5000))
    store = reopen()
    shutil.rmtree(data_dir / "runs" / gone)
    assert store.refresh().removed == {gone}
    assert [run.id for run in store.runs()] == [kept]
    new_journal(gone).log({"loss": 3.0}, 0)
    store.refresh()
    assert store.series(gone, "loss").value.tolist() == [3.0]


def test_a_journal_that_was_replaced_is_read_anew(new_journal, reopen):
    new_journal().log_many("loss", range(5000), range(5000), range(5000))
    store = reopen()
    new_journal().log({"loss": 7.0}, 0)
    store.refresh()
    assert store.series(RUN, "loss").value.tolist() == [7.0]


def test_five_thousand_metrics_in_one_call(journal, reopen):
    names = [f"m{number}" for number in range(5000)]
    for step in range(3):
        journal.log({name: float(step * place) for place, name in enumerate(names)}, step)
    store = reopen()
    store.refresh()
    assert store.series(RUN, "m4999").value.tolist() == [0.0, 4999.0, 9998.0]
    assert len(store.metrics([RUN])[RUN]) == 5000


def test_frames_are_found_alike_wherever_a_read_is_cut(journal):
    for step in range(40):
        journal.log({"loss": float(step)}, step)
        journal.log({"a": 1.0, "b": 2.0}, step)
    data = journal.path.read_bytes()[16:]
    whole = parse(data, 16)
    for cut in range(1, len(data), 61):
        head = parse(data[:cut], 16, at_end=False)
        assert head.skipped == []
        rest = parse(data[head.end - 16 :], head.end)
        steps = [
            np.concatenate(
                [block.step for part in (head, rest) for block in part.points if block.layout == layout]
            )
            for layout in (0, 1)
        ]
        assert all((one == np.arange(40)).all() for one in steps)
        assert len(head.frames) + len(rest.frames) == len(whole.frames)


KILLED_INGESTER = """
import sys, os
from pathlib import Path
from kernel_magics.store import ingest
from kernel_magics.store.index import Index
ingest.BATCH = ingest.HEAD = 20_000
real, count = ingest.RunState.save, [0]
def dying(*arguments):
    count[0] += 1
    real(*arguments)
    if count[0] > int(sys.argv[2]):
        os.kill(os.getpid(), 9)  # all is written, nothing is committed
ingest.RunState.save = dying
Index(Path(sys.argv[1])).catch_up()
"""


def test_an_ingester_that_is_killed_again_and_again_counts_nothing_twice(journal, reopen, data_dir):
    values = np.random.default_rng(5).normal(size=12_000)
    journal.log_many("loss", range(12_000), range(12_000), values)
    killed = 0
    for reads in (1, 3, 2, 5, 4, 7):
        command = [sys.executable, "-c", KILLED_INGESTER, str(data_dir), str(reads)]
        killed += subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert killed >= 5
    store = reopen()
    np.testing.assert_array_equal(store.series(RUN, "loss").value, values)


def test_a_long_backlog_is_not_waited_for_but_what_is_asked_is_complete(
    new_journal, reopen, data_dir, monkeypatch
):
    from kernel_magics.store import ingest, opening

    monkeypatch.setattr(ingest, "BATCH", 100_000)
    monkeypatch.setattr(ingest, "HEAD", 10_000)
    monkeypatch.setattr(opening, "OPENING_S", 0.0)
    for number in range(4):
        new_journal(f"20261122-00000{number}-aaaaaa").log_many("loss", range(5000), range(5000), range(5000))
    opened = reopen()
    assert opened.behind_bytes() > 0
    assert len(opened.series("20261122-000002-aaaaaa", "loss")) == 5000
    opened.refresh()
    assert opened.behind_bytes() == 0 and len(opened.runs()) == 4


@pytest.mark.parametrize("long", [1, 20_000])
def test_no_run_is_missing_from_a_store_that_was_opened_in_a_hurry(long, new_journal, reopen, monkeypatch):
    """Something of every run is read whatever the time: a listing that leaves runs out says nothing of it."""
    from kernel_magics.store import ingest, opening

    monkeypatch.setattr(ingest, "BATCH", 100_000)
    monkeypatch.setattr(ingest, "HEAD", 10_000)
    monkeypatch.setattr(opening, "OPENING_S", 0.0)
    for number in range(60):
        one = new_journal(f"20261122-0000{number:02}-aaaaaa")
        one.log_many("loss", range(long), range(long), range(long)) if number == 30 else one.log(
            {"loss": 7.0}, 0
        )
    store = reopen()
    assert len(store.runs()) == 60
    assert {run.summary["loss"] for run in store.runs()} == {7.0, float(long - 1)}
    assert (store.behind_bytes() > 0) is (long > 1)


def test_of_a_long_backlog_the_newest_is_answered_at_once(new_journal, reopen, data_dir, monkeypatch):
    from kernel_magics.store import ingest
    from kernel_magics.store.index import Index

    monkeypatch.setattr(ingest, "HEAD", 20_000)
    for number in range(3):
        one = new_journal(f"20261122-00000{number}-aaaaaa")
        one.json(4, best=0.1)
        one.log_many("loss", range(20_000), range(20_000), np.arange(20_000) / 4)
        one.log({"loss": 7.0, "acc": float(number)}, 20_000, time=20_000.0)
        one.json(4, best=0.9)
        if number:
            one.json(13, name="renamed")
            one.finish(time=3000.0)
        else:
            one.append(b"torn")
    with Index(data_dir).writing() as sql:
        ingester = ingest.Ingester(sql, data_dir)
        ingester._transaction(ingester.growth.journals(), once=True)
        with open_store(data_dir, ingest=False) as store:
            runs = store.runs()
            assert store.behind_bytes() > 3 * 20_000 * 39 * 0.9, "hardly anything is indexed"
            assert [(run.summary["loss"], run.summary["acc"]) for run in runs] == [
                (7.0, 2),
                (7.0, 1),
                (7.0, 0),
            ]
            assert [run.summary["best"] for run in runs] == [0.9] * 3
            assert [str(run.status) for run in runs] == ["finished", "finished", "unknown"]
            assert [run.name for run in runs] == ["renamed", "renamed", "n"]
            assert store.metric_summaries([runs[0].id])[runs[0].id][0].count < 1000
    store = reopen()
    store.refresh()
    before = answers_of_runs(store)
    assert [run["summary"] for run in before] == [{"loss": 7.0, "acc": acc, "best": 0.9} for acc in (2, 1, 0)]
    store.rebuild()
    assert answers_of_runs(store) == before


def answers_of_runs(store) -> list[dict]:
    return [run.to_json() for run in store.runs()]
