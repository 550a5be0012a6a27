"""A run has a beginning, a configuration, artifacts and exactly one end."""

from __future__ import annotations

import argparse
import dataclasses
import enum
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kernel_magics as km
from kernel_magics import paths
from kernel_magics.errors import DataFolderError, UsageMistake
from kernel_magics.journal import lock
from kernel_magics.journal.format import Kind
from kernel_magics.model import is_run_id
from kernel_magics.tracking import active
from kernel_magics.tracking.notices import TracksideWarning

Records = Callable[[str], list[Any]]


def test_the_first_frame_says_what_the_run_is_and_who_writes(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "8")
    with km.init(project="p", name="n", tags="one", group="g") as run:
        head = records(run.id)[0].head
    assert is_run_id(run.id)
    assert {key: head[key] for key in ("id", "project", "name", "tags", "group")} == {
        "id": run.id,
        "project": "p",
        "name": "n",
        "tags": ["one"],
        "group": "g",
    }
    writer = head["writer"]
    assert (writer["pid"], writer["rank"], writer["world_size"]) == (os.getpid(), 3, 8)
    assert (writer["role"], writer["host"]) == ("main", os.uname().nodename)
    assert head["created"] <= writer["began"] <= time.time()
    assert os.getppid() in writer["ancestors"]


def test_the_lock_is_held_as_long_as_the_run_goes_on(records: Records) -> None:
    run = km.init()
    path = lock.lock_path(records(run.id)[0].path)
    assert lock.is_held(path) is True
    run.finish()
    assert lock.is_held(path) is False


def test_finish_is_the_last_word_and_said_once(records: Records) -> None:
    run = km.init()
    assert km.active_run() is run
    run.finish()
    run.finish("failed")
    (finish,) = records(run.id)[0].all(Kind.FINISH)
    assert (finish["status"], finish["detail"]) == ("finished", "")
    assert km.active_run() is None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("no"), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (SystemExit(0), "finished"),
        (SystemExit(2), "failed"),
    ],
)
def test_an_exception_in_the_context_ends_the_run_and_goes_on(
    records: Records, error: BaseException, status: str
) -> None:
    with pytest.raises(type(error)), km.init() as run:
        raise error
    (finish,) = records(run.id)[0].all(Kind.FINISH)
    assert finish["status"] == status
    if status != "finished":
        assert finish["error"]["ename"] == type(error).__name__
        assert any("test_an_exception_in_the_context" in line for line in finish["error"]["traceback"])


def test_an_error_as_a_kernel_shows_it_is_taken_as_it_is(records: Records) -> None:
    run = km.init()
    run.finish("failed", {"ename": "ValueError", "evalue": "no", "traceback": ["a", "b"]})
    (finish,) = records(run.id)[0].all(Kind.FINISH)
    assert finish["detail"] == "ValueError: no"
    assert finish["error"]["traceback"] == ["a", "b"]


def test_a_status_that_does_not_exist_is_refused() -> None:
    with km.init() as run, pytest.raises(ValueError, match="done"):
        run.finish("done")


def test_output_and_events_may_come_after_the_end(records: Records) -> None:
    run = km.init()
    run.record_output("c", "stream", b'{"text":"before"}')
    run.finish()
    run.record_output("c", "stream", b'{"text":"late"}')
    run.record_event("late", "warning", "still here")
    record = records(run.id)[0]
    assert [(output["n"], output["content"]["text"]) for output in record.all(Kind.OUTPUT)] == [
        (0, "before"),
        (1, "late"),
    ]
    assert record.all(Kind.EVENT)[-1]["name"] == "late"
    assert (record.skipped, record.tail) == ([], 0)


def test_a_second_init_finishes_the_first_run_and_says_so(records: Records) -> None:
    first = km.init(name="first")
    with pytest.warns(TracksideWarning, match="first was still active"):
        second = km.init(name="second")
    assert records(first.id)[0].all(Kind.FINISH)
    assert km.active_run() is second
    second.finish()


def test_a_nested_run_leaves_the_one_beneath_it_open() -> None:
    outer = km.init(name="outer")
    inner = km.init(name="inner", nested=True)
    assert km.active_run() is inner
    assert inner.id != outer.id
    assert not inner.member
    assert os.environ["TRACKSIDE_RUN"] == inner.id
    inner.finish()
    assert km.active_run() is outer
    assert os.environ["TRACKSIDE_RUN"] == outer.id
    active.leave(outer)
    assert km.active_run() is None
    assert "TRACKSIDE_RUN" not in os.environ
    assert not outer.finished
    outer.finish()


def test_a_run_that_cannot_begin_does_not_end_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with km.init() as run:
        with pytest.raises(DataFolderError):
            km.init(data_dir=tmp_path / "file")
        assert km.active_run() is run
        assert not run.finished


def test_a_background_task_that_fails_stops_and_nothing_else_does(records: Records) -> None:
    failed: list[int] = []
    told = threading.Event()

    def fail() -> None:
        failed.append(1)
        raise RuntimeError("no")

    def report(error: Exception) -> None:
        errors.append(error)
        told.set()

    from kernel_magics.tracking.background import Background, Task

    done: list[str] = []
    errors: list[Exception] = []
    background = Background([Task(fail, lambda: 0.0)], lambda: done.append("last"), report)
    background.start()
    assert told.wait(20.0)
    assert background.stop(20.0)
    assert (len(failed), [str(error) for error in errors]) == (1, ["no"])
    assert done == ["last"]


def test_init_in_a_tracked_cell_is_that_cells_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from kernel_magics.tracking import cell_join

    wishes = []
    with km.init() as of_cell:

        def join(wish: cell_join.Wish) -> Any:
            wishes.append(wish)
            return of_cell

        monkeypatch.setattr(cell_join, "_joiner", join)
        assert km.init(project="p", config={"lr": 1}, tags=["t"]) is of_cell
    (wish,) = wishes
    assert (wish.project, dict(wish.config), wish.tags) == ("p", {"lr": 1}, ("t",))


def test_a_change_renames_the_run(records: Records) -> None:
    with km.init(name="a", project="p") as run:
        before = time.time()
        run.change(name="b", tags=["x"])
        assert (run.name, run.project) == ("b", "p")
    (change,) = records(run.id)[0].all(Kind.CHANGE)
    assert before <= change.pop("time") <= time.time()
    assert change == {"name": "b", "tags": ["x"]}


class Colour(enum.Enum):
    RED = 1


@dataclasses.dataclass
class Optimizer:
    name: str
    lr: float


def test_config_takes_anything_and_shows_what_json_cannot_say(records: Records) -> None:
    loop: list[Any] = [1]
    loop.append(loop)

    class Model:
        pass

    given = {
        "lr": 0.1,
        "nested": {"a": {"b": (1, 2)}},
        "set": {3, 1, 2},
        "path": Path("/data/x"),
        "enum": Colour.RED,
        "optimizer": Optimizer("adam", 0.1),
        "scalar": np.float32(0.5),
        "array": np.arange(3),
        "big": np.zeros((100, 100)),
        "loop": loop,
        "object": Model(),
        "nan": float("nan"),
        1: "int key",
        "surrogate": "\ud800",
    }
    with km.init(config=given) as run:
        config = records(run.id)[0].merged(Kind.CONFIG)
    assert config["nested"] == {"a": {"b": [1, 2]}}
    assert config["set"] == [1, 2, 3]
    assert config["path"] == "/data/x"
    assert config["enum"] == "Colour.RED"
    assert config["optimizer"] == {"name": "adam", "lr": 0.1}
    assert (config["scalar"], config["array"]) == (0.5, [0, 1, 2])
    assert config["big"] == "<ndarray of shape (100, 100)>"
    assert config["loop"] == [1, "<cycle>"]
    assert config["object"].endswith("Model object>"), "a memory address differs from run to run"
    assert repr(config["nan"]) == "nan"
    assert config["1"] == "int key"
    assert config["surrogate"] == "?"


def test_every_change_of_config_and_summary_is_recorded(records: Records) -> None:
    theirs = {"lr": 0.1, "optimizer": {"name": "adam"}}
    with km.init(config=theirs) as run:
        run.config["optimizer"]["lr"] = 0.2
        run.config.seed = 3
        run.config.update(argparse.Namespace(epochs=5), width=2)
        del run.config["lr"]
        del run.config["optimizer"]["name"]
        run.config.setdefault("depth", 4)
        run.summary["best"] = 0.9
        run.summary.update({"best": 0.95})
        record = records(run.id)[0]
        expected = {"optimizer": {"lr": 0.2}, "seed": 3, "epochs": 5, "width": 2, "depth": 4}
        assert (
            record.merged(Kind.CONFIG) == expected == {**run.config, "optimizer": dict(run.config.optimizer)}
        )
        assert record.merged(Kind.SUMMARY) == {"best": 0.95}
        assert run.config.seed == 3
        with pytest.raises(AttributeError, match="no 'sed' here"):
            _ = run.config.sed
    assert theirs == {"lr": 0.1, "optimizer": {"name": "adam"}}, "the caller's own dict was changed"


def test_a_config_that_is_no_mapping_is_a_mistake_and_begins_nothing() -> None:
    with pytest.raises(UsageMistake, match="No run was begun"):
        km.init(config=[1, 2])
    assert not paths.runs_dir(paths.data_dir()).exists()


def test_a_secret_longer_than_a_file_name_may_be_is_masked_too(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "eyJ" + "x" * 5000  # a JSON Web Token
    monkeypatch.setenv("ACCESS_TOKEN", token)
    with km.init(config={"header": f"Bearer {token}"}) as run:
        pass
    assert records(run.id)[0].merged(Kind.CONFIG) == {"header": "Bearer [masked: $ACCESS_TOKEN]"}


def test_secrets_of_the_environment_are_masked_visibly(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefgh12345")
    monkeypatch.setenv("MONKEY", "hf_bananas_are_fine")
    monkeypatch.setenv("SHORT_KEY", "1")
    with km.init(name="key hf_abcdefgh12345", config={"a": {"url": "https://x/hf_abcdefgh12345/y"}}) as run:
        run.config["fruit"] = "hf_bananas_are_fine 1"
        run.record_facts({"options": ["--token=hf_abcdefgh12345"]})
        monkeypatch.setenv("NEW_SECRET", "set while it runs")
        run.summary["later"] = "it was set while it runs!"
        record = records(run.id)[0]
    assert b"hf_abcdefgh12345" not in record.path.read_bytes()
    assert record.merged(Kind.CONFIG) == {
        "a": {"url": "https://x/[masked: $HF_TOKEN]/y"},
        "fruit": "hf_bananas_are_fine 1",
    }
    assert record.merged(Kind.FACTS)["options"] == ["--token=[masked: $HF_TOKEN]"]
    assert record.merged(Kind.SUMMARY)["later"] == "it was [masked: $NEW_SECRET]!"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a folder that even root cannot write")
def test_a_data_folder_that_cannot_be_written_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKSIDE_DIR", "/proc/trackside")
    with pytest.raises(DataFolderError, match=r"Nothing was recorded[\s\S]*TRACKSIDE_DIR=") as caught:
        km.init()
    assert caught.value._render_traceback_()[0].startswith(
        "DataFolderError: Runs cannot be recorded in /proc/"
    )
    assert km.active_run() is None


def test_data_dir_may_be_given(tmp_path: Path) -> None:
    with km.init(data_dir=tmp_path / "elsewhere") as run:
        pass
    assert list((tmp_path / "elsewhere" / "runs" / run.id).glob("*.journal"))
