"""The notebook's folder goes along: ``import mylib`` works over there, and again after an edit."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpu_provisioner import working_folder
from gpu_provisioner.agent.mirror import MirroredFolder, prepare, work_folder
from gpu_provisioner.wire import to_json
from gpu_provisioner.working_folder import Mirror, WorkingFolder
from tests.gpu_provisioner.far import Far
from tests.gpu_provisioner.far_notebook import configure, opened
from tests.gpu_provisioner.front import Place
from tests.kernel_magics.bridge.notebook_driver import Notebook


class Both:
    """A folder here, its mirror there, nothing between them."""

    def __init__(self, folder: Path, there: Path) -> None:
        self.notices: list[str] = []
        self.there = there
        prepare(there, ".")
        self.far = MirroredFolder(there, self.notices.append)
        self.posted: list[str] = []
        self.mirror = Mirror(WorkingFolder.around(folder), self._post)

    def _post(self, channel: int, parts: Any) -> None:
        self.posted.append(str(parts[0]))
        self.far.apply(list(parts))

    def send(self) -> list[str]:
        self.posted.clear()
        return self.mirror.send_changes()

    def names(self) -> list[str]:
        found = (path.relative_to(self.there) for path in self.there.rglob("*") if path.is_file())
        return sorted(str(path) for path in found if path.name != ".trackside-mirror.json")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), "-c", "init.defaultBranch=main", *arguments], check=True)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def both(here: Path, tmp_path: Path) -> Both:
    (here / "mylib.py").write_text("x = 1\n")
    (here / "data.csv").write_text("1,2\n")
    return Both(here, tmp_path / "there")


def test_without_git_only_the_python_files_beside_the_notebook_go_along(both: Both, here: Path) -> None:
    (here / "deeper").mkdir()
    (here / "deeper" / "no.py").write_text("")
    assert both.send() == []
    assert both.names() == ["mylib.py"]


def test_with_git_tracked_and_new_files_go_along_and_ignored_and_hidden_ones_do_not(
    here: Path, tmp_path: Path
) -> None:
    git(here, "init", "-q")
    for name in ("pkg/__init__.py", "tracked.txt", ".env", ".hidden/secret", "big.bin", "ä b\n.py"):
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_text(name)
    (here / ".gitignore").write_text("*.bin\n")
    (here / "link").symlink_to("/etc/passwd")
    git(here, "add", "tracked.txt", ".gitignore")
    (here / "notebooks").mkdir()
    both = Both(here / "notebooks", tmp_path / "there")
    assert both.mirror.folder.cwd == "notebooks"
    both.send()
    assert both.names() == [".gitignore", "pkg/__init__.py", "tracked.txt", "ä b\n.py"]


def test_a_repository_that_is_the_home_folder_does_not_go_along(here: Path) -> None:
    git(here, "init", "-q")
    (here / "notes").mkdir()
    found = WorkingFolder.around(here / "notes", home=here)
    assert (found.root, found.git) == ((here / "notes").resolve(), False)


def test_only_what_has_changed_is_sent_with_its_time(both: Both, here: Path) -> None:
    both.send()
    both.send()
    assert both.posted == []
    (here / "mylib.py").write_text("x = 22\n")
    os.utime(here / "mylib.py", ns=(10**18 + 5, 10**18 + 5))
    both.send()
    assert len(both.posted) == 1
    assert (both.there / "mylib.py").read_text() == "x = 22\n"
    assert (both.there / "mylib.py").stat().st_mtime_ns == 10**18 + 5
    assert (both.there / "mylib.py").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_gone_here_goes_there_too(both: Both, here: Path) -> None:
    both.send()
    (here / "mylib.py").unlink()
    both.send()
    assert both.names() == []


@pytest.mark.parametrize("change", ["edited", "deleted"])
def test_a_file_that_was_changed_over_there_is_never_overwritten_or_removed(
    both: Both, here: Path, change: str
) -> None:
    both.send()
    (both.there / "mylib.py").write_text("precious\n")
    if change == "edited":
        (here / "mylib.py").write_text("x = 333\n")
    else:
        (here / "mylib.py").unlink()
    both.send()
    assert (both.there / "mylib.py").read_text() == "precious\n"
    [notice] = both.notices
    assert "mylib.py was changed over there" in notice


def test_a_new_kernel_here_and_a_new_agent_there_find_the_same_files(both: Both, here: Path) -> None:
    both.send()
    both.far.save()
    (here / "mylib.py").write_text("x = 4444\n")
    later = Both(here, both.there)
    later.send()
    assert later.notices == []
    assert (both.there / "mylib.py").read_text() == "x = 4444\n"


def test_what_is_too_large_stays_and_is_named_once(
    both: Both, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working_folder, "FILE_LIMIT", 2_000_000)
    (here / "weights.py").write_bytes(bytes(3_000_000))
    assert both.send() == ["weights.py (3 MB) is too large to go along."]
    assert both.send() == []
    assert both.names() == ["mylib.py"]


@pytest.mark.parametrize(
    "name", ["../out", "/etc/out", "a/../../out", "", ".trackside-mirror.json", "link/out"]
)
def test_no_path_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    root = tmp_path / "there"
    prepare(root, ".")
    (root / "link").symlink_to(tmp_path)
    notices: list[str] = []
    head = {"path": name, "digest": hashlib.sha256(b"x").hexdigest(), "mtime_ns": 1}
    MirroredFolder(root, notices.append).apply([to_json(head), b"x"])
    assert len(notices) == 1
    assert not list(tmp_path.rglob("out")) and not (root / ".trackside-mirror.json").exists()


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "ä"])
def test_the_name_of_a_folder_from_outside_never_becomes_a_path(name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        work_folder(name, {"HOME": "/nowhere"})


@pytest.fixture
def notebook(far: Far, place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    configure(far, monkeypatch)
    with opened(place, place.root / "work" / "digits.ipynb") as made:
        yield made


def test_a_module_beside_the_notebook_is_imported_over_there_and_again_after_an_edit(
    notebook: Notebook, far: Far, place: Place
) -> None:
    module = place.root / "work" / "mylib.py"
    module.write_text("def answer(): return 41\n")
    notebook.must("%gpu_provision cpu --on gpu1", timeout=120)
    notebook.must("import mylib")
    assert notebook.value("mylib.answer()") == 41
    assert notebook.value("mylib.__file__").startswith(str(far.cache / "work"))
    module.write_text("def answer(): return 42  # edited\n")
    notebook.must("import importlib; importlib.reload(mylib)")
    assert notebook.value("mylib.answer()") == 42
    (place.root / "work" / "second.py").write_text("y = 'new'\n")
    notebook.must("import second")
    notebook.must("open('mylib.py', 'a').write('# edited over there\\n')")
    module.write_text("def answer(): return 43\n")
    assert "mylib.py was changed over there" in notebook.must("pass").all_text
    notebook.must("open('checkpoint.bin', 'wb').write(b'weights')")
    notebook.must("%gpu_release")
    [folder] = (far.cache / "work").iterdir()
    assert (folder / "checkpoint.bin").read_bytes() == b"weights"
    assert folder.stat().st_mode & 0o077 == 0
