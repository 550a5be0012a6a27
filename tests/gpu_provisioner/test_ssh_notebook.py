"""A notebook whose cells run on another machine: what a person types, and what they read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kernel_magics.store import open_store
from tests.gpu_provisioner.far import Far
from tests.gpu_provisioner.far_notebook import configure, opened
from tests.gpu_provisioner.front import Place
from tests.kernel_magics.bridge.notebook_driver import Notebook


@pytest.fixture
def configured(far: Far, place: Place, monkeypatch: pytest.MonkeyPatch) -> Far:
    """The far side as the target ``gpu1`` of the user's configuration file."""
    configure(far, monkeypatch, "usd_per_gpu_hour = 2.5")
    return far


@pytest.fixture
def notebook(configured: Far, place: Place) -> Iterator[Notebook]:
    with opened(place, place.root / "work" / "digits.ipynb") as made:
        yield made


def test_cells_run_over_there_and_runs_are_recorded_here(
    notebook: Notebook, configured: Far, place: Place
) -> None:
    offers = notebook.must("%gpu_offers cpu", timeout=60).all_text
    assert "gpu1" in offers and "local" in offers
    shown = notebook.must("%gpu_provision cpu --on gpu1", timeout=120).all_text
    assert "cpu on gpu1" in shown and "Ready after" in shown
    assert notebook.value("__import__('os').environ['HOME']") == str(configured.home)
    notebook.must(
        "%%track --project digits\nfor i in range(500): run.log({'loss': 1 / (i + 1)})\nprint('done')"
    )
    with open_store() as store:
        store.refresh()
        [run] = store.runs(project="digits")
        assert run.status == "finished"
        assert list(store.series(run.id, "loss").value) == [1 / (i + 1) for i in range(500)]
        assert store.run(run.id).facts["notebook"].endswith("digits.ipynb")
    assert "Cells run here again" in notebook.must("%gpu_release").all_text
    assert notebook.value("__import__('os').environ['HOME']") == str(place.root / "home")
    assert list(configured.agents.iterdir()) == []


def test_a_killed_notebook_kernel_comes_back_to_its_variables(notebook: Notebook, configured: Far) -> None:
    notebook.must("%gpu_provision cpu --on gpu1 --name train", timeout=120)
    notebook.must("kept = 'treasure'")
    notebook.kill()
    notebook.manager.restart_kernel(now=True)
    notebook.connect()
    notebook.must("%load_ext kernel_magics")
    notebook.must("%gpu_attach train", timeout=60)
    assert notebook.value("kept") == "treasure"


def test_a_target_that_is_off_is_a_sentence_and_not_a_traceback(notebook: Notebook, configured: Far) -> None:
    configured.stop()
    cell = notebook.run("%gpu_provision cpu --on gpu1", timeout=60)
    assert cell.status == "error"
    assert "no ssh server listens" in cell.error and "Try: ssh far" in cell.error
    assert "Traceback" not in cell.error
    assert "gpu1" in notebook.must("%gpu_offers cpu", timeout=60).all_text
    configured.start()


def test_a_target_nobody_knows_is_answered_with_those_there_are(notebook: Notebook) -> None:
    cell = notebook.run("%gpu_provision cpu --on gpu9", timeout=60)
    assert "No target is called 'gpu9'; there are: local, gpu1" in cell.error
    assert "a host of ~/.ssh/config" in cell.error
