"""``make demo``: runs the quickstart notebook headless, checks what it recorded, and shows the comparison.

Everything it makes is in ``demo/``: the executed notebook, the data folder with the runs, and
``compare.html`` and ``compare.png``.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "notebooks" / "01_quickstart.ipynb"
DEMO = ROOT / "demo"
EXPECTED_RUNS = ("lr-0.01", "lr-0.1", "lr-1.0")


def main() -> int:
    """Returns 0 when three runs with falling loss are on the record."""
    DEMO.mkdir(exist_ok=True)
    os.environ["TRACKSIDE_DIR"] = str(DEMO / "data")
    started = time.time()
    try:
        execute(nbformat.read(NOTEBOOK, as_version=4))
    except CellExecutionError as problem:
        kept = DEMO / NOTEBOOK.name
        print(f"\nThe notebook stopped at an error; it is kept in {kept}.\n{problem}", file=sys.stderr)
        return 1
    return show(started)


def execute(notebook: Any) -> None:
    """Runs every cell as ``jupyter execute`` would, with a progress bar over the code cells."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    with tqdm(total=len(cells), desc="running the quickstart notebook", unit="cell", file=sys.stdout) as bar:

        def begins(cell: Any, cell_index: int) -> None:  # noqa: ARG001 (nbclient passes it by name)
            if cell.cell_type == "code":
                bar.set_postfix_str(cell.source.splitlines()[0][:44])

        def ends(cell: Any, cell_index: int, execute_reply: Any) -> None:  # noqa: ARG001
            bar.update()

        client = NotebookClient(
            notebook,
            timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": str(NOTEBOOK.parent)}},
            extra_arguments=["--log-level=ERROR"],  # else ipykernel remarks on its loopback ports
            on_cell_execute=begins,
            on_cell_executed=ends,
        )
        try:
            client.execute(env={**os.environ, "JPY_SESSION_NAME": str(NOTEBOOK)})
        finally:
            nbformat.write(notebook, DEMO / NOTEBOOK.name)


def show(started: float) -> int:
    """Checks this execution's runs in the store, prints them, writes the page and the picture."""
    from kernel_magics.errors import TracksideError
    from kernel_magics.figures import comparison_table, write_html, write_png
    from kernel_magics.store import open_store

    with open_store() as store:
        store.refresh()
        mine = [run for run in store.runs(project="digits") if run.created >= started]
        runs = sorted(mine, key=lambda run: run.created)
        problems = []
        if tuple(run.name for run in runs) != EXPECTED_RUNS:
            problems.append(f"expected the runs {EXPECTED_RUNS}, found {tuple(run.name for run in runs)}")
        for run in runs:
            loss = store.series(run.id, "train/loss").value
            first, last = loss[:20].mean(), loss[-20:].mean()
            print(
                f"{run.name:>8}: {run.status}, {len(loss)} steps; mean train/loss of the first 20"
                f" {first:.3f}, of the last 20 {last:.3f}"
            )
            if str(run.status) != "finished" or not last < first:
                problems.append(f"{run.name} did not finish with a falling loss")
        if problems:
            print("The demo went wrong: " + "; ".join(problems) + ".", file=sys.stderr)
            return 1
        ids = [run.id for run in runs]
        print("\n" + comparison_table(store, ids).text + "\n")
        write_html(store, ids, DEMO / "compare.html")
    print(f"The comparison as a page that works offline: {(DEMO / 'compare.html').relative_to(ROOT)}")
    try:
        write_png(DEMO / "compare.html", DEMO / "compare.png")
    except TracksideError as problem:
        print(f"No picture: {problem}", file=sys.stderr)
        return 1
    print(f"The comparison as a picture:                 {(DEMO / 'compare.png').relative_to(ROOT)}")
    print("The same in JupyterLab, with the live sidebar: make lab")
    return 0


if __name__ == "__main__":
    sys.exit(main())
