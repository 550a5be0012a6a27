"""``trackside export | import | rm | restore | gc`` as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import kernel_magics as km
from kernel_magics import paths
from kernel_magics.store import open_store


def trackside(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jupyter_ext.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, done
    assert "Traceback" not in done.stderr, done.stderr
    return done


def a_run(name: str) -> str:
    with km.init(name=name, config={"lr": 0.1}, tags=["t"]) as run:
        for step in range(5):
            run.log({"loss": step / 3})
    return run.id


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_run_goes_out_and_comes_back(form: str, tmp_path: Path) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    run_id = a_run("one")
    file = tmp_path / f"runs.{form}"
    assert "1 run, " in trackside("export", "one", "-o", file).stdout
    copy = trackside("import", file).stdout.split()[0]
    with open_store() as store:
        assert (store.run(copy).name, store.run(copy).tags) == ("one", ("t",))
        assert store.series(copy, "loss").value.tolist() == store.series(run_id, "loss").value.tolist()
        assert store.series(copy, "loss").time.tolist() == store.series(run_id, "loss").time.tolist()


def test_every_run_can_be_exported_in_a_format_that_is_named(tmp_path: Path) -> None:
    ids = [a_run("one"), a_run("two")]
    trackside("export", "--all", "--format", "jsonl", "-o", tmp_path / "all.txt")
    lines = [json.loads(line) for line in (tmp_path / "all.txt").read_text().splitlines()]
    assert [line["run"]["id"] for line in lines[:2]] == ids


def test_the_runs_of_a_project_can_be_exported(tmp_path: Path) -> None:
    mine = km.init(name="mine", project="paper")
    mine.finish()
    a_run("other")
    file = str(tmp_path / "paper.jsonl")
    assert "1 run, " in trackside("export", "--project", "paper", "-o", file).stdout
    refused = trackside("export", "--project", "nope", "-o", file, status=2)
    assert "Projects: default, paper." in refused.stderr


def test_export_and_import_say_what_is_missing(tmp_path: Path) -> None:
    a_run("one")
    assert "Which runs" in trackside("export", "-o", tmp_path / "a.csv", status=2).stderr
    assert "--format jsonl" in trackside("export", "one", "-o", tmp_path / "a.xls", status=2).stderr
    assert "no run" in trackside("export", "two", "-o", tmp_path / "a.csv", status=2).stderr
    assert "cannot be written" in trackside("export", "one", "-o", tmp_path / "no" / "a.csv", status=1).stderr
    assert "cannot be read" in trackside("import", tmp_path / "a.csv", status=2).stderr


def test_a_run_is_deleted_and_brought_back() -> None:
    run_id = a_run("one")
    said = trackside("rm", "one").stdout
    assert f"trackside restore {run_id}" in said and "no runs" in trackside("ls").stdout
    assert trackside("restore").stdout.split() == [run_id]
    assert "no run zzz in the trash" in trackside("restore", "zzz", status=2).stderr
    assert "is back" in trackside("restore", run_id[-6:]).stdout
    assert "one" in trackside("ls").stdout and "empty" in trackside("restore").stdout


def test_gc_says_what_it_would_do_and_does_it_only_with_yes() -> None:
    run_id, kept = a_run("one"), a_run("two")
    trackside("rm", "one")
    dry = trackside("gc").stdout
    assert run_id in dry and kept not in dry and "would free" in dry and "--yes" in dry
    assert trackside("restore").stdout.split() == [run_id]
    assert "Freed" in trackside("gc", "--yes").stdout
    assert "empty" in trackside("restore").stdout
    assert "nothing to free" in trackside("gc", "--older-than", "1d", "--quota", "1TB").stdout


def test_gc_deletes_what_is_old_or_too_much() -> None:
    run_id = a_run("one")
    assert run_id in trackside("gc", "--quota", "1kB").stdout
    assert run_id not in trackside("gc", "--older-than", "12h").stdout
    assert "(0 days old)" in trackside("gc", "--older-than", "0m", "--yes").stdout
    assert "no runs" in trackside("ls").stdout
    assert not (paths.runs_dir(paths.data_dir()) / run_id).exists()


@pytest.mark.parametrize(
    "arguments", [("--older-than", "old"), ("--quota", "many"), ("--quota", "5i"), ("--older-than", "90")]
)
def test_gc_takes_ages_and_sizes_only(arguments: tuple[str, ...]) -> None:
    assert "write" in trackside("gc", *arguments, status=2).stderr


def test_progress_is_a_line_on_a_terminal(tmp_path: Path) -> None:
    import pty

    a_run("one")
    leader, follower = pty.openpty()
    code = (
        "import sys; from jupyter_ext import cli, cli_exchange; cli_exchange._EVERY_S = 0.0;"
        "raise SystemExit(cli.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "export", "one", "-o", str(tmp_path / "a.csv")]
    process = subprocess.Popen(command, stderr=follower, stdout=subprocess.DEVNULL)
    os.close(follower)
    said, end = b"", time.monotonic() + 60
    while time.monotonic() < end:
        try:
            part = os.read(leader, 4096)
        except OSError:  # the other side has closed
            break
        if not part:
            break
        said += part
    os.close(leader)
    assert process.wait(60) == 0
    assert b"points" in said and b"%" in said and said.endswith(b"\x1b[K")


def test_one_of_something_is_not_several(tmp_path: Path) -> None:
    with km.init(name="one") as run:
        run.log({"loss": 1.0})
    assert "journals: 1 run in " in trackside("rebuild").stdout
    assert ": 1 run, 1 point." in trackside("export", "one", "-o", tmp_path / "a.csv").stdout
    assert "1 run, 1 point of " in trackside("import", tmp_path / "a.csv").stdout
    assert "journals: 2 runs in " in trackside("rebuild").stdout


def test_gc_puts_edits_together_and_says_so_before() -> None:
    run_id = a_run("one")
    with open_store() as store:
        for number in range(3):
            store.edit(run_id, notes=str(number))
    folder = paths.runs_dir(paths.data_dir()) / run_id
    told = trackside("gc").stdout
    assert "3 journals of edits become 1; nothing of them is lost" in told and "--yes" in told
    assert len(list(folder.glob("editor-*"))) == 3
    assert "Freed " in trackside("gc", "--yes").stdout
    assert len(list(folder.glob("editor-*"))) == 1
    assert "There is nothing to free" in trackside("gc").stdout
    with open_store() as store:
        assert store.run(run_id).notes == "2"
