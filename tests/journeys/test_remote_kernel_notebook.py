"""The notebook about a kernel elsewhere, executed as people execute notebooks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "02_remote_kernel.ipynb"


def text_of(notebook: Path, start: str) -> str:
    """Everything the cell that begins with ``start`` shows as text."""
    cells: list[dict[str, Any]] = json.loads(notebook.read_text())["cells"]
    [cell] = [cell for cell in cells if "".join(cell["source"]).startswith(start)]
    shown = []
    for output in cell["outputs"]:
        text = output.get("text") or output.get("data", {}).get("text/plain") or ""
        shown.append("".join(text))
    return "\n".join(shown)


@pytest.mark.timeout(300)
def test_data_goes_there_a_model_comes_home_and_nothing_is_left(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(NOTEBOOK, work / "story.ipynb")
    command = [sys.executable, "-m", "jupyter", "execute", "--inplace", "story.ipynb"]
    env = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

    story = work / "story.ipynb"
    assert "ndarray float32 (1200, 2)" in text_of(story, "%gpu_push")
    assert "pushed to workshop" in text_of(story, "%gpu_push")
    assert "`model` (Sequential, " in text_of(story, "%gpu_pull")
    assert "weights/spiral.pt is here" in text_of(story, "%gpu_get")
    assert "Released 'workshop'" in text_of(story, "%gpu_release")
    there = float(text_of(story, "%%track").split("accuracy ")[1].split()[0])
    here = text_of(story, "import torch\n\nhere")
    assert there > 0.9 and f"accuracy here {there:.3f}" in here
    assert "the file holds the same weights: True" in here
    assert "spiral" in text_of(story, "%runs")

    from gpu_provisioner.leases import LeaseBook
    from kernel_magics.store import open_store

    data = Path(os.environ["TRACKSIDE_DIR"])
    assert [str(lease.state) for lease in LeaseBook(data).all()] == ["released"]
    with open_store() as store:
        store.refresh()
        [run] = store.runs(project="remote")
        assert (run.name, str(run.status)) == ("spiral", "finished")
        loss = store.series(run.id, "loss")
        assert len(loss.value) == 150 and loss.value[-1] < loss.value[0] / 2
