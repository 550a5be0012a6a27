"""Runs into files and back: every number, every setting."""

from __future__ import annotations

import csv
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

import kernel_magics as km
from kernel_magics import paths
from kernel_magics.errors import DataFolderError, UnknownRun, UsageMistake
from kernel_magics.exchange import export_runs, import_file
from kernel_magics.store import Store, open_store

FORMATS = ["csv", "jsonl", "parquet"]
NASTY = [0.1, math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308, 1 / 3, 1e22]
NAME = 'loss, "é" / # \\n 😀'


@pytest.fixture
def store() -> Store:
    with open_store() as opened:
        yield opened


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest) -> str:
    if request.param == "parquet":
        pytest.importorskip("pyarrow")
    return request.param


def nasty_run() -> str:
    config = {"lr": 0.1, "deep": {"list": [1, None, "NaN", math.nan]}, "inf": -math.inf, "é\n": '# x,"y"'}
    with km.init(project="p é", name="n,\n1", config=config, tags=["a b", "ü"], group="g") as run:
        run.define_metric(NAME, unit="%", better="lower", x="epoch")
        for step, value in zip([3, 3, -7, 2**53 + 1, 0, -(2**63), 2**63 - 1, 5, 6], NASTY, strict=True):
            run.log({NAME: value, "epoch": step / 2}, step=step)
        run.log({"single": 1.5}, step=1)
        run.log_inferred({NAME: 4.0}, step=1)
        run.summary["best"] = math.nan
        run.summary["text"] = "Infinity"
    return run.id


def bits(store: Store, run_id: str) -> dict[tuple[str, str], list[bytes]]:
    found = {}
    for info in store.metrics([run_id])[run_id]:
        series = store.series(run_id, info.name, str(info.source))
        if str(info.source) != "system":
            found[info.name, str(info.source)] = [column.tobytes() for column in (series.step, series.time)]
            found[info.name, str(info.source)].append(repr(series.value.tolist()))
    return found


HOSTILE = [
    *(
        "a\nb",
        "a\r\nb",
        "\r",
        "\n",
        "\t",
        ",",
        '"',
        '"quoted"',
        "",
        " leading",
        "# trackside-run {}",
        "=cmd()",
        "\x00nul",
    ),
    *(
        "../../etc/passwd",
        "a/b/c",
        "\u202eabc\u200b",
        "\u2028",
        "\x85",
        "é" * 500,
        "🦜",
        "'; DROP TABLE run;--",
        "NaN",
    ),
    *("run", "metric", "step", "%s{}{0}"),
]


def test_whatever_metrics_are_called_they_come_back(form, store, tmp_path):
    with km.init(name="\n", config=dict.fromkeys(HOSTILE, "x" * 100_000)) as run:
        run.log({name: float(number) for number, name in enumerate(HOSTILE)}, step=3)
    store.refresh()
    path = tmp_path / f"run.{form}"
    export_runs(store, [run.id], path)
    (copy_id,) = import_file(path, store.data_dir)
    store.refresh()
    assert [info.name for info in store.metrics([copy_id])[copy_id] if info.source == "logged"] == HOSTILE
    assert bits(store, copy_id) == bits(store, run.id)
    assert dict(store.run(copy_id).config) == dict(store.run(run.id).config)


def test_a_run_comes_back_as_it_went(form, store, tmp_path):
    run_id = nasty_run()
    store.refresh()
    path = tmp_path / f"run.{form}"
    written = export_runs(store, [run_id], path)
    (copy_id,) = import_file(path, store.data_dir)
    store.refresh()
    run, copy = store.run(run_id), store.run(copy_id)
    assert copy_id != run_id and written == sum(s.count for s in store.metric_summaries([copy_id])[copy_id])
    for part in ("name", "project", "tags", "group", "created", "finished", "status", "status_detail"):
        assert getattr(copy, part) == getattr(run, part), part
    assert repr(dict(copy.config)) == repr(dict(run.config))
    assert json.dumps(dict(copy.summary), sort_keys=True) == json.dumps(dict(run.summary), sort_keys=True)
    facts = dict(copy.facts)
    assert facts.pop("imported")["run"] == run_id and facts == dict(run.facts)
    assert bits(store, copy_id) == bits(store, run_id)
    assert store.metrics([copy_id])[copy_id] == store.metrics([run_id])[run_id]
    (over,) = store.window([copy_id], NAME, x="epoch")
    (was,) = store.window([run_id], NAME, x="epoch")
    np.testing.assert_array_equal(over.x, was.x)
    assert store.events(copy_id) == []


def test_several_runs_and_runs_without_points_in_one_file(form, store, tmp_path):
    ids = []
    for number in range(3):
        with km.init(name=f"r{number}", config={"n": number}) as run:
            for step in range(number * 10):
                run.log({"loss": step / 7, "acc": float(number)})
        ids.append(run.id)
    store.refresh()
    export_runs(store, ids, tmp_path / "runs", form)
    copies = import_file(tmp_path / "runs", store.data_dir, form)
    store.refresh()
    assert [store.run(copy).name for copy in copies] == ["r0", "r1", "r2"]
    assert [bits(store, copy) for copy in copies] == [bits(store, run_id) for run_id in ids]


def test_how_a_run_ended_comes_back(form, store, tmp_path):
    run = km.init(name="bad")
    run.finish(
        "failed", {"ename": "ValueError", "evalue": "no", "traceback": ["Traceback", "ValueError: no"]}
    )
    running = km.init(name="running")
    store.refresh()
    path = tmp_path / f"x.{form}"
    export_runs(store, [run.id, running.id], path)
    failed, open_one = import_file(path, store.data_dir)
    running.finish()
    store.refresh()
    assert str(store.run(failed).status) == "failed" and store.run(failed).error["ename"] == "ValueError"
    assert "had not ended" in store.run(open_one).status_detail


def test_many_points_come_back_exactly(form, store, tmp_path):
    values = np.random.default_rng(0).normal(size=250_000)
    rows = np.arange(250_000)
    whole = {"run": "x", "metric": "loss", "source": "logged"}
    from kernel_magics.exchange.formats import FORMATS as KNOWN
    from kernel_magics.exchange.rows import Block

    block = Block(*whole.values(), rows, 1.7e9 + rows * 0.01, values)
    KNOWN[form].write(tmp_path / "big", [{"id": "x", "name": "big", "created": 1.7e9}], iter([block]))
    told = []
    (run_id,) = import_file(tmp_path / "big", store.data_dir, form, lambda done, of: told.append((done, of)))
    assert told[-1] == (250_000, 250_000) and len(told) == 5
    store.refresh()
    np.testing.assert_array_equal(store.series(run_id, "loss").value, values)
    np.testing.assert_array_equal(store.series(run_id, "loss").time, block.time)


def test_a_csv_is_what_other_tools_read(store, tmp_path):
    run_id = nasty_run()
    store.refresh()
    export_runs(store, [run_id], tmp_path / "a.csv")
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(tmp_path / "a.csv", comment="#")
    single = frame[frame.metric == "single"]
    assert single["value"].tolist() == [1.5] and set(frame["run"]) == {run_id}


def test_a_table_of_somebody_else_becomes_a_run(store, tmp_path):
    with (tmp_path / "a.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["value", "step", "time", "metric", "run", "source", "note"])
        rows.writerow(["0.5", "1", "1.7e9", "loss", "mine", "logged", "x"])
    (run_id,) = import_file(tmp_path / "a.csv", store.data_dir)
    store.refresh()
    assert store.run(run_id).name == "mine" and store.series(run_id, "loss").value.tolist() == [0.5]


BAD = {
    "empty.csv": ("", "no column 'run'"),
    "header.csv": ("run,metric,source,step,value\n", "no column 'time'"),
    "number.csv": ("run,metric,source,step,time,value\nr,m,logged,1,2.0,abc\n", "line 2"),
    "short.csv": ("run,metric,source,step,time,value\nr,m\n", "line 2"),
    "source.csv": ("run,metric,source,step,time,value\nr,m,guessed,1,2.0,3.0\n", "'guessed' is no source"),
    "huge.csv": (f"run,metric,source,step,time,value\nr,m,logged,{2**64},2.0,3.0\n", "64 bits"),
    "mark.csv": ("# trackside-run {no\n", "cannot be imported"),
    "id.csv": ('# trackside-run {"name": "x"}\n', "has no id"),
    "text.jsonl": ("hello\n", "line 1 is not JSON"),
    "list.jsonl": ("[1]\n", "line 1 is no JSON object"),
    "late.jsonl": ('{"run": {"id": "a"}}\n\n{"run": "a", "metric": "m"}\n', "line 3 is no point"),
    "float.jsonl": (
        f'{{"run":"a","metric":"m","source":"logged","step":1,"time":1,"value":{10**400}}}\n',
        "line 1",
    ),
    "deep.jsonl": (
        '{"run": {"id": "a", "config": {"b": ' + "[" * 100_000 + "]" * 100_000 + "}}}\n",
        "line 1 is not JSON",
    ),
    "deep.csv": ('# trackside-run {"b": ' + "[" * 100_000 + "]" * 100_000 + "}\n", "line 1 is not JSON"),
    "deeper.jsonl": (
        '{"run": {"id": "a", "config": {"b": ' + "[" * 300 + "]" * 300 + "}}}\n",
        "deeper than 200 levels",
    ),
    "tags.jsonl": ('{"run": {"id": "a", "tags": 3}}\n', "tags of run a"),
    "cell.csv": (f"run,metric,source,step,time,value\nr,{'m' * 200_000},logged,1,2.0,3.0\n", "field larger"),
    "step.jsonl": ('{"run":"a","metric":"m","source":"logged","step":1.5,"time":1,"value":1}\n', "line 1"),
    "config.jsonl": ('{"run": {"id": "a", "config": [1]}}\n', "config of run a"),
    "bytes.csv": (b"\xff\xfe\x00", "cannot be imported"),
    "bad.parquet": ("PAR1 no", "not Parquet"),
    "unknown.xls": ("", "known are csv, jsonl, parquet"),
    "missing.csv": (None, "cannot be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_none_is_one_sentence_and_leaves_nothing(name, tmp_path):
    content, said = BAD[name]
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageMistake) as caught:
        import_file(tmp_path / name, paths.data_dir())
    assert said in caught.value.message
    assert not list(paths.runs_dir(paths.data_dir()).glob("*"))


def test_an_export_that_fails_leaves_what_was_there(store, tmp_path):
    run_id = nasty_run()
    store.refresh()
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(UnknownRun):
        export_runs(store, [run_id, "20261122-000000-zzzzzz"], tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "mine"
    with pytest.raises(DataFolderError, match="Nothing was exported"):
        export_runs(store, [run_id], tmp_path / "no folder" / "a.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_disk_that_is_full_leaves_no_half_of_a_run(store, tmp_path, monkeypatch):
    run_id = nasty_run()
    store.refresh()
    export_runs(store, [run_id], tmp_path / "a.csv")
    before = sorted(paths.runs_dir(store.data_dir).iterdir())
    real, count = os.write, [0]

    def full(descriptor: int, data: bytes) -> int:
        count[0] += 1
        if count[0] > 4:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DataFolderError, match="removed again"):
        import_file(tmp_path / "a.csv", store.data_dir)
    monkeypatch.undo()
    assert sorted(Path(store.data_dir, "runs").iterdir()) == before


def test_without_pyarrow_parquet_is_refused_with_a_sentence(store, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageMistake, match="pip install pyarrow"):
        export_runs(store, [], tmp_path / "a.parquet")
