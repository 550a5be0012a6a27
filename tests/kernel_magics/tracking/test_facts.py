"""Facts are collected without asking, without secrets, and without keeping anybody waiting."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import kernel_magics as km
from kernel_magics.journal.format import Kind
from kernel_magics.model import CaptureSettings
from kernel_magics.tracking import facts, git

Records = Callable[[str], list[Any]]


def collected(settings: CaptureSettings | None = None, known: frozenset[str] = frozenset()) -> dict[str, Any]:
    found: dict[str, Any] = {}
    collection = facts.Collection(found.update, settings or CaptureSettings(), known=known)
    collection.start()
    collection.settle(timeout=30)
    return found


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with one commit, as the working folder."""
    folder = tmp_path / "repo"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(folder)
    in_git(folder, "init", "-q", "-b", "main")
    in_git(folder, "config", "user.email", "me@example.org")
    in_git(folder, "config", "user.name", "Me")
    (folder / "train.py").write_text("lr = 0.1\n")
    notebook(folder / "nb.ipynb", "x = 1", "output of 1")
    in_git(folder, "add", ".")
    in_git(folder, "commit", "-q", "-m", "one")
    return folder


def in_git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


def notebook(path: Path, source: str, output: str) -> None:
    outputs = [{"output_type": "stream", "name": "stdout", "text": [output]}]
    cell = {"cell_type": "code", "source": [source], "outputs": outputs, "metadata": {}, "execution_count": 1}
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


def test_the_machine_the_python_and_the_program_are_known() -> None:
    found = collected()
    assert found["python"] == sys.version.split()[0]
    assert found["executable"] == sys.executable
    assert found["argv"] == sys.argv
    assert found["machine"] == found["host"] == os.uname().nodename
    assert found["cpu"]["count"] == len(os.sched_getaffinity(0))
    assert found["memory_gib"] > 0.1
    assert found["torch"]["version"] == torch.__version__
    assert "environment" not in found


def test_packages_are_those_that_importlib_metadata_knows() -> None:
    found = facts.packages(sys.path)
    expected: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"].lower().replace("_", "-").replace(".", "-")
        expected.setdefault(name, distribution.version)
    assert found == dict(sorted(expected.items()))


def test_what_is_known_already_is_not_collected_again() -> None:
    found = collected(known=frozenset({"host", "packages", "git"}))
    assert not {"host", "packages", "git"} & found.keys()
    assert found["machine"]


def test_the_settings_leave_things_out() -> None:
    found = collected(CaptureSettings(packages=False))
    assert "packages" not in found


def test_the_environment_is_recorded_only_if_asked_for_and_without_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PLAIN", "value")
    monkeypatch.setenv("WANDB_API_KEY", "abc")
    found = collected(CaptureSettings(environment=True))["environment"]
    assert found["PLAIN"] == "value"
    assert found["WANDB_API_KEY"] == "[masked: $WANDB_API_KEY]"


def test_seeds_that_can_be_known_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    torch.manual_seed(1234)
    np.random.seed(99)
    assert facts._seeds() == {"seeds": {"PYTHONHASHSEED": "7", "torch": 1234, "numpy": 99}}
    np.random.random(700)
    assert "numpy" not in facts._seeds()["seeds"], "the state no longer shows the seed"
    np.random.seed()
    assert "numpy" not in facts._seeds()["seeds"], "a state from entropy is no seed"


def test_seeds_set_while_the_run_goes_on_are_recorded_at_its_end(records: Records) -> None:
    with km.init() as run:
        torch.manual_seed(4321)
    assert records(run.id)[0].merged(Kind.FACTS)["seeds"]["torch"] == 4321


def test_a_clean_commit_has_no_diff(repository: Path) -> None:
    found = git.facts(repository)["git"]
    assert found == {
        "root": str(repository),
        "commit": in_git(repository, "rev-parse", "HEAD"),
        "branch": "main",
        "dirty": False,
    }


def test_the_diff_shows_code_and_of_notebooks_only_the_cells(repository: Path) -> None:
    (repository / "train.py").write_text("lr = 0.2\n")
    notebook(repository / "nb.ipynb", "x = 2", "SECRET OUTPUT")
    (repository / "sub").mkdir()
    found = git.facts(repository / "sub")["git"]
    assert found["dirty"] is True
    assert "-lr = 0.1\n+lr = 0.2" in found["diff"]
    assert "-x = 1\n+x = 2" in found["diff"]
    assert "SECRET OUTPUT" not in found["diff"]
    assert "output of 1" not in found["diff"]


def test_a_notebook_that_differs_in_outputs_only_adds_nothing(repository: Path) -> None:
    notebook(repository / "nb.ipynb", "x = 1", "another output")
    assert git.facts(repository)["git"]["diff"] == ""


def test_a_diff_of_more_than_a_megabyte_is_cut_at_a_line_and_says_so(repository: Path) -> None:
    random.seed(0)
    lines = [f"{random.random()} ä\n" for _ in range(100_000)]
    (repository / "train.py").write_text("".join(lines))
    found = git.facts(repository)["git"]
    assert found["diff_truncated"] is True
    assert len(found["diff"].encode()) <= git.DIFF_LIMIT
    assert found["diff"].endswith("ä\n")


def test_no_diff_where_it_is_switched_off(repository: Path) -> None:
    (repository / "train.py").write_text("changed\n")
    found = git.facts(repository, diff=False)["git"]
    assert found["dirty"] is True
    assert "diff" not in found


def test_credentials_in_remotes_are_left_out(repository: Path) -> None:
    in_git(repository, "remote", "add", "origin", "https://me:ghp_secret123@example.org/me/repo.git")
    in_git(repository, "remote", "add", "ssh", "git@example.org:me/repo.git")
    assert git.facts(repository)["git"]["remotes"] == {
        "origin": "https://example.org/me/repo.git",
        "ssh": "git@example.org:me/repo.git",
    }


def test_a_repository_without_a_commit_is_no_error(tmp_path: Path) -> None:
    in_git(tmp_path, "init", "-q", "-b", "main")
    found = git.facts(tmp_path)["git"]
    assert (found["commit"], found["branch"]) == (None, "main")


def test_outside_a_repository_and_without_git_there_is_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert git.facts(tmp_path) == {}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git.facts(tmp_path) == {}


def test_a_hanging_git_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git").write_text(f"#!{sys.executable}\nimport signal\nsignal.pause()\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(git, "_BUDGET_S", 0.2)
    assert git.facts(tmp_path) == {}


@pytest.fixture
def slow_git(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A git that answers when the event is set."""
    gate = threading.Event()

    def answer(*_: object, **__: object) -> Mapping[str, Any]:
        assert gate.wait(60)
        return {"git": {"commit": "late"}}

    monkeypatch.setattr(git, "facts", answer)
    yield gate
    gate.set()


def test_facts_that_take_longer_than_the_run_follow_its_end(
    slow_git: threading.Event, records: Records
) -> None:
    run = km.init()
    run.finish()
    record = records(run.id)[0]
    assert record.all(Kind.FINISH)
    assert "git" not in record.merged(Kind.FACTS)
    slow_git.set()
    facts.abandon_all(timeout=30)
    record = records(run.id)[0]
    assert record.merged(Kind.FACTS)["git"] == {"commit": "late"}
    assert (record.skipped, record.tail) == ([], 0)


def test_what_hangs_when_the_process_ends_is_given_up_and_named(
    slow_git: threading.Event, records: Records
) -> None:
    run = km.init()
    run.finish()
    facts.abandon_all(timeout=0.5)
    found = records(run.id)[0].merged(Kind.FACTS)
    assert found["incomplete"] == ["git", "gpus"]
    assert found["python"]


def test_a_collector_that_fails_costs_its_own_group_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Mapping[str, Any]:
        raise RuntimeError("strange machine")

    monkeypatch.setattr(facts, "_machine", fail)
    found = collected()
    assert found["machine"] == {"error": "RuntimeError('strange machine')"}
    assert found["python"]


def test_facts_given_to_init_win(records: Records) -> None:
    home = {"git": {"commit": "of home"}, "notebook": "a.ipynb", "host": "laptop"}
    with km.init(facts=home, capture={"packages": False}) as run:
        pass
    found = records(run.id)[0].merged(Kind.FACTS)
    assert {key: found[key] for key in home} == home
    assert found["machine"] == os.uname().nodename
    assert "packages" not in found


def test_on_a_gpu_machine_a_run_knows_its_lease(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKSIDE_ROLE", "remote")
    monkeypatch.setenv("TRACKSIDE_LEASE", "lease-1234abcd")
    with km.init() as run:
        pass
    record = records(run.id)[0]
    assert record.merged(Kind.FACTS)["lease"] == "lease-1234abcd"
    assert record.head["writer"]["lease"] == "lease-1234abcd"


def test_on_a_gpu_machine_home_speaks_through_the_request(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    import IPython

    class Kernel:
        def get_parent(self, channel: str) -> dict[str, Any]:
            home = {"notebook": "nb.ipynb", "cell_id": None, "git": {"commit": "c"}, "lease": "lease-5678"}
            return {"metadata": {"trackside": {"home": home, "capture": {"packages": False}}}}

    class Shell:
        kernel = Kernel()

    monkeypatch.setenv("TRACKSIDE_ROLE", "remote")
    monkeypatch.setattr(IPython, "get_ipython", Shell)
    with km.init() as run:
        pass
    found = records(run.id)[0].merged(Kind.FACTS)
    assert (found["notebook"], found["git"], found["lease"]) == ("nb.ipynb", {"commit": "c"}, "lease-5678")
    assert "packages" not in found
    assert "cell_id" not in found
