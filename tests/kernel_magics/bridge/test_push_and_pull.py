"""``%gpu_push``, ``%gpu_pull``, ``%gpu_get``: what a person types, what they read, and what is then where."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from textwrap import indent

import psutil
import pytest

from tests.breaker import Breaker
from tests.kernel_magics.bridge.notebook_driver import Cell, Notebook
from tests.waiting import UNTIL_INTERRUPTED, wait_for

MAKE = """%%local
import numpy as np, threading
weights = np.arange(1000.0)
class Net:
    def __init__(self): self.layers = [weights, weights]
    def size(self): return sum(map(len, self.layers))
net = Net()
lock = threading.Lock()
"""


@pytest.fixture
def made(bridged: Notebook) -> Notebook:
    bridged.must(MAKE)
    return bridged


def last_words(cell: Cell) -> list[str]:
    """What each display of the cell said last."""
    shown: dict[str, str] = {}
    for message in cell.outputs:
        if message["msg_type"] in ("display_data", "update_display_data"):
            content = message["content"]
            shown[content["transient"]["display_id"]] = content["data"]["text/plain"]
    return list(shown.values())


def test_the_hint_of_a_missing_name_is_true(made: Notebook) -> None:
    cell = made.run("weights.sum()")
    assert cell.status == "error" and "%gpu_push weights" in cell.error
    said = last_words(made.must("%gpu_push weights net"))
    assert said[0].startswith("`weights` (ndarray float64 (1000,), 8.")
    assert said[1].startswith("`net` (Net, ") and "SHA-256 was compared" in said[1]
    assert made.value("(float(weights.sum()), net.size())") == (499500.0, 2000)


def test_a_variable_comes_back_and_nothing_else_changes(made: Notebook) -> None:
    made.must("result = {'loss': [0.5, 0.25], 'state': {'w': b'\\x00\\x01'}}\nother = 1")
    before = made.value("sorted(name for name in dir() if not name.startswith('_'))")
    made.must("%gpu_pull result")
    assert made.value("sorted(name for name in dir() if not name.startswith('_'))") == before
    got = made.must("%%local\nprint(result, 'other' in dir())").text()
    assert got == "{'loss': [0.5, 0.25], 'state': {'w': b'\\x00\\x01'}} False\n"


def test_the_cells_keep_their_numbers(made: Notebook) -> None:
    first = made.must("%gpu_push weights").count
    assert made.must("x = 1").count == first + 1


@pytest.mark.parametrize(
    ("code", "ename", "words"),
    [
        ("%gpu_push", "UsageMistake", ["which variables"]),
        ("%gpu_push wieghts", "UsageMistake", ["did you mean 'weights'?", "Nothing was sent"]),
        ("%gpu_push net.layers", "UsageMistake", ["no name of a variable"]),
        ("%gpu_pull nowhere", "TransferError", ["no variable of that name"]),
        ("%gpu_push lock", "TransferError", ["cannot pickle '_thread.lock'"]),
        ("%gpu_push weights lock", "TransferError", ["`weights` was pushed; `lock` was not"]),
        ("%gpu_push 'weights", "UsageMistake", ["quot"]),
        ("%gpu_get", "UsageMistake", ["needs to know what"]),
        ("%gpu_get nowhere.txt", "TransferError", ["nowhere.txt", "No such file"]),
        ("%gpu_get x --overwritte", "UsageMistake", ["did you mean '--overwrite'?"]),
    ],
)
def test_what_cannot_be_is_a_sentence(made: Notebook, code: str, ename: str, words: list[str]) -> None:
    cell = made.run(code)
    assert (cell.status, cell.reply["content"]["ename"]) == ("error", ename), cell.all_text
    assert 'File "' not in cell.all_text
    for word in words:
        assert word in cell.error


def test_without_a_remote_kernel_it_says_what_to_do(notebook: Notebook) -> None:
    for code in ("%gpu_push x", "%gpu_pull x", "%gpu_get x", "%gpu_restart"):
        cell = notebook.run(code)
        assert cell.status == "error" and "no remote kernel" in cell.error
        assert "Try: %gpu_provision a100 --or cpu" in cell.error


def test_what_unpickling_prints_there_is_shown_in_the_cell(made: Notebook) -> None:
    made.must(
        "%%local\nclass Loud:\n    def __setstate__(self, state): print('made from', state)\n"
        "    def __getstate__(self): return 'parts'\nloud = Loud()"
    )
    assert "made from parts" in made.must("%gpu_push loud").text()


def test_an_interrupt_leaves_the_kernels_usable_and_says_what_is_over(made: Notebook) -> None:
    made.must(
        "%%local\nclass Slow:\n    def __getstate__(self):\n        open('packing', 'w').close()\n"
        + indent(UNTIL_INTERRUPTED, " " * 8)
        + "slow = Slow()"
    )
    cell = made.execute("%gpu_push weights slow")
    made.pump(lambda: (made.cwd / "packing").exists())
    made.interrupt()
    made.pump(lambda: cell.done)
    assert "`weights` was pushed; `slow` was not" in cell.error
    assert made.value("len(weights)") == 1000


def lines_of(notebook: Notebook) -> list[psutil.Process]:
    """Every carrier of a notebook, the kernel's own line among them."""
    found = []
    for child in psutil.Process(notebook.pid).children():
        with contextlib.suppress(psutil.Error):
            if " -I -S -c " in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_a_line_that_breaks_is_gone_on_with(made: Notebook) -> None:
    """Both lines are killed, again and again; the value is the value, there and back."""
    made.must("%%local\nbig = np.random.default_rng(0).integers(0, 255, 60_000_000, dtype='u1'); big2 = big")
    with Breaker(lambda: lines_of(made), 12, pauses=(0.1, 0.5)) as breaker:
        while breaker.kills < 12:
            made.must("%gpu_push big", timeout=90)
            made.must("%gpu_pull big", timeout=90)
    assert made.value("big.shape") == (60_000_000,)
    assert made.must("%%local\nprint(big is not big2 and bool((big == big2).all()))").text() == "True\n"


class TestFiles:
    @pytest.fixture
    def there(self, made: Notebook, tmp_path: Path) -> Notebook:
        (tmp_path / "there").mkdir()
        made.must(f"import os; os.chdir({str(tmp_path / 'there')!r})")
        made.must(
            "os.makedirs('out/deep'); open('out/a.txt', 'w').write('a'); open('m.pt', 'wb').write(b'm')"
        )
        made.must("open('out/deep/run.sh', 'w').write('b'); os.chmod('out/deep/run.sh', 0o755)")
        made.must("os.symlink('/etc', 'out/link')")
        return made

    def test_a_file_comes_to_the_notebooks_folder_as_it_is_there(self, there: Notebook) -> None:
        there.must("os.utime('m.pt', ns=(5, 1_700_000_000_123_456_789))")
        assert "m.pt is here" in last_words(there.must("%gpu_get m.pt"))[-1]
        path = there.cwd / "m.pt"
        assert (path.read_bytes(), path.stat().st_mtime_ns) == (b"m", 1_700_000_000_123_456_789)
        assert "here already" in last_words(there.must("%gpu_get m.pt"))[-1]

    def test_a_folder_comes_with_its_modes_and_says_what_stayed(self, there: Notebook) -> None:
        said = last_words(there.must("%gpu_get out results"))[-1]
        results = there.cwd / "results"
        assert (results / "a.txt").read_text() == "a" and (results / "deep" / "run.sh").read_text() == "b"
        assert os.access(results / "deep" / "run.sh", os.X_OK) and not os.access(results / "a.txt", os.X_OK)
        assert "Left there (links, no files, or not readable): link." in said and "2 files" in said
        assert sorted(path.name for path in results.iterdir()) == ["a.txt", "deep"]

    def test_an_empty_folder_is_a_folder_here_too(self, there: Notebook) -> None:
        there.must("os.mkdir('empty')")
        there.must("%gpu_get empty")
        assert (there.cwd / "empty").is_dir()

    def test_what_has_come_already_needs_no_room_again(self, there: Notebook) -> None:
        """A disk with room for what is left of a large file takes what is left."""
        there.must("open('big', 'wb').write(b'x' * 1_000_000); None")
        cell = there.must(
            "%%local\nimport shutil; real = shutil.disk_usage\n"
            "shutil.disk_usage = lambda path: real(path)._replace(free=600_000)"
        )
        assert "has room for" in there.run("%gpu_get big").error
        there.must(
            "%%local\nfrom kernel_magics.magics import transfer_files as files\n"
            "part = files._part\n"
            "def begun(*names):\n    path = part(*names); path.write_bytes(b'x' * 500_000); return path\n"
            "files._part = begun"
        )
        there.must("%gpu_get big")
        assert (there.cwd / "big").read_bytes() == b"x" * 1_000_000 and cell.done

    def test_nothing_is_overwritten_unasked(self, there: Notebook) -> None:
        mine = there.cwd / "out" / "a.txt"
        mine.parent.mkdir()
        mine.write_text("mine")
        cell = there.run("%gpu_get out")
        assert cell.status == "error" and "out/a.txt is here already" in cell.error
        assert mine.read_text() == "mine" and not (there.cwd / "out" / "deep").exists()
        there.must("%gpu_get out --overwrite")
        assert mine.read_text() == "a"

    def test_names_with_spaces_and_quotes(self, there: Notebook) -> None:
        there.must("open('a b $(x).txt', 'w').write('odd')")
        there.must("%gpu_get 'a b $(x).txt'")
        assert (there.cwd / "a b $(x).txt").read_text() == "odd"
        long = "x" * 251 + ".txt"
        there.must(f"open({long!r}, 'w').write('long')")
        there.must(f"%gpu_get {long}")
        assert (there.cwd / long).read_text() == "long"

    def test_an_interrupted_one_goes_on_where_it_was(self, there: Notebook, tmp_path: Path) -> None:
        def begun() -> bool:
            parts = list(there.cwd.glob(".big.*.trackside-part"))
            return bool(parts) and parts[0].stat().st_size > 1_000_000

        for megabytes in (150, 600, 2400):  # a fast machine may be done before it hears of the interrupt
            there.must(f"import os\nopen('big', 'wb').write(os.urandom({megabytes}_000_000)); None")
            cell = there.execute("%gpu_get big")
            there.pump(lambda cell=cell: begun() or cell.done)
            there.interrupt()
            there.pump(lambda cell=cell: cell.done)
            if cell.of_type("error"):
                break
            (there.cwd / "big").unlink()
        assert "goes on from there" in cell.error and not (there.cwd / "big").exists()
        there.must("%gpu_get big")
        wait_for(lambda: not list(there.cwd.glob(".big.*")), what="no part is left")
        assert (there.cwd / "big").read_bytes() == (tmp_path / "there" / "big").read_bytes()
