"""What ``make`` runs: sets a checkout up and does one task. Standard library only.

Each setup step is remembered by a digest of what it depends on, so that a second call skips it.
The full output of a step is in ``.venv/log/``; on failure its end is printed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
LOG = VENV / "log"
TORCH = "torch==2.13.0"
FRONT_END = ("labextension/src", "labextension/style", "labextension/schema", "labextension/package.json")
APT = {
    "chromium": ("chromium", "the browser tests, and the picture of `make demo`"),
    "gcc": ("gcc", "the tests that stand in for NVIDIA's management library"),
    "git": ("git", "the tests that record commit and diff"),
    "openssh-server": ("sshd", "the tests of kernels behind ssh"),
    "iproute2": ("ip", "the tests in which a network fails"),
    "iptables": ("iptables", "the tests in which packets are dropped"),
}


# A process per group: event loops of pytest-jupyter and Playwright cannot share one. The longest come first.
TEST_GROUPS = {
    "kernels": ["tests/gpu_provisioner", "tests/contracts", "tests/journeys"],
    "packages": ["tests/kernel_magics"],
    "browser": ["tests/ui"],
    "server": ["tests/jupyter_ext", "-p", "pytest_jupyter.jupyter_server"],
}
NOTHING_SELECTED = 5  # pytest's exit status when `-k …` leaves no test of a group
SOME_FAILED = 1  # its exit status when the tests ran and not all passed
FEW = 3
"""Up to so many failed tests of a group get a second try, alone on the machine: their real kernels, browsers
and networks share it with another group at the first. More than that is no accident."""


def main(task: str) -> int:
    """Runs one task; the exit status is the task's."""
    tasks: dict[str, Callable[[], int]] = {
        "demo": demo,
        "lab": lab,
        "test": test,
        "long": long,
        "check": check,
        "bench": bench,
        "clean": clean,
    }
    if task not in tasks:
        print(f"develop.py: no task {task!r}; there are {', '.join(tasks)}.", file=sys.stderr)
        return 2
    if sys.version_info < (3, 11):
        found = ".".join(map(str, sys.version_info[:3]))
        print(
            f"Trackside needs Python 3.11 or newer; this is {found}. Try: make {task} PYTHON=python3.12",
            file=sys.stderr,
        )
        return 2
    try:
        return tasks[task]()
    except StepFailed as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


# ---------------------------------------------------------------- tasks


def demo() -> int:
    install("demo")
    system_packages("chromium")
    return run([python(), "notebooks/run_demo.py"])


def lab() -> int:
    """JupyterLab over copies of the notebooks in ``demo/``: the checkout stays as it is."""
    install("demo")
    demo = ROOT / "demo"
    demo.mkdir(exist_ok=True)
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        if not (demo / notebook.name).exists():
            shutil.copy(notebook, demo)
    demo_data = demo / "data"
    extra = (
        {"TRACKSIDE_DIR": str(demo_data)} if demo_data.exists() and "TRACKSIDE_DIR" not in os.environ else {}
    )
    if extra:
        print("The runs of `make demo` are shown. Set TRACKSIDE_DIR to show another data folder.")
    root_user = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    where = [f"--ServerApp.root_dir={demo}", "--LabApp.default_url=/lab/tree/01_quickstart.ipynb"]
    command = [python(), "-m", "jupyterlab", *root_user, *where]
    return run(command, {"JUPYTER_PREFER_ENV_PATH": "1", **extra})


def test() -> int:
    """Groups of tests, two at a time: most of a test is waiting for real processes."""
    install("test")
    system_packages(*APT)
    wanted = sys.argv[2:]
    in_a_group = {word for arguments in TEST_GROUPS.values() for word in arguments}
    folders = {f"tests/{path.relative_to(ROOT).parts[1]}" for path in ROOT.glob("tests/*/**/test_*.py")}
    if folders - in_a_group:
        raise StepFailed(f"In no group of tests: {', '.join(sorted(folders - in_a_group))}")
    pytest = [python(), "-m", "pytest", "--durations=8", "-m", "not long", *wanted]
    groups: list[tuple[str, list[str], Path]] = []
    for title, arguments in TEST_GROUPS.items():
        last_failed(title).unlink(missing_ok=True)
        groups.append((title, [*pytest, "-o", f"cache_dir=.pytest_cache/{title}", *arguments], ROOT))
    if shutil.which("npm") is None:
        print("\nNot run, for want of Node: the front end's own tests.")
    elif node_modules():
        groups.append(("front end", ["npm", "test", "--silent"], ROOT / "labextension"))
    with ThreadPoolExecutor(max_workers=2) as pool:
        statuses = list(pool.map(lambda group: run_titled(*group), groups))
    fine = (0, NOTHING_SELECTED) if wanted else (0,)
    tried = [second_try(*group, status) for group, status in zip(groups, statuses, strict=True)]
    failed = [title for (title, *_), (status, _) in zip(groups, tried, strict=True) if status not in fine]
    for name in [name for _, names in tried for name in names]:
        print(f"! Passed only at the second try, which is a fault of the test or of what it tests: {name}")
    print(f"\nFailed: {', '.join(failed)}" if failed else "\nAll groups of tests passed.")
    return 1 if failed else 0


def second_try(title: str, command: list[str], folder: Path, status: int) -> tuple[int, list[str]]:
    """Runs the tests of a group that failed once more, if they are few.

    Returns:
        The group's exit status, and the names of those that passed now.
    """
    names = names_of_failed(title)
    if status != SOME_FAILED or not 0 < len(names) <= FEW:
        return status, []
    print(f"\n=== {title}: {len(names)} failed; once more, with nothing beside", flush=True)
    status = run_titled(title, [*command, "--last-failed"], folder)
    return status, names if status == 0 else []


def long() -> int:
    """Tests that take more than a minute each, one after the other."""
    install("test")
    system_packages(*APT)
    return run(
        [python(), "-m", "pytest", "--durations=0", "-m", "long", "tests/gpu_provisioner", *sys.argv[2:]]
    )


def last_failed(title: str) -> Path:
    """Where pytest notes which tests of a group failed."""
    return ROOT / ".pytest_cache" / title / "v" / "cache" / "lastfailed"


def names_of_failed(title: str) -> list[str]:
    """The tests of a group that failed; none for a group that is not pytest's."""
    path = last_failed(title)
    return list(json.loads(path.read_text())) if path.exists() else []


def check() -> int:
    install("check")
    commands: list[tuple[str, list[str], Path]] = [
        ("ruff", [python(), "-m", "ruff", "check", "."], ROOT),
        ("ruff format", [python(), "-m", "ruff", "format", "--check", "."], ROOT),
        ("mypy --strict", [python(), "-m", "mypy"], ROOT),
        ("import contracts", [str(BIN / "lint-imports")], ROOT),
    ]
    if shutil.which("npm") is None:
        print("Not run, for want of Node: eslint, prettier, tsc --strict.")
    else:
        node_modules()
        front = ROOT / "labextension"
        commands += [("eslint, prettier", ["npm", "run", "--silent", "lint"], front)]
        commands += [("tsc --strict", ["npm", "run", "--silent", "typecheck"], front)]
    failed = [title for title, command, folder in commands if not passes(title, command, folder)]
    return 1 if failed else 0


def bench() -> int:
    install("test")
    return run([python(), "tests/benchmarks/run.py", *sys.argv[2:]])


def clean() -> int:
    for name in (
        ".venv",
        "demo",
        "jupyter_ext/labextension",
        "labextension/node_modules",
        "labextension/lib",
        "dist",
    ):
        shutil.rmtree(ROOT / name, ignore_errors=True)
    return 0


# ---------------------------------------------------------------- setup steps


def install(extra: str) -> None:
    """A virtual environment with this project, editable, and one of its extras."""
    if not (BIN / "python").exists():
        step("a virtual environment", [sys.executable, "-m", "venv", str(VENV)])
    LOG.mkdir(parents=True, exist_ok=True)
    if extra in ("demo", "test"):
        once("PyTorch", TORCH, [python(), "-m", "pip", "install", TORCH])
    inputs = digest([ROOT / "pyproject.toml", ROOT / "hatch_build.py", *front_end_files()])
    extras = "demo,test" if extra == "test" else extra
    once(
        f"Trackside with what `{extra}` needs",
        inputs,
        [python(), "-m", "pip", "install", "-e", f".[{extras}]"],
    )


def node_modules() -> bool:
    lock = ROOT / "labextension/package-lock.json"
    once("the front end's packages", digest([lock]), ["npm", "ci"], cwd=ROOT / "labextension")
    return True


def system_packages(*names: str) -> None:
    """Installs Debian packages where that is allowed; elsewhere says loudly what will not run."""
    path = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin{os.pathsep}/sbin"
    missing = [name for name in names if shutil.which(APT[name][0], path=path) is None]
    if "chromium" in missing and any(map(shutil.which, ("google-chrome", "chromium-browser", "chrome"))):
        missing.remove("chromium")
    if not missing:
        return
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    if is_root and shutil.which("apt-get"):
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        get = ["apt-get", "-o", "DPkg::Lock::Timeout=400"]
        step("Debian's package lists", [*get, "update"], env=quiet)
        step(f"Debian packages: {' '.join(missing)}", [*get, "install", "-y", *missing], env=quiet)
        return
    print("\n" + "!" * 78)
    for name in missing:
        print(f"! {name} is not installed: {APT[name][1]} cannot run.")
    print(f"! As root on Debian or Ubuntu: apt-get install {' '.join(missing)}")
    print("!" * 78 + "\n", flush=True)


# ---------------------------------------------------------------- how a step is run and shown


class StepFailed(Exception):
    """A setup step failed; the message ends with the end of its log."""


def once(title: str, inputs: str, command: Sequence[str], cwd: Path = ROOT) -> None:
    """Runs a step unless it ran with the same ``inputs`` before."""
    record = VENV / "steps.json"
    done: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
    if done.get(title) == inputs:
        return
    step(title, command, cwd=cwd)
    record.write_text(json.dumps({**done, title: inputs}, indent=1))


def step(title: str, command: Sequence[str], cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    """Runs a command with its output in a log, showing that time passes."""
    LOG.mkdir(parents=True, exist_ok=True)
    path = LOG / ("".join(c if c.isalnum() else "-" for c in title) + ".log")
    live, started, shown = sys.stdout.isatty(), time.monotonic(), 0.0
    print(f"  setting up {title} …", end="" if live else "\n", flush=True)
    with path.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=cwd, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}
        )
        while process.poll() is None:
            try:
                process.wait(0.5)
            except subprocess.TimeoutExpired:
                elapsed = time.monotonic() - started
                if live:
                    print(f"\r  setting up {title} … {elapsed:.0f} s", end="", flush=True)
                elif elapsed - shown >= 15:
                    shown = elapsed
                    print(f"    … {elapsed:.0f} s", flush=True)
    print(
        f"{chr(13) if live else ''}  setting up {title}: done in {time.monotonic() - started:.0f} s",
        flush=True,
    )
    if process.returncode != 0:
        tail = "\n".join(path.read_text(errors="replace").splitlines()[-25:])
        raise StepFailed(
            f"Setting up {title} failed (exit status {process.returncode}):\n{tail}\n\nThe whole log: {path}"
        )


def passes(title: str, command: list[str], cwd: Path) -> bool:
    print(f"--- {title}", flush=True)
    return run(command, cwd=cwd) == 0


def run(command: list[str], env: dict[str, str] | None = None, cwd: Path = ROOT) -> int:
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, "PATH": path, **(env or {})}, check=False
    ).returncode


def run_titled(title: str, command: list[str], cwd: Path) -> int:
    """Runs a command beside others: each line it prints stands behind its title. The exit status."""
    print(f"=== {title}: begun", flush=True)
    env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(f"{title:8} | {line}", end="", flush=True)
    ended = "passed" if process.returncode == 0 else f"FAILED (exit status {process.returncode})"
    print(f"=== {title}: {ended}", flush=True)
    return process.returncode


def python() -> str:
    return str(BIN / "python")


def front_end_files() -> list[Path]:
    found = [ROOT / name for name in FRONT_END]
    return sorted(p for root in found for p in ([root] if root.is_file() else root.rglob("*")) if p.is_file())


def digest(paths: list[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(path.name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "help"))
