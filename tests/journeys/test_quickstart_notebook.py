"""The quickstart notebook, executed the ways people execute notebooks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "01_quickstart.ipynb"
EXECUTORS = {
    "nbclient": [sys.executable, "-m", "jupyter", "execute", "--output", "{out}", "{nb}"],
    "papermill": [sys.executable, "-m", "papermill", "-k", "python3", "{nb}", "{out}"],
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("executor", EXECUTORS)
def test_three_tracked_runs_with_falling_loss_come_home(executor: str, tmp_path: Path) -> None:
    out = tmp_path / "executed.ipynb"
    command = [
        part.format(nb=NOTEBOOK, out=out.with_suffix("") if executor == "nbclient" else out)
        for part in EXECUTORS[executor]
    ]
    done = subprocess.run(
        command, cwd=ROOT / "notebooks", env=dict(os.environ), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr

    from kernel_magics.store import open_store

    with open_store() as store:
        store.refresh()
        runs = sorted(store.runs(project="digits"), key=lambda run: run.created)
        assert [run.name for run in runs] == ["lr-0.01", "lr-0.1", "lr-1.0"]
        assert [run.config["learning_rate"] for run in runs] == [0.01, 0.1, 1.0]
        for run in runs:
            assert str(run.status) == "finished"
            loss = store.series(run.id, "train/loss")
            assert len(loss.value) == 20 * 22
            assert loss.value[-20:].mean() < loss.value[:20].mean()
            assert "lease" in run.facts
            (cell,) = store.outputs(run.id)
            assert "epoch 20/20" in json.dumps(cell.outputs)
