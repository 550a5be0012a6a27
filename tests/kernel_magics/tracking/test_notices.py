"""A warning names the line of the user's that it is about, wherever that line is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import kernel_magics as km
from kernel_magics.tracking.notices import TracksideWarning, notice

ROOT = Path(km.__file__).parent.parent

SCRIPT = """\
import kernel_magics as km

def train(run):
    run.log({"loss": 1.0})
    run.log({"loss": "bad"})

with km.init(project="p", facts={"git": {}}) as run:
    train(run)
    run.log_artifact(
        "nowhere.pt"
    )
km.log({"loss": 1.0})
"""


def said(*command: str) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    return [line for line in done.stderr.splitlines() if "TracksideWarning" in line]


def test_warnings_in_a_script_name_the_line_that_caused_them(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    places = [line.split(": TracksideWarning")[0] for line in said(str(script))]
    assert places == [f"{script}:{line}" for line in (5, 9, 12)]


def test_a_program_on_the_command_line_has_lines_too() -> None:
    (line,) = said("-c", "import kernel_magics as km\n\nkm.log({})")
    assert line.startswith("<string>:3: TracksideWarning: log() recorded nothing")


def test_what_no_line_of_the_users_led_to_names_none() -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        thread = threading.Thread(target=notice, args=("from a thread of ours",))
        thread.start()
        thread.join()
    (warning,) = heard
    assert (warning.filename, str(warning.message)) == ("trackside", "from a thread of ours")


def test_the_same_sentence_twice_is_shown_twice() -> None:
    """What is said once is decided by who says it; Python's own register of lines must not interfere."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("default")
        for _ in range(2):
            notice("again")
    assert len(heard) == 2
    assert {Path(warning.filename) for warning in heard} == {Path(__file__)}


def test_a_warning_never_raises_even_where_warnings_are_errors(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        notice("not an error")
    assert re.fullmatch("Trackside: not an error\n", capsys.readouterr().err)


def test_code_that_is_installed_is_passed_over_for_the_users(tmp_path: Path) -> None:
    library = tmp_path / "site-packages" / "trainer.py"
    library.parent.mkdir()
    code = "def fit(log):\n    log('said')\n"
    library.write_text(code)
    names: dict[str, Callable[[Callable[[str], None]], None]] = {}
    exec(compile(code, str(library), "exec"), names)
    with pytest.warns(TracksideWarning) as heard:
        names["fit"](notice)
    assert Path(heard[0].filename) == Path(__file__)
    with pytest.warns(TracksideWarning) as heard:
        thread = threading.Thread(target=names["fit"], args=(notice,))
        thread.start()
        thread.join()
    assert heard[0].filename == "trackside"
