"""%%track where no person looks on: nbclient, papermill, plain IPython."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pexpect
import pytest

from tests.waiting import UNTIL_INTERRUPTED

CELLS = [
    "%load_ext kernel_magics.magics.track",
    "%%track first\nlr = 0.1\nprint('loss=0.5')\nlr",
    "%%track second\nimport asyncio\nawait asyncio.sleep(0)\nraise ValueError('no good')",
    "%%track never\n1",
]


@pytest.fixture
def book(tmp_path, monkeypatch, environment):
    """A notebook file with tracked cells; its kernel gets folders of the test's own."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "book.ipynb"
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def _check(runs, executed):
    assert [(run.name, run.status) for run in runs] == [("first", "finished"), ("second", "failed")]
    assert runs[0].config == {"lr": 0.1}
    assert runs[1].error["ename"] == "ValueError"
    for run, cell in zip(runs, executed.cells[1:], strict=False):
        shown = [
            (output["output_type"], output.get("text") or output.get("ename"))
            for output in cell.outputs
            if output.get("metadata", {}).get("trackside") != "note"  # our line below it is no output of its
        ]
        kept = [(kind, content.get("text") or content.get("ename")) for kind, content in run.outputs]
        assert kept == shown
    assert executed.cells[3].execution_count is None


def test_nbclient_runs_tracked_cells_and_stops_at_the_error(book, runs_in):
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    executed = nbformat.read(book, as_version=4)
    with pytest.raises(CellExecutionError, match="no good"):
        NotebookClient(executed, resources={"metadata": {"path": str(book.parent)}}).execute()
    _check(runs_in(book.parent / "data"), executed)


def test_papermill_runs_tracked_cells_and_stops_at_the_error(book, runs_in):
    import papermill

    output = book.parent / "out.ipynb"
    with pytest.raises(papermill.PapermillExecutionError, match="no good"):
        papermill.execute_notebook(str(book), str(output), cwd=str(book.parent), progress_bar=False)
    executed = nbformat.read(output, as_version=4)
    executed.cells = [cell for cell in executed.cells if cell.source in CELLS]
    _check(runs_in(book.parent / "data"), executed)


SCRIPT = """
get_ipython().run_line_magic('load_ext', 'kernel_magics.magics.track')
get_ipython().run_cell_magic('track', 'script', "lr = 0.1\\nprint('epoch 1 loss=0.5')\\n")
get_ipython().run_cell_magic('track', 'waits', "import asyncio\\nawait asyncio.sleep(0)\\n1 / 0\\n")
"""


def test_a_converted_script_runs_in_plain_ipython(tmp_path, environment, runs_in):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "script.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.splitlines().count("epoch 1 loss=0.5") == 1
    assert (done.stdout + done.stderr).count("division by zero") == 1
    script, waits = runs_in(tmp_path / "data")
    assert (script.status, script.text, script.points("inferred")["loss"]) == (
        "finished",
        "epoch 1 loss=0.5\n",
        [(1, 0.5)],
    )
    assert (waits.status, waits.error["ename"]) == ("failed", "ZeroDivisionError")
    assert done.stderr.count("In plain IPython %%track records") == 1


class Terminal:
    """IPython on a pseudo-terminal."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        arguments = [
            "-m",
            "IPython",
            "--simple-prompt",
            "--colors=NoColor",
            "--no-banner",
            "--no-confirm-exit",
        ]
        self.process = pexpect.spawn(
            sys.executable,
            arguments,
            cwd=str(home),
            env={**environment, "TERM": "dumb"},
            timeout=30,
            echo=False,
        )
        self.process.expect(r"In \[1\]: ")
        self.type("%load_ext kernel_magics.magics.track")

    def begin(self, *lines: str) -> None:
        """Type lines of a cell that is not complete."""
        for line in lines:
            self.process.sendline(line)
            self.process.expect(r" {2,}\.\.\.: ")

    def end(self) -> None:
        """Type the empty lines that end a cell, and do not wait."""
        self.process.sendline("")
        self.process.expect(r" {2,}\.\.\.: ")
        self.process.sendline("")

    def type(self, *lines: str) -> str:
        """Type a whole cell; what it shows."""
        if len(lines) > 1:
            self.begin(*lines)
            self.end()
        else:
            self.process.sendline(lines[0])
        self.process.expect(r"In \[\d+\]: ")
        return str(self.process.before.decode())

    def close(self) -> None:
        self.process.sendline("exit")
        self.process.expect(pexpect.EOF)
        self.process.close()


@pytest.fixture
def terminal(tmp_path, environment):
    one = Terminal(tmp_path, environment)
    yield one
    one.close()


def test_a_terminal_waits_for_the_body_and_records_it(terminal, tmp_path, runs_in):
    shown = terminal.type("%%track typed", "lr = 0.1", "print('loss=0.5')", "[lr]")
    assert "loss=0.5" in shown
    assert "[0.1]" in shown
    [run] = runs_in(tmp_path / "data")
    assert (run.name, run.status, run.config) == ("typed", "finished", {"lr": 0.1})
    kinds = [(kind, content.get("text")) for kind, content in run.outputs]
    assert kinds == [("stream", "loss=0.5\n"), ("execute_result", None)]
    assert run.points("inferred")["loss"][0][1] == 0.5
    assert "plain IPython" in shown
    again = terminal.type("%%track again", "import sys", "print('err', file=sys.stderr)", "1/0")
    assert "plain IPython" not in again
    run = runs_in(tmp_path / "data")[-1]
    assert (run.status, run.error["ename"]) == ("failed", "ZeroDivisionError")
    assert [kind for kind, _ in run.outputs] == ["stream", "error"]
    assert run.outputs[0][1] == {"name": "stderr", "text": "err\n"}


def test_a_terminal_records_displays_questions_and_interrupts(terminal, tmp_path, runs_in):
    terminal.type("%%track shown", "from IPython.display import display", "display({'a': 1})")
    run = runs_in(tmp_path / "data")[-1]
    assert [(kind, content.get("data")) for kind, content in run.outputs] == [
        ("display_data", {"text/plain": "{'a': 1}"})
    ]
    terminal.begin("%%track asks", "name = input('Who? ')")
    terminal.end()
    terminal.process.expect(r"Who\? ")
    terminal.type("Ada-secret")
    run = runs_in(tmp_path / "data")[-1]
    assert ("input_request", {"prompt": "Who? ", "password": False}) in run.everything
    assert not any(b"-secret" in path.read_bytes() for path in run.path.glob("*.journal"))
    slow = f"print('be' 'gun', flush=True); exec({UNTIL_INTERRUPTED!r})"
    terminal.begin("%%track slow", slow)
    terminal.end()
    terminal.process.expect("begun")
    terminal.process.sendintr()
    terminal.process.expect(r"In \[\d+\]: ")
    assert runs_in(tmp_path / "data")[-1].status == "interrupted"


def test_a_wrong_line_in_a_terminal_is_a_sentence(terminal, tmp_path):
    shown = terminal.type("%%track --nmae x", "print('did' ' run')")
    assert "there is no option --nmae" in shown
    assert "did run" not in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "data" / "runs").exists()
