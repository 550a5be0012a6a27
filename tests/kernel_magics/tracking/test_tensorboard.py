"""What a SummaryWriter writes is in the run as well, while there is one, and nothing else changes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import kernel_magics as km
from kernel_magics import paths
from kernel_magics.tracking import tensorboard
from kernel_magics.tracking.notices import TracksideWarning

Records = Callable[[str], list[Any]]
ROOT = Path(km.__file__).parent.parent
WRITERS = [
    pytest.param(
        package,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(needed) is None,
            reason=f"NOT TESTED: scalars of {package}; pip install {needed}",
        ),
    )
    for package, needed in (("torch.utils.tensorboard", "tensorboard"), ("tensorboardX", "tensorboardX"))
]


def script(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr
    assert "Trackside" not in done.stderr
    return done


TRAIN = """
import importlib, sys
import kernel_magics as km

package, folder, when = sys.argv[1:]
if when == "before":
    module = importlib.import_module(package)
    untouched = dict(vars(module.SummaryWriter))
run = km.init(name="tb")
if when == "after":
    assert package not in sys.modules
    module = importlib.import_module(package)
writer = module.SummaryWriter(folder)
for step in range(5):
    writer.add_scalar("train/loss", 1.0 / (step + 1), step)
    writer.add_scalar(scalar_value=2.0 * step, tag="lr", global_step=10 * step)
writer.add_scalars("both", {"a": 1.0, "b": 2.0}, 3)
try:
    writer.add_scalar()
except TypeError as error:
    print("add_scalar()" in str(error), "tag" in str(error))
run.finish()
names = ("add_scalar", "add_scalars")
if when == "before":
    assert all(vars(module.SummaryWriter)[name] is untouched[name] for name in names)
assert not any(hasattr(vars(module.SummaryWriter)[name], "__wrapped__") for name in names)
assert not any("kernel_magics" in type(finder).__module__ for finder in sys.meta_path)
writer.add_scalar("train/loss", 99.0, 99)
writer.close()
"""

READ = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
print(json.dumps({tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}))
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("package", WRITERS)
def test_scalars_land_in_the_run_whenever_the_writer_is_imported_and_in_the_event_file_as_ever(
    package: str, when: str, records: Records, tmp_path: Path
) -> None:
    done = script(TRAIN, package, str(tmp_path / "events"), when)
    assert done.stdout == "True True\n"
    (run,) = paths.runs_dir(paths.data_dir()).iterdir()
    (record,) = records(run.name)
    assert record.points("train/loss") == [(step, 1.0 / (step + 1)) for step in range(5)]
    assert record.points("lr") == [(10 * step, 2.0 * step) for step in range(5)]
    assert (record.points("both/a"), record.points("both/b")) == ([(3, 1.0)], [(3, 2.0)])
    if importlib.util.find_spec("tensorboard") is not None:
        import json

        written = json.loads(script(READ, str(tmp_path / "events")).stdout)
        assert [step for step, _ in written["train/loss"]] == [0, 1, 2, 3, 4, 99]


class SummaryWriter:
    """A writer with the two methods' real signatures."""

    def __init__(self) -> None:
        self.written: list[Any] = []

    def add_scalar(self, tag: str, scalar_value: Any, global_step: Any = None, walltime: Any = None) -> str:
        if scalar_value == "raise":
            raise ZeroDivisionError("the writer's own")
        self.written.append((tag, scalar_value, global_step))
        return "answer"

    def add_scalars(self, main_tag: str, tag_scalar_dict: Any, global_step: Any = None) -> None:
        self.written.append((main_tag, tag_scalar_dict, global_step))


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> SummaryWriter:
    module = type(sys)("tensorboardX.writer")
    kind = type("SummaryWriter", (SummaryWriter,), dict(vars(SummaryWriter)))
    vars(module)["SummaryWriter"] = kind
    monkeypatch.setitem(sys.modules, "tensorboardX.writer", module)
    monkeypatch.setattr(tensorboard, "_told", [])
    made: SummaryWriter = kind()
    return made


def test_the_writers_answers_and_errors_are_its_own(writer: SummaryWriter, records: Records) -> None:
    with km.init() as run:
        assert writer.add_scalar("loss", 1.0, 2.0) == "answer"
        with pytest.raises(ZeroDivisionError, match="the writer's own"):
            writer.add_scalar("loss", "raise", 3)
        writer.add_scalar("loss", 4.0)
    assert writer.written == [("loss", 1.0, 2.0), ("loss", 4.0, None)]
    assert records(run.id)[0].points("loss") == [(2, 1.0), (3, 4.0)]


def test_what_we_cannot_record_is_said_once_and_the_writer_has_it(
    writer: SummaryWriter, records: Records
) -> None:
    with km.init() as run, pytest.warns(TracksideWarning, match="not in the run") as heard:
        for _ in range(2):
            writer.add_scalar("loss", 1.0, "three")
    assert len(heard) == 1
    assert writer.written == [("loss", 1.0, "three")] * 2
    assert records(run.id)[0].points("loss") == []


def test_only_the_active_run_gets_them_and_only_if_it_wants_them(
    writer: SummaryWriter, records: Records
) -> None:
    writer.add_scalar("loss", 0.0, 0)
    outer = km.init()
    writer.add_scalar("loss", 1.0, 1)
    with km.init(nested=True, capture={"frameworks": False}) as silent:
        writer.add_scalar("loss", 2.0, 2)
    with km.init(nested=True) as inner:
        writer.add_scalar("loss", 3.0, 3)
    writer.add_scalar("loss", 4.0, 4)
    outer.finish()
    writer.add_scalar("loss", 5.0, 5)
    assert [records(run.id)[0].points("loss") for run in (outer, silent, inner)] == [
        [(1, 1.0), (4, 4.0)],
        [],
        [(3, 3.0)],
    ]
    assert len(writer.written) == 6


def test_somebody_elses_wrapper_around_ours_stays_and_ours_falls_silent(
    writer: SummaryWriter, records: Records
) -> None:
    calls: list[Any] = []
    with km.init() as run:
        ours = type(writer).add_scalar

        def theirs(self: SummaryWriter, *args: Any, **named: Any) -> Any:
            calls.append(args)
            return ours(self, *args, **named)

        type(writer).add_scalar = theirs  # type: ignore[method-assign]
        writer.add_scalar("loss", 1.0, 1)
    writer.add_scalar("loss", 2.0, 2)
    assert calls == [("loss", 1.0, 1), ("loss", 2.0, 2)]  # theirs is there, with or without a run
    with km.init() as again:
        writer.add_scalar("loss", 3.0, 3)
    assert [records(one.id)[0].points("loss") for one in (run, again)] == [[(1, 1.0)], [(3, 3.0)]]
    assert [step for _, _, step in writer.written] == [1, 2, 3]
