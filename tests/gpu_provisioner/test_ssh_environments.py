"""The Python a kernel over there gets: modules, conda, containers, an environment made for it, packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_provisioner.environment import Environment, packages_there
from gpu_provisioner.errors import BadRequest, BootstrapError
from gpu_provisioner.gpus import parse
from gpu_provisioner.leases import LeaseBook
from gpu_provisioner.model import Lease, LeaseState
from gpu_provisioner.provisioner import provision, release
from kernel_magics.magics.provision_packages import differences, modules_of_notebook
from tests.gpu_provisioner.far import Far, SshLab
from tests.gpu_provisioner.far_notebook import configure, opened
from tests.gpu_provisioner.front import Place
from tests.kernel_magics.bridge.notebook_driver import Notebook
from tests.waiting import wait_for

SYSTEM = Path("/usr/bin/python3")


def value(lab: SshLab, expression: str, **options: object) -> str:
    return lab.kernel(**options).execute(f"import os, sys; print({expression})").text.strip()


def test_prefix_lines_prepare_the_shell_that_becomes_python(ssh_lab: SshLab) -> None:
    lines = [
        "export LOADED=cuda",
        "echo a banner; cat; echo more >&2",
        'LOADED="$LOADED 12.4"; export LOADED',
    ]
    assert value(ssh_lab, "os.environ['LOADED']", prefix=lines) == "cuda 12.4"


def test_functions_of_a_login_shell_are_there_for_the_prefix(ssh_lab: SshLab) -> None:
    (ssh_lab.far.home / ".bash_profile").write_text('module() { export MODULES="$2"; }\n')
    assert value(ssh_lab, "os.environ['MODULES']", prefix=["module load cuda/12"]) == "cuda/12"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("module load nonsense", "module: command not found"),
        ("echo 'no such module' >&2; false", "no such module"),
        ("if then", "syntax error"),
    ],
)
def test_a_prefix_line_that_fails_is_named_with_what_it_said(
    ssh_lab: SshLab, place: Place, line: str, said: str
) -> None:
    with pytest.raises(Exception) as failed:
        ssh_lab.provision(prefix=["true", line, "touch never"])
    assert f"{line!r} failed" in str(failed.value) and said in str(failed.value)
    assert "prefix = […]" in str(failed.value)
    assert LeaseBook(place.data).live() == [] and not (ssh_lab.far.home / "never").exists()
    wait_for(lambda: not ssh_lab.far.processes_there(), "nothing is left running there")


CONDA = """#!/bin/sh
# What conda prints for "conda shell.posix activate NAME".
[ "$3" = "my env" ] || {{ echo "EnvironmentNameNotFound: Could not find conda environment: $3" >&2; exit 1; }}
echo 'export PATH="{bin}:$PATH"'
echo 'export CONDA_DEFAULT_ENV="my env"'
"""


@pytest.fixture
def conda(far: Far) -> Far:
    """A conda in its usual folder, with an environment whose Python is called as every Python is."""
    environment = far.home / "envs" / "bin"
    base = far.home / "miniconda3" / "bin"
    for folder in (environment, base):
        folder.mkdir(parents=True)
    (base / "conda").write_text(CONDA.format(bin=environment))
    (environment / "python3").write_text(f'#!/bin/sh\nexport OF_CONDA=1\nexec {far.account.python} "$@"\n')
    for program in (base / "conda", environment / "python3"):
        program.chmod(0o755)
    return far


def test_a_conda_environment_is_activated_and_its_python_taken(conda: Far, ssh_lab: SshLab) -> None:
    found = value(
        ssh_lab, "os.environ['CONDA_DEFAULT_ENV'] + os.environ['OF_CONDA']", python="python3", conda="my env"
    )
    assert found == "my env1"


def test_a_conda_environment_that_is_not_there_is_quoted(conda: Far, ssh_lab: SshLab) -> None:
    with pytest.raises(Exception, match="Could not find conda environment: other") as failed:
        ssh_lab.provision(python="python3", conda="other")
    assert "conda's environment could not be activated" in str(failed.value)


def test_a_container_is_a_command_that_runs_the_command_behind_it(ssh_lab: SshLab) -> None:
    front = ssh_lab.kernel(container=["env", "IMAGE=torch 2.sif"], prefix=["export OUTSIDE=1"])
    cell = front.execute("import os; print(os.environ['IMAGE'], os.environ['OUTSIDE'])")
    assert cell.text.strip() == "torch 2.sif 1"


EVIL = "'; touch /tmp/{0}; echo $(touch /tmp/{0}) `touch /tmp/{0}` \"\\"


@pytest.mark.parametrize("field", ["conda", "container"])
def test_shell_characters_in_what_comes_before_python_run_nothing(
    ssh_lab: SshLab, place: Place, field: str
) -> None:
    word = EVIL.format(f"pwned-{place.mark}")
    with pytest.raises(Exception) as failed:
        ssh_lab.provision(**{field: word if field == "conda" else [word]})
    assert "Traceback" not in str(failed.value)
    assert not Path("/tmp", f"pwned-{place.mark}").exists()
    assert LeaseBook(place.data).live() == []


@pytest.fixture
def bare(ssh_lab: SshLab) -> SshLab:
    """A far side whose Python has no ipykernel."""
    if (
        not SYSTEM.exists()
        or subprocess.run([str(SYSTEM), "-c", "import ipykernel"], capture_output=True).returncode == 0
    ):
        pytest.skip("NOT TESTED: there is no /usr/bin/python3 without ipykernel")
    return ssh_lab


def install(lab: SshLab, wanted: Environment, **options: object) -> Lease:
    return provision(
        [parse("cpu")],
        targets=[lab.target(python=str(SYSTEM), **options)],
        data_dir=lab.place.data,
        environment=wanted,
        on_progress=lambda stage, text: lab.progress.append((stage, text)),
    )


@pytest.fixture
def index(bare: SshLab) -> SshLab:
    """The same, where packages can be had."""
    command = ["runuser", "-u", bare.far.account.user, "--"] if os.getuid() == 0 else []
    words = ["-m", "pip", "download", "--no-deps", "-q", "-d", str(bare.far.root / "run" / "d"), "iniconfig"]
    check = [str(SYSTEM), *words]
    if subprocess.run([*command, *check], cwd="/", capture_output=True).returncode:
        pytest.skip("NOT TESTED: no package index can be reached from there")
    return bare


def test_install_makes_an_environment_once(index: SshLab) -> None:
    wanted = Environment(install=True, requirements="iniconfig\n")
    front = index.front(install(index, wanted))
    told = [text for stage, text in index.progress if stage == "install"]
    assert any(text.startswith("Making an environment in ") for text in told)
    assert any("pip: Collecting iniconfig" in text for text in told)
    cell = front.execute("import sys, iniconfig, ipykernel; print(sys.prefix, iniconfig.__file__)")
    venvs = index.far.cache / "venvs"
    prefix, module = cell.text.split()
    assert prefix.startswith(str(venvs)) and module.startswith(prefix)
    assert venvs.stat().st_mode & 0o777 == 0o700
    index.progress.clear()
    again = install(index, wanted)
    assert any("is there already" in text for _, text in index.progress)
    assert not any("pip:" in text for _, text in index.progress)
    assert again.handle["python"] == f"{prefix}/bin/python"
    versions = packages_there(again, {"iniconfig": "iniconfig", "sys": "sys", "gone": "gone"})["versions"]
    assert versions["iniconfig"] and versions["sys"] == "" and versions["gone"] is None
    release(again, index.place.data, "the test")


def test_an_environment_on_top_of_another_sees_what_that_one_has(ssh_lab: SshLab) -> None:
    if ssh_lab.far.account.python == sys.executable:
        pytest.skip("NOT TESTED: without root there is no other Python")
    lease = provision(
        [parse("cpu")],
        targets=[ssh_lab.target(env={"PIP_NO_INDEX": "1"})],
        data_dir=ssh_lab.place.data,
        environment=Environment(install=True),
    )
    front = ssh_lab.front(lease)
    cell = front.execute("import sys, ipykernel; print(sys.prefix, ipykernel.__file__)")
    prefix, module = cell.text.split()
    assert prefix.startswith(str(ssh_lab.far.cache / "venvs"))
    assert module.startswith(str(Path(ssh_lab.far.account.python).parent.parent))


def test_who_interrupts_an_installation_leaves_no_pip_and_no_half_environment(bare: SshLab) -> None:
    def interrupt(stage: str, text: str) -> None:
        if text.startswith("Making an environment"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        provision(
            [parse("cpu")],
            targets=[bare.target(python=str(SYSTEM))],
            data_dir=bare.place.data,
            environment=Environment(install=True),
            on_progress=interrupt,
        )
    wait_for(lambda: not bare.far.processes_there(), "nothing is left running there")
    assert [path for path in (bare.far.cache / "venvs").iterdir() if path.is_dir()] == []
    assert LeaseBook(bare.place.data).live() == []


def test_what_pip_cannot_install_is_quoted_and_nothing_stays(bare: SshLab) -> None:
    with pytest.raises(BootstrapError, match="pip could not install the packages") as failed:
        install(
            bare,
            Environment(install=True, requirements="six==0\n"),
            env={"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""},
        )
    assert "six==0" in failed.value.message or "ipykernel" in failed.value.message
    assert failed.value.remedy
    assert [path for path in (bare.far.cache / "venvs").iterdir() if path.is_dir()] == []
    assert [lease.state for lease in LeaseBook(bare.place.data).all()] == [LeaseState.RELEASED]


@pytest.mark.parametrize("line", ["-r other.txt", "-e .", "./wheel.whl", "x @ file:///x.whl", "/abs/x.whl"])
def test_requirements_that_speak_of_files_of_this_machine_are_refused(line: str) -> None:
    with pytest.raises(BadRequest, match="a file of this machine"):
        Environment(requirements=f"six\n{line}\n").check()


def test_differences_are_one_line_about_what_the_notebook_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mylib.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    cells = [
        "%load_ext x\nimport numpy.linalg as la, os",
        "from einops import rearrange\nimport mylib",
        "this is no Python",
    ]
    notebook = tmp_path / "n.ipynb"
    notebook.write_text(json.dumps({"cells": [{"cell_type": "code", "source": [text]} for text in cells]}))
    assert modules_of_notebook({"pd": pytest, "x": 3}, str(notebook)) == {"numpy", "einops", "pytest"}
    assert modules_of_notebook({}, str(tmp_path / "missing.ipynb")) == set()
    import numpy

    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    packages = {"numpy": "numpy", "einops": "einops", "timm": "timm", "pytest": "pytest"}
    same = {"numpy": numpy.__version__ + "+cu128", "pytest": pytest.__version__, "einops": "1", "timm": ""}
    assert differences(packages, {"python": here, "versions": same}) == ""
    other = {"numpy": "1.0", "einops": None, "timm": None, "pytest": pytest.__version__}
    assert differences(packages, {"python": "3.9", "versions": other}) == (
        f"Python {here} here, 3.9 there; numpy {numpy.__version__} here, 1.0 there; "
        "einops, timm missing there"
    )


@pytest.fixture
def notebook(far: Far, place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    configure(far, monkeypatch, "working_folder = false", python=False)
    path = place.root / "a.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": "import numpy, pandas"}]}))
    with opened(place, path) as made:
        yield made


def test_the_notebook_names_a_python_and_is_told_what_that_one_lacks(notebook: Notebook, far: Far) -> None:
    python = far.account.python
    several = notebook.run(f"%gpu_provision cpu --python {python}")
    assert "that machine must be named too" in several.error and "--on gpu1" in several.error
    missing = notebook.run("%gpu_provision cpu --on gpu1 --requirements nowhere.txt")
    assert "nowhere.txt cannot be read" in missing.error
    shown = notebook.must(f"%gpu_provision cpu --on gpu1 --python {python}", timeout=120).all_text
    assert "Ready after" in shown
    if far.account.python != sys.executable:
        assert "numpy, pandas missing there" in shown
    again = notebook.must(f"%gpu_provision cpu --on gpu1 --python {python}", timeout=120).all_text
    assert "already" in again
    other = notebook.run("%gpu_provision cpu --on gpu1 --install", timeout=120)
    assert "with another Python or other packages" in other.error and "%gpu_release" in other.error
