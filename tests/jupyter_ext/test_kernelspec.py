"""A leased machine as a kernel of the launcher, started, restarted and shut down by a real Jupyter Server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_provisioner.leases import LeaseBook
from jupyter_ext.cli import main
from tests.kernel_magics.bridge.conftest import own_environment
from tests.kernel_magics.bridge.notebook_driver import no_orphans, release_all
from tests.serving import Server

KERNEL = "trackside-cpu-local"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[dict[str, str]]:
    environ = own_environment(tmp_path)
    environ["JUPYTER_DATA_DIR"] = str(tmp_path / "jupyter")
    with no_orphans(str(tmp_path)):
        yield environ
        release_all(environ)


@pytest.fixture
def installed(home: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, value in home.items():
        monkeypatch.setenv(name, value)
    assert main(["kernelspec", "install", "local", "--spec", "cpu"]) == 0
    return home


@pytest.fixture
def server(installed: dict[str, str], tmp_path: Path) -> Iterator[Server]:
    made = Server(installed, tmp_path)
    yield made
    made.stop()


def session(server: Server, notebook: str, name: str = KERNEL) -> str:
    """A notebook's session with the kernel of these tests; its id."""
    return server.begin(notebook, name)


def live(home: dict[str, str]) -> list[str]:
    return [lease.id for lease in LeaseBook(Path(home["TRACKSIDE_DIR"])).live()]


@pytest.mark.timeout(240)
def test_the_first_cell_gets_the_machine_and_a_restart_keeps_it(
    server: Server, installed: dict[str, str]
) -> None:
    kernel = session(server, "story.ipynb")
    assert live(installed) == []
    status, shown = server.run(kernel, "import os; x = 5; print('role', os.environ['TRACKSIDE_ROLE'])")
    assert status == "ok" and "role remote" in shown and "Ready after" in shown
    leases = live(installed)
    assert len(leases) == 1
    assert server.run(kernel, "print('x is', x)")[1].strip() == "x is 5"
    server.ask("POST", f"kernels/{kernel}/restart")
    status, shown = server.run(kernel, "print('x' in dir(), os if 'os' in dir() else 'fresh')")
    assert status == "ok" and "False fresh" in shown and "nothing new is rented" in shown
    assert live(installed) == leases
    server.ask("DELETE", f"kernels/{kernel}")
    assert live(installed) == leases
    again = session(server, "story.ipynb")
    status, shown = server.run(again, "print('back')")
    assert status == "ok" and "back" in shown and live(installed) == leases


@pytest.mark.timeout(240)
def test_a_server_that_stops_leaves_the_machine_and_its_variables(
    installed: dict[str, str], tmp_path: Path
) -> None:
    first = Server(installed, tmp_path)
    kernel = session(first, "story.ipynb")
    assert first.run(kernel, "kept = 41")[0] == "ok"
    first.stop()
    leases = live(installed)
    assert len(leases) == 1
    second = Server(installed, tmp_path)
    try:
        status, shown = second.run(session(second, "story.ipynb"), "print('still', kept + 1)")
        assert status == "ok" and "still 42" in shown and live(installed) == leases
    finally:
        second.stop()


@pytest.mark.timeout(240)
def test_what_was_released_is_not_rented_again_unasked(server: Server, installed: dict[str, str]) -> None:
    kernel = session(server, "story.ipynb")
    status, shown = server.run(kernel, "%%local\nimport os; print('here', os.environ.get('TRACKSIDE_ROLE'))")
    assert "here None" in shown and live(installed) == []
    assert server.run(kernel, "1")[0] == "ok"
    assert server.run(kernel, "%gpu_release")[0] == "ok"
    status, shown = server.run(kernel, "print('where')")
    assert status == "error" and "where\n" not in shown
    assert "has none any more" in shown and "%gpu_provision cpu --on local" in shown
    assert live(installed) == []
    assert server.run(kernel, "%gpu_provision cpu --on local")[0] == "ok"
    assert server.run(kernel, "print('there')")[1].strip() == "there"


@pytest.mark.timeout(240)
def test_a_machine_that_is_not_to_be_had_is_said_in_the_cell_and_no_cell_runs_here(
    server: Server, installed: dict[str, str]
) -> None:
    assert main(["kernelspec", "install", "local", "--spec", "h100:7"]) == 0
    kernel = session(server, "story.ipynb", "trackside-h100-7-local")
    status, shown = server.run(kernel, "open('ran-here', 'w')")
    assert status == "error" and "h100" in shown and "Traceback" not in shown
    assert not (Path(installed["HOME"]).parent / "work" / "ran-here").exists()


def test_a_mistake_installs_nothing(installed: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kernelspec", "install", "nowhere"]) == 2
    assert main(["kernelspec", "install", "local", "--spec", "a1000"]) == 2
    assert main(["kernelspec", "remove", "python3"]) == 2
    assert main(["kernelspec", "remove", "trackside-none"]) == 2
    said = capsys.readouterr().err
    assert "Nothing was installed" in said and said.count("nothing was removed") == 2
    folder = Path(os.environ["JUPYTER_DATA_DIR"]) / "kernels"
    assert [path.name for path in folder.iterdir()] == [KERNEL]
    spec = json.loads((folder / KERNEL / "kernel.json").read_text())
    assert spec["display_name"] == "cpu on local (Trackside)" and "--ext=kernel_magics" in spec["argv"]
    assert main(["kernelspec", "remove", KERNEL]) == 0
    assert list(folder.iterdir()) == []
