"""How windows and runs are spelled on the wire; the TypeScript tests read the same golden files."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path

import numpy as np
import pytest

from kernel_magics.model import RunInfo, RunStatus
from kernel_magics.store import Window, lazy

GOLDEN = Path(__file__).parents[2] / "contracts" / "golden"


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


def counts(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


WINDOWS = [
    Window(
        *("20261122-141503-k3f9qz", "loss/été", "step", False, 300),
        *(floats(127, 255, 256), floats(0.5, -1e300, math.nan), floats(2.25, 3, math.nan)),
        *(floats(2.25, 0.75, math.nan), floats(0.5, 3, math.nan)),
        *(counts(128, 128, 44), counts(0, 1, 42), counts(0, 0, 1), counts(0, 2, 1)),
    ),
    Window(
        *("20261122-141630-m0xw2p", "loss/été", "relative", True, 2),
        *(floats(0, 0.25), floats(1, 0.1), floats(1, 0.1), floats(1, 0.1), floats(1, 0.1)),
        *(counts(1, 1), counts(0, 0), counts(0, 0), counts(0, 0)),
    ),
    Window(
        *("20261122-141630-m0xw2p", "empty", "time", True, 0),
        *(floats(),) * 5,
        *(counts(),) * 4,
    ),
]


def test_a_window_is_spelled_as_in_the_golden_file():
    golden = json.loads((GOLDEN / "window.json").read_text())
    assert {"windows": [window.to_json() for window in WINDOWS]} == golden["message"]
    for window, plain in zip(WINDOWS, golden["decoded"], strict=True):
        for name, expected in plain.items():
            wire = window.to_json()[name]
            values = np.frombuffer(
                base64.b64decode(wire["base64"]), np.dtype(wire["dtype"]).newbyteorder("<")
            )
            np.testing.assert_array_equal(values, [math.nan if one == "NaN" else one for one in expected])


@pytest.mark.parametrize("at_once", [0, 10**6])
def test_a_run_is_spelled_as_in_the_golden_file(at_once, monkeypatch):
    monkeypatch.setattr(lazy, "AT_ONCE", at_once)
    (config,) = lazy.mappings(['{"lr": 0.1, "model": {"layers": [64, 10]}}'])
    (summary,) = lazy.mappings(['{"loss": 0.25, "best": {"acc": 0.5}}'])
    (facts,) = lazy.mappings(['{"notebook": "digits.ipynb", "host": "gpu-box", "lease": "a100-k3f9qz"}'])
    run = RunInfo(
        id="20261122-141503-k3f9qz",
        name="lr=0.1 <b>é</b>",
        project="digits",
        status=RunStatus.FAILED,
        status_detail="ValueError: no",
        group="lr",
        tags=("baseline", "β"),
        created=1795356903.25,
        finished=1795357000.0,
        config=config,
        summary=summary,
        facts=facts,
        error={"ename": "ValueError", "evalue": "no", "traceback": ["ValueError: no"]},
        notes="try β next",
        colour=9,
        pinned=True,
        extremes={"loss": [0.25, 2.5, "lower"]},
    )
    bare = RunInfo(
        id="20261122-141630-m0xw2p",
        name="brave-otter",
        project="digits",
        status=RunStatus.RUNNING,
        created=1.5,
    )
    golden = json.loads((GOLDEN / "runs.json").read_text())
    assert json.loads(json.dumps({"runs": [run.to_json(), bare.to_json()]})) == golden
