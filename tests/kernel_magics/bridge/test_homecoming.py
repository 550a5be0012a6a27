"""A notebook kernel is killed while a cell runs elsewhere: the next one shows the cell whole and in order."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gpu_provisioner.absence import absent_since, note_pages
from gpu_provisioner.home import home_folder
from gpu_provisioner.lease_lock import is_held
from gpu_provisioner.leases import LeaseBook
from tests.kernel_magics.bridge.notebook_driver import Cell, Notebook
from tests.waiting import Gate, wait_for

CELL = """%%track killed --project homecoming
from IPython.display import display
open({ran!r}, 'a').write('x')
def count(first, last):
    for i in range(first, last):
        if i % 2: print(i, flush=True)
        else: display({{'application/x-count': i, 'text/plain': str(i)}}, raw=True)
        for j in range(10): run.log({{'loss': 10 * i + j}})
count(0, 300)
{go}
count(300, 600)
{end}
count(600, 900)
'done'
"""

STAND_IN = """
import sys
from pathlib import Path
from gpu_provisioner.leases import LeaseBook
from jupyter_ext.stand_ins import StandIn
from tests.waiting import wait_for
data = Path(sys.argv[1])
one = StandIn(LeaseBook(data).load(sys.argv[2]), data)
wait_for(lambda: one.is_over, timeout=600)
one.let_go()
"""


@contextmanager
def standing_in(environ: dict[str, str], lease_id: str) -> Iterator[None]:
    """What a Jupyter Server does for the lease, in a process of its own."""
    data = environ["TRACKSIDE_DIR"]
    with subprocess.Popen([sys.executable, "-c", STAND_IN, data, lease_id], env=environ) as process:
        wait_for(lambda: is_held(home_folder(Path(data), lease_id)), what="somebody stands in")
        try:
            yield
            process.wait(30)
        finally:
            process.kill()


def numbers(cell: Cell) -> list[int]:
    """The numbers that the cell printed and displayed, in order."""
    found: list[int] = []
    for message in cell.outputs:
        content = message["content"]
        if message["msg_type"] == "stream":
            found += [int(word) for word in content["text"].split()]
        elif "application/x-count" in content.get("data", {}):
            found.append(content["data"]["application/x-count"])
    return found


def logged(environ: dict[str, str]) -> list[float]:
    """The points of the one run, as the store has them at home."""
    code = (
        "import json, kernel_magics as km\n"
        "with km.open_store() as store:\n"
        "    store.refresh()\n"
        "    [run] = store.runs(project='homecoming')\n"
        "    print(json.dumps([run.status, [float(v) for v in store.series(run.id, 'loss').value]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, check=True, capture_output=True, text=True
    )
    status, values = json.loads(done.stdout)
    assert status == "finished"
    return list(values)


def again(notebook: Notebook) -> None:
    """Another kernel for the notebook, as Jupyter starts it after a death, and a page of its own."""
    notebook.manager.session.session = uuid.uuid4().hex  # else the new client's ids are those of the old one
    notebook.manager.restart_kernel(now=True)
    notebook.connect()
    notebook.must("%load_ext kernel_magics")


@pytest.mark.parametrize("server", [True, False], ids=["with a server", "alone"])
def test_a_cell_whose_notebook_kernel_was_killed_is_shown_whole_by_the_next(
    bridged: Notebook, tmp_path: Path, home: dict[str, str], gate_at: Callable[[Path], Gate], server: bool
) -> None:
    ran, go, end = tmp_path / "ran", gate_at(tmp_path / "go"), gate_at(tmp_path / "end")
    [lease] = LeaseBook(Path(home["TRACKSIDE_DIR"])).live()
    source = CELL.format(ran=str(ran), go=go.wait, end=end.wait)
    cell = bridged.execute(source, metadata={"cellId": "c1"})
    bridged.pump(lambda: 299 in numbers(cell), cell=cell)
    bridged.kill()
    folder = home_folder(Path(home["TRACKSIDE_DIR"]), lease.id)
    if server:
        with standing_in(home, lease.id):
            before = (folder / "stream").stat().st_size
            go.open()
            wait_for(lambda: (folder / "stream").stat().st_size > before + 50_000, what="it comes home")
            again(bridged)
            attached = bridged.must("%gpu_attach", timeout=120)
    else:
        go.open()
        again(bridged)
        attached = bridged.must("%gpu_attach", timeout=120)
    end.open()
    bridged.pump(lambda: "'done'" in attached.all_text, timeout=60, cell=attached)
    assert numbers(attached) == list(range(900))
    assert "goes on there" in attached.all_text
    assert bridged.value("callable(count)") is True
    assert ran.read_text() == "x"
    assert logged(home) == [float(i) for i in range(9000)]
    assert absent_since(folder) is None


def test_a_cell_that_ended_meanwhile_is_shown_and_one_that_had_ended_before_is_not(
    bridged: Notebook, tmp_path: Path, home: dict[str, str], gate: Gate
) -> None:
    ended = str(tmp_path / "ended")
    [lease] = LeaseBook(Path(home["TRACKSIDE_DIR"])).live()
    bridged.must("print('seen')", metadata={"cellId": "c0"})
    cell = bridged.execute(
        f"print('begun', flush=True)\n{gate.wait}\nprint('last words')\nopen({ended!r}, 'w').close()",
        metadata={"cellId": "c1"},
    )
    bridged.pump(lambda: "begun" in cell.text(), cell=cell)
    bridged.kill()
    with standing_in(home, lease.id):
        gate.open()
        wait_for(Path(ended).exists, what="the cell ends")
        again(bridged)
        attached = bridged.must("%gpu_attach", timeout=120)
    assert attached.text().count("begun\nlast words\n") == 1
    assert "seen" not in attached.text()
    again_attached = bridged.must("%gpu_attach")
    assert "last words" not in again_attached.all_text


def test_where_pages_show_the_cell_in_its_own_place_nothing_is_shown_twice(
    bridged: Notebook, home: dict[str, str], gate: Gate
) -> None:
    data = Path(home["TRACKSIDE_DIR"])
    [lease] = LeaseBook(data).live()
    cell = bridged.execute(f"print('begun', flush=True)\n{gate.wait}", metadata={"cellId": "c1"})
    bridged.pump(lambda: "begun" in cell.text(), cell=cell)
    bridged.kill()
    note_pages(home_folder(data, lease.id), True)
    again(bridged)
    attached = bridged.must("%gpu_attach", timeout=120)
    assert "begun" not in attached.text()
    assert "in its own place" in attached.all_text
    gate.open()
    assert bridged.must("print('next')").text() == "next\n"
