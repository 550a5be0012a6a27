"""Agent, tracker and bridge on the Pythons and ipykernels people have behind ssh."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from gpu_provisioner.environment import Environment
from gpu_provisioner.gpus import parse
from gpu_provisioner.model import LeaseState
from gpu_provisioner.providers import provider_of_lease
from gpu_provisioner.provisioner import provision
from kernel_magics.store import open_store
from tests.gpu_provisioner.far import Far, SshLab
from tests.gpu_provisioner.far_notebook import configure, opened
from tests.gpu_provisioner.front import MATRIX, Place
from tests.kernel_magics.bridge.notebook_driver import Notebook

Interpreter = Callable[[str], str]


@pytest.fixture
def own_lab(place: Place, own_far: Far) -> Iterator[SshLab]:
    made = SshLab(place, own_far)
    yield made
    made.close()


@pytest.fixture
def notebook(own_far: Far, place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    """A notebook that knows the far side as the target ``gpu1``, with this side's Python."""
    configure(own_far, monkeypatch, python=False)
    (place.root / "work" / "mylib.py").write_text("def square(x):\n    return x * x\n")
    with opened(place, place.root / "work" / "a.ipynb") as made:
        yield made


@pytest.mark.parametrize("version", MATRIX)
def test_a_notebook_works_and_tracks_there_as_here(
    notebook: Notebook, interpreter: Interpreter, version: str
) -> None:
    python = interpreter(version)
    shown = notebook.must(f"%gpu_provision cpu --on gpu1 --python {python}", timeout=120).all_text
    assert f"Python {version}." in shown
    assert notebook.value("__import__('sys').version_info[:2]") == tuple(map(int, version.split(".")))
    assert notebook.value("__import__('mylib').square(12)") == 144
    asked = notebook.run("print('said', input('? '))", answers=["yes"])
    assert asked.text() == "said yes\n"
    notebook.must(
        "%%track --project matrix\nrate = 0.5\n"
        "for i in range(300): run.log({'loss': 1 / (i + 1)})\nprint('end')"
    )
    failed = notebook.run("%%track --project matrix\nrun.log({'loss': 1.0})\n1 / 0")
    assert failed.status == "error" and "ZeroDivisionError" in failed.error
    with open_store() as store:
        store.refresh()
        latest, first = store.runs(project="matrix")
        assert (first.status, latest.status) == ("finished", "failed")
        assert first.config["rate"] == 0.5
        assert list(store.series(first.id, "loss").value) == [1 / (i + 1) for i in range(300)]
        [cell] = store.outputs(first.id)
        assert cell.outputs[0]["text"] == "end\n"
    assert "fresh kernel" in notebook.must("%gpu_restart", timeout=60).all_text
    assert notebook.value("'rate' in globals()") is False
    notebook.must("%gpu_release", timeout=60)


@pytest.mark.parametrize("version", MATRIX)
def test_every_errand_and_a_death_on_that_python(
    own_lab: SshLab, interpreter: Interpreter, version: str
) -> None:
    python = interpreter(version)
    lease = provision(
        [parse("cpu")],
        targets=[own_lab.target(python=python, env={"PIP_NO_INDEX": "1"})],
        data_dir=own_lab.place.data,
        environment=Environment(install=True),
    )
    front = own_lab.front(lease)
    cell = front.execute("import sys, ipykernel as i; print(sys.version_info[:2], i.__version__, sys.prefix)")
    major, minor = version.split(".")
    assert cell.text.startswith(f"({major}, {minor}) {MATRIX[version]} ")
    assert str(own_lab.far.cache / "venvs") in cell.text
    provider = provider_of_lease(lease)
    assert provider.status(lease) == LeaseState.READY
    assert [found.id for found in provider.find(lease.id)] == [lease.id]
    front.begin("import ctypes; ctypes.string_at(0)", 2)
    assert front.wait_event("kernel-died")["signal"] == signal.SIGSEGV
    assert "alive" in front.execute("print('alive')", 3).text
    front.holder.release("me")
    assert provider.status(lease) == LeaseState.LOST
    assert list(own_lab.far.agents.iterdir()) == []
