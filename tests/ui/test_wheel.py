"""The wheel on a machine without Node: pip installs it, JupyterLab shows the panel."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.ui

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment in which the wheel is installed; nothing is on PATH, so no Node either."""
    folder = tmp_path_factory.mktemp("wheel")
    no_commands = {"PATH": str(folder / "nothing")}
    build = ["wheel", "-q", "--no-build-isolation", "--no-deps", "--no-index", "-w", str(folder), str(ROOT)]
    subprocess.run([sys.executable, "-m", "pip", *build], env=no_commands, check=True)
    (wheel,) = folder.glob("trackside-*.whl")
    place = folder / "venv"
    venv.create(place, with_pip=False, symlinks=True)
    site = place / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    # Its dependencies are those of the tests. Trackside is not among them: a .pth is not followed twice.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = ["install", "-q", "--no-deps", "--no-index", "--ignore-installed", str(wheel)]
    subprocess.run([str(place / "bin" / "python"), "-m", "pip", *install], env=no_commands, check=True)
    return place


def test_it_is_installed_and_not_taken_from_the_checkout(installed: Path) -> None:
    where = (
        "import kernel_magics, jupyter_ext, gpu_provisioner as g; print(kernel_magics.__file__, g.__file__)"
    )
    done = subprocess.run(
        [str(installed / "bin" / "python"), "-c", where],
        cwd=installed,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count(str(installed)) == 2


def test_jupyterlab_shows_the_panel_and_its_server_answers(installed: Path, lab_of, lab_page) -> None:
    lab_page.expected.append("/lsp/")  # the language servers' extension is not enabled in that environment
    with lab_of(installed) as lab:
        lab.python("import kernel_magics as km; km.init(project='p', name='from a wheel').finish()")
        lab_page.open(lab).sidebar()
        expect(lab_page.row("from a wheel")).to_contain_text("finished", timeout=30_000)
        lab_page.page.goto("about:blank")  # a page that outlives its server complains
