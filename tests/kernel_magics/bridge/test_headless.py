"""A notebook without a person: nbclient and papermill run it through the bridge."""

from __future__ import annotations

from pathlib import Path

import nbformat
import papermill
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

CELLS = [
    "%load_ext kernel_magics",
    "%gpu_provision cpu",
    "import os, ipywidgets as w\nout = w.Output()\nwith out: print('in the widget')\nout",
    "print('there'); os.getpid()",
    "%%local\nimport os; os.getpid()",
    "%gpu_release",
]


def notebook_of(cells: list[str]) -> nbformat.NotebookNode:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


@pytest.fixture
def environ(home: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, value in home.items():
        monkeypatch.setenv(name, value)
    return home


def result_of(cell: nbformat.NotebookNode) -> str:
    return next(
        output.data["text/plain"] for output in cell.outputs if output.output_type == "execute_result"
    )


def test_nbclient_runs_a_notebook_through_the_bridge(environ: dict[str, str]) -> None:
    notebook = notebook_of(CELLS)
    client = NotebookClient(notebook, timeout=120)
    client.execute()
    assert result_of(notebook.cells[3]) != result_of(notebook.cells[4])
    assert [cell.execution_count for cell in notebook.cells] == [1, 2, 3, 4, 5, 6]
    (model,) = [each for each in client.widget_state.values() if each.get("_model_name") == "OutputModel"]
    assert model["outputs"][0]["text"] == "in the widget\n"


def test_nbclient_stops_at_an_error_there(environ: dict[str, str]) -> None:
    notebook = notebook_of([*CELLS[:2], "1/0", "print('never')"])
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        NotebookClient(notebook, timeout=120).execute()
    assert not notebook.cells[3].outputs


def test_papermill_runs_a_notebook_through_the_bridge(environ: dict[str, str], tmp_path: Path) -> None:
    nbformat.write(notebook_of(CELLS), tmp_path / "in.ipynb")
    done = papermill.execute_notebook(
        str(tmp_path / "in.ipynb"), str(tmp_path / "out.ipynb"), progress_bar=False
    )
    assert result_of(done.cells[3]) != result_of(done.cells[4])
