"""``trackside …`` as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import kernel_magics as km
from gpu_provisioner import gpus
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.providers import provider_of_lease
from gpu_provisioner.providers.base import Target
from gpu_provisioner.provisioner import provision
from kernel_magics import paths

Done = subprocess.CompletedProcess[str]


def trackside(*arguments: str, status: int = 0, **environ: str) -> Done:
    """What the command said; asserts its exit status, and that it never shows a traceback."""
    command = [sys.executable, "-m", "jupyter_ext.cli", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, **environ}, check=False
    )
    assert done.returncode == status, done
    assert "Traceback" not in done.stderr, done.stderr
    return done


def a_run(name: str, lr: float = 0.1, **more: Any) -> str:
    with km.init(name=name, config={"lr": lr, "same": 1}, **more) as run:
        for step in range(5):
            run.log({"loss": lr / (step + 1)})
    return run.id


def test_ls_of_nothing_says_so_and_where_it_looked(tmp_path: Path) -> None:
    assert f"There are no runs in {paths.data_dir()}." in trackside("ls").stdout
    (tmp_path / "elsewhere").mkdir()
    said = trackside("--data", tmp_path / "elsewhere", "ls").stdout
    assert f"There are no runs in {tmp_path / 'elsewhere'}." in said and "trackside --data FOLDER ls" in said


def test_ls_lists_the_newest_first_and_can_be_narrowed() -> None:
    a_run("old", project="digits")
    a_run("new", project="other")
    lines = trackside("ls").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["new", "old"]
    assert "new" not in trackside("ls", "--project", "digits").stdout
    assert "old" not in trackside("ls", "--limit", "1").stdout
    assert "old" in trackside("ls", "--limit", "9" * 20).stdout
    said = trackside("ls", "--project", "x").stdout
    assert f"no runs in project x. Projects in {paths.data_dir()}: digits, other." in said


def test_ls_takes_a_filter_and_names_its_mistake() -> None:
    a_run("coarse", lr=0.1)
    a_run("fine", lr=0.001)
    where = 'config.lr < 0.01 and "fin" in name'
    assert [line.split()[0] for line in trackside("ls", "--where", where).stdout.splitlines()[1:]] == ["fine"]
    said = trackside("ls", "--where", "config.lrr < 1").stdout
    assert said == "No run is meant by this filter. No run has config.lrr.\n"
    wrong = trackside("ls", "--where", "config.lr <", status=2).stderr
    assert "wrong at character 12: a value is missing after `config.lr`." in wrong


def test_ls_takes_the_project_as_a_word_as_the_magic_does() -> None:
    a_run("old", project="digits")
    a_run("new", project="other")
    assert trackside("ls", "digits").stdout == trackside("ls", "--project", "digits").stdout
    assert "old" in trackside("ls", "digits").stdout and "new" not in trackside("ls", "digits").stdout
    assert "Two were named" in trackside("ls", "digits", "--project", "other", status=2).stderr


def test_ls_as_json_is_what_the_rest_interface_says() -> None:
    run_id = a_run("one")
    [run] = json.loads(trackside("ls", "--json").stdout)["runs"]
    assert (run["id"], run["name"], run["config"]["lr"]) == (run_id, "one", 0.1)


def test_a_name_cannot_steer_the_terminal() -> None:
    a_run("evil \x1b]0;title\x07 \x1b[31m")
    for arguments in (("ls",), ("show", "2"), ("compare", "2")):
        output = subprocess.run(
            [sys.executable, "-m", "jupyter_ext.cli", *arguments], capture_output=True, check=False
        )
        assert b"\x1b" not in output.stdout + output.stderr


def test_show_takes_an_id_a_part_of_it_or_a_name() -> None:
    run_id = a_run("lr sweep")
    for wanted in (run_id, run_id[:18], run_id[-6:], "lr sweep"):
        output = trackside("show", wanted).stdout
        assert run_id in output
        assert "config lr" in output
    assert json.loads(trackside("show", run_id, "--json").stdout)["id"] == run_id


def test_show_counts_packages_and_names_artifacts(tmp_path: Path) -> None:
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"1234")
    with km.init(name="big") as run:
        run.log_artifact(str(weights), name="weights", type="model")
    output = trackside("show", "big").stdout
    assert f"weights (model)  {weights}" in output
    assert "--packages lists them" in output
    assert "packages.numpy" not in output
    assert "packages.numpy" in trackside("show", "big", "--packages").stdout


def test_show_tells_how_a_run_failed_without_colours() -> None:
    run = km.init(name="bad")
    error = {"ename": "ValueError", "evalue": "no", "traceback": ["\x1b[31mValueError\x1b[39m: no"]}
    run.finish("failed", error)
    output = trackside("show", "bad").stdout
    assert "ValueError: no" in output
    assert "\x1b" not in output


@pytest.mark.parametrize("command", ["show", "compare"])
def test_an_unknown_run_is_one_sentence_and_a_remedy(command: str) -> None:
    a_run("one")
    done = trackside(command, "nothing", status=2)
    assert done.stderr.splitlines() == ["trackside: There is no run 'nothing'.", "Try: trackside ls"]


def test_compare_marks_what_differs_and_writes_the_page(tmp_path: Path) -> None:
    a_run("a", 0.1)
    a_run("b", 0.01)
    page = tmp_path / "compare.html"
    output = trackside("compare", "a", "b", "--html", str(page)).stdout
    assert "0.01" in output
    assert str(page) in output
    assert "<html" in page.read_text(encoding="utf-8")


def test_compare_of_nobody_named_takes_the_last_ones_as_the_magic_does() -> None:
    for name in ("a", "b", "c"):
        a_run(name)
    done = trackside("compare", "--last", "2")
    assert "The last 2 of 3 runs" in done.stderr
    assert done.stdout.split()[:2] == ["b", "c"]
    assert "Projects: " in trackside("compare", "--project", "nope", status=2).stderr


def test_compare_into_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    a_run("a")
    for option in ("--html", "--png"):
        done = trackside("compare", "a", option, str(tmp_path / "missing" / "file"), status=1)
        assert "Try: name another file" in done.stderr


def test_leases_are_listed_and_an_unknown_one_cannot_be_released() -> None:
    assert trackside("leases").stdout == "No leases.\n"
    LeaseBook(paths.data_dir()).save(
        Lease(
            "cpu-1",
            "mine",
            "local",
            "local",
            "cpu",
            LeaseState.RELEASED,
            5.0,
            handle={"env": {"A": "secret"}},
        )
    )
    assert "mine" in trackside("leases").stdout
    [lease] = json.loads(trackside("leases", "--json").stdout)["leases"]
    assert (lease["id"], "handle" in lease) == ("cpu-1", False)
    done = trackside("release", "nothing", status=2)
    assert done.stderr.endswith("Try: trackside leases\n")


def test_a_lease_is_released_by_its_name() -> None:
    lease = provision(
        [gpus.parse("cpu")], targets=[Target("local", "local")], data_dir=paths.data_dir(), name="mine"
    )
    assert "ready" in trackside("leases").stdout
    assert lease.id in trackside("release", "mine").stdout
    assert LeaseBook(paths.data_dir()).load(lease.id).state == LeaseState.RELEASED
    assert provider_of_lease(lease).status(lease) == LeaseState.LOST
    assert "mine" in trackside("release", "mine", status=2).stderr  # by name only one that is not over


def test_show_has_the_notes_and_how_it_ended_to_the_end() -> None:
    run_id = a_run("one")
    notes = "a note that is rather long, much longer than what fits into a cell of a table, and ends here"
    evalue = "an error that says more than sixty characters, all of which are wanted, and then some more"
    failed = km.init(name="two")
    failed.finish("failed", {"ename": "ValueError", "evalue": evalue, "traceback": []})
    with km.open_store() as store:
        store.edit(run_id, notes=notes)
    assert notes in trackside("show", run_id).stdout
    (status,) = [
        line for line in trackside("show", failed.id).stdout.splitlines() if line.startswith("status")
    ]
    assert status.endswith(f"failed: ValueError: {evalue}")


def test_rebuild_makes_the_same_index_again() -> None:
    a_run("one")
    before = trackside("ls", "--json").stdout
    assert "1 run" in trackside("rebuild").stdout
    assert trackside("ls", "--json").stdout == before


def test_doctor_finds_everything_in_order() -> None:
    output = trackside("doctor").stdout
    for what in ("python", "jupyter-server", "server extension", "data folder", "index", "machine"):
        assert f"ok    {what} " in output


def test_doctor_says_what_cannot_work(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    output = trackside("doctor", status=1, TRACKSIDE_DIR=str(in_the_way)).stdout
    assert "bad   data folder " in output


def test_what_a_target_says_is_shown_to_its_end() -> None:
    target = '[targets.far]\nprovider = "ssh"\nhost = "127.0.0.1"\nssh_args = ["-p", "9"]\n'
    paths.config_path().write_text(target)
    checked = trackside("config", "check", status=1).stdout
    assert "Connection refused.) Try: ssh 127.0.0.1\n" in checked
    assert "Connection refused.)\n" in trackside("doctor").stdout


def test_config_check_names_the_line(tmp_path: Path) -> None:
    assert "the defaults hold" in trackside("config", "check").stdout
    paths.config_path().write_text("[capture]\nsource = true\n")
    assert "is in order" in trackside("config", "check").stdout
    paths.config_path().write_text("[capture]\n\nsorce = true\n")
    done = trackside("config", "check", status=2)
    assert "line 3" in done.stderr
    assert "source" in done.stderr


@pytest.mark.parametrize("command", ["leases", "restore"])
def test_a_folder_that_cannot_be_used_is_a_sentence(command: str, tmp_path: Path) -> None:
    """A name that is too long: unlike permissions it stops root as well."""
    said = trackside(command, status=1, TRACKSIDE_DIR=str(tmp_path / ("x" * 300))).stderr
    assert said.endswith(" cannot be used: File name too long.\n") and said.count("\n") == 1


def test_doctor_names_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    output = trackside("doctor", status=1, TRACKSIDE_DIR=str(tmp_path / ("x" * 300))).stdout
    (line,) = [one for one in output.splitlines() if one.startswith("bad   leases ")]
    assert line.endswith("leases cannot be used: File name too long")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_output_that_is_full_is_a_sentence() -> None:
    command = [sys.executable, "-m", "jupyter_ext.cli", "ls"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False
        )
    assert (done.returncode, done.stderr) == (1, "trackside: No space left on device.\n")


@pytest.mark.parametrize("arguments", [(), ("fly",), ("ls", "--limit", "0"), ("show",), ("config",)])
def test_a_command_that_does_not_exist_is_a_mistake(arguments: tuple[str, ...]) -> None:
    assert "usage: trackside" in trackside(*arguments, status=2).stderr


def test_another_data_folder_can_be_named(tmp_path: Path) -> None:
    a_run("elsewhere", data_dir=tmp_path / "other")
    assert "elsewhere" in trackside("--data", str(tmp_path / "other"), "ls").stdout
    assert "no folder" in trackside("--data", str(tmp_path / "missing"), "ls", status=2).stderr


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    a_run("one")
    command = f"{sys.executable} -m jupyter_ext.cli ls --json | true"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
