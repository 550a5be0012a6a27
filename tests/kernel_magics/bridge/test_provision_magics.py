"""``%gpu_provision`` and its companions: what a person types, and what they read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel_magics.bridge.conftest import OpenNotebook
from tests.kernel_magics.bridge.notebook_driver import Notebook


def test_one_display_tells_how_far_it_has_come(notebook: Notebook) -> None:
    """Html and text, updated in place, with a last line that says it is ready."""
    cell = notebook.must("%gpu_provision cpu", timeout=120)
    (shown,) = cell.of_type("display_data")
    updates = cell.of_type("update_display_data")
    assert updates
    display_ids = {message["content"]["transient"]["display_id"] for message in [shown, *updates]}
    assert len(display_ids) == 1
    for message in [shown, *updates]:
        assert {"text/plain", "text/html"} <= set(message["content"]["data"])
    last = updates[-1]["content"]["data"]["text/plain"]
    assert "Ready after" in last and "…" not in last
    assert not cell.of_type("stream"), cell.all_text


@pytest.mark.parametrize(
    ("code", "ename", "words"),
    [
        ("%gpu_provision", "UsageMistake", ["which GPU", "%gpu_provision a100 --or cpu"]),
        ("%gpu_provision a1000", "BadRequest", ["a100"]),
        ("%gpu_provision a100:0", "BadRequest", []),
        ("%gpu_provision cpu --nonsense", "UsageMistake", ["nonsense", "Try: "]),
        ("%gpu_provision cpu --on nowhere", "UsageMistake", ["nowhere", "local"]),
        ("%gpu_attach", "UsageMistake", ["%gpu_provision"]),
        ("%gpu_release nobody", "UsageMistake", ["No machine is yours"]),
        ("%gpu_restart", "UsageMistake", ["no remote kernel"]),
        ("%%local with words\nx = 1", "UsageMistake", ["takes no arguments"]),
        ("%%local", "UsageError", ["body is empty"]),
    ],
)
def test_a_mistake_is_a_sentence(notebook: Notebook, code: str, ename: str, words: list[str]) -> None:
    cell = notebook.run(code)
    assert cell.status == "error"
    assert cell.reply["content"]["ename"] == ename, cell.all_text
    assert "Traceback" not in cell.all_text and 'File "' not in cell.all_text
    for word in words:
        assert word in cell.all_text


def test_a_gpu_that_is_not_there_is_said_with_what_is_there(notebook: Notebook) -> None:
    """What was looked for, what is there, what to type; never a silent fallback."""
    cell = notebook.run("%gpu_provision h100-nvl:7", timeout=60)
    assert cell.reply["content"]["ename"] == "NoOffer"
    assert "h100-nvl" in cell.error and "nothing was rented" in cell.error
    assert "%gpu_provision h100-nvl:7 --or cpu" in cell.error
    assert notebook.value("__import__('os').getpid()") == notebook.pid


def test_a_fallback_that_was_asked_for_is_announced(notebook: Notebook) -> None:
    cell = notebook.must("%gpu_provision h100-nvl:7 --or cpu --name train", timeout=120)
    assert "No h100-nvl:7 is to be had" in cell.all_text
    assert "train" in notebook.must("%gpu_status").all_text


def test_a_broken_configuration_names_file_and_line(
    open_notebook: OpenNotebook, home: dict[str, str]
) -> None:
    Path(home["TRACKSIDE_CONFIG"]).write_text('[targets.x]\nprovider = "nobody"\n')
    cell = open_notebook().run("%gpu_provision cpu")
    assert cell.reply["content"]["ename"] == "ConfigurationError"
    assert "trackside.toml" in cell.error and "Traceback" not in cell.error


def test_a_data_folder_that_cannot_be_written_costs_nothing(
    open_notebook: OpenNotebook, home: dict[str, str]
) -> None:
    Path(home["TRACKSIDE_DIR"]).write_text("a file stands where the folder should be")
    cell = open_notebook().run("%gpu_provision cpu")
    assert cell.reply["content"]["ename"] == "LeaseError"
    assert "nothing was" in cell.error.lower()


def test_offers_are_shown_without_renting(notebook: Notebook) -> None:
    cell = notebook.must("%gpu_offers")
    assert "cpu" in cell.all_text and "local" in cell.all_text
    assert "run here" in notebook.must("%gpu_status").all_text


def test_status_says_where_cells_run(bridged: Notebook) -> None:
    cell = bridged.must("%gpu_status")
    assert "Cells of this notebook run on 'cpu'" in cell.all_text
    assert "digits.ipynb" in cell.all_text


def test_loading_twice_changes_nothing(bridged: Notebook) -> None:
    """Also while bridged, and reloading."""
    for code in ("%load_ext kernel_magics", "%reload_ext kernel_magics"):
        assert "rror" not in bridged.must(code).all_text
    there = bridged.value("__import__('os').getpid()")
    assert there == bridged.pid, "unloading lets the remote kernel go"
    assert "yours already" in bridged.must("%gpu_provision cpu", timeout=120).all_text
    transformers = (
        "len([t for t in get_ipython().input_transformers_cleanup if 'kernel_magics' in t.__module__])"
    )
    before = bridged.must(f"%%local\n{transformers}").result
    bridged.must("%load_ext kernel_magics")
    assert bridged.must(f"%%local\n{transformers}").result == before


def test_a_remote_kernel_offers_only_what_works_there(bridged: Notebook) -> None:
    known = bridged.value("sorted(get_ipython().magics_manager.magics['line'])")
    assert not [name for name in known if name.startswith("gpu_")]
    assert "track" in bridged.value("sorted(get_ipython().magics_manager.magics['cell'])")
    assert "local" not in bridged.value("sorted(get_ipython().magics_manager.magics['cell'])")


def test_a_local_cell_behaves_as_any_cell(bridged: Notebook) -> None:
    """Top-level await, one error, line numbers."""
    assert bridged.must("%%local\nimport asyncio\nawait asyncio.sleep(0, 7)").result == "7"
    failed = bridged.run("%%local\nx = 1\nx / 0")
    assert len(failed.of_type("error")) == 1
    assert failed.reply["content"]["ename"] == "ZeroDivisionError"
    assert "line 3" in failed.error
    assert bridged.must("# a remark first\n%%local\nimport os; os.getpid()").result == str(bridged.pid)
    assert bridged.must("%%time\n%%local\nimport os\nprint(os.getpid())").text().startswith(str(bridged.pid))


def test_completion_knows_the_magics_of_both_sides(bridged: Notebook) -> None:
    found = bridged.ask("complete_request", {"code": "%gpu_st", "cursor_pos": 7})
    assert "%gpu_status" in found["matches"] and found["cursor_start"] == 0
    found = bridged.ask("complete_request", {"code": "x = 1\n%tim", "cursor_pos": 10})
    assert "%timeit" in found["matches"]


def test_two_notebooks_have_a_kernel_each(bridged: Notebook, open_notebook: OpenNotebook) -> None:
    other = open_notebook("other.ipynb")
    other.must("%gpu_provision cpu", timeout=120)
    pid = "__import__('os').getpid()"
    assert bridged.value(pid) != other.value(pid)
    assert "cpu-2" in other.must("%gpu_status").all_text
    held = other.run("%gpu_attach cpu")
    assert held.reply["content"]["ename"] == "LeaseHeld"
    assert "digits.ipynb" in held.error
    assert other.value(pid) != other.pid, "a refused attach leaves things as they were"


def test_a_lease_can_be_taken_from_another_notebook(bridged: Notebook, open_notebook: OpenNotebook) -> None:
    """The one that had it says so, and goes on here; what ran there is still there."""
    pid = "__import__('os').getpid()"
    there = bridged.value(pid)
    bridged.must("kept = 5")
    other = open_notebook("other.ipynb")
    refused = other.run("%gpu_attach cpu")
    assert refused.reply["content"]["ename"] == "LeaseHeld" and "--take" in refused.error
    other.must("%gpu_attach cpu --take", timeout=60)
    assert (other.value(pid), other.value("kept")) == (there, 5)
    bridged.must("1")
    said = [cell for cell in bridged.cells.values() if "taken over by other.ipynb" in cell.all_text]
    assert len(said) == 1
    assert bridged.value(pid) == bridged.pid
    bridged.must("%gpu_attach --take", timeout=60)
    assert (bridged.value(pid), bridged.value("kept")) == (there, 5)


def test_plain_ipython_says_what_works_there(home: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "IPython", "--colors=NoColor", "-i", "--no-confirm-exit"],
        input="%load_ext kernel_magics\n%gpu_provision cpu\nprint('still', 'alive')\n",
        env=home,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "need the kernel of a notebook" in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stdout
    assert "still alive" in done.stdout
