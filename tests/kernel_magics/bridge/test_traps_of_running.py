"""Traps of the way a cell runs: counts, order, aborting, payloads, prompts, facts, the last metre."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.kernel_magics.bridge.conftest import OpenNotebook
from tests.kernel_magics.bridge.notebook_driver import Notebook
from tests.waiting import Gate


def test_cells_run_in_another_process(bridged: Notebook) -> None:
    assert bridged.value("__import__('os').getpid()") != bridged.pid
    assert bridged.must("%%local\nimport os; print(os.getpid())").text().strip() == str(bridged.pid)


def test_the_execution_count_goes_on_on_both_sides(bridged: Notebook) -> None:
    """Trap 5: the local count travels with the request, and comes back."""
    first = bridged.must("1").count
    shown = "get_ipython().execution_count"
    ahead = int(bridged.must(f"%%local\n{shown}").result) - (
        first + 1
    )  # IPython 9 counts before the cell runs
    for number, code in enumerate([shown, f"%%local\n{shown}", shown], start=first + 2):
        cell = bridged.must(code)
        assert cell.count == number
        assert cell.result == str(number + ahead)
        assert cell.of_type("execute_input")[0]["content"]["execution_count"] == number
        assert cell.of_type("execute_result")[0]["content"]["execution_count"] == number
    bridged.must("7", store_history=False)
    assert bridged.must("8").count == first + 5


def test_the_local_history_has_every_cell_at_its_number(bridged: Notebook) -> None:
    """Trap 5: ``In[n]`` is cell n, wherever it ran."""
    cell = bridged.must("x_there = 1  # the cell to find")
    found = bridged.must(f"%%local\nIn[{cell.count}], In[-1]")
    assert "the cell to find" in found.result
    silent = bridged.run("1", silent=True, store_history=False)
    assert silent.status == "ok"
    assert bridged.must("2").count == found.count + 1


def test_what_is_said_after_the_reply_comes_before_idle(bridged: Notebook) -> None:
    """Trap 6: the answer waits for the remote idle, and the remote status stays there."""
    cell = bridged.must(
        "import sys\n"
        "kernel = get_ipython().kernel\n"
        "def say_it_late():\n"
        "    del kernel.post_handler_hook\n"
        "    print('said between reply and idle'); sys.stdout.flush()\n"
        "    kernel.post_handler_hook()\n"
        "kernel.post_handler_hook = say_it_late\n"
    )
    assert "said between reply and idle" in cell.text()
    assert cell.states == ["busy", "idle"]


def test_every_output_precedes_idle(bridged: Notebook) -> None:
    """Trap 6: nothing of fifty cells comes after their own idle."""
    for number in range(50):
        cell = bridged.must(f"print('cell', {number})")
        assert cell.text() == f"cell {number}\n"
        assert cell.states == ["busy", "idle"]


def test_cells_behind_an_error_are_aborted(bridged: Notebook) -> None:
    """Trap 8: Run All stops at the first error, and the cell after that one runs again."""
    cells = [bridged.execute(code) for code in ("1/0", "ran = 1", "ran = 2")]
    bridged.pump(lambda: all(cell.done for cell in cells))
    assert [cell.status for cell in cells] == ["error", "aborted", "aborted"]
    assert bridged.value("'ran' in globals()") is False


def test_an_error_without_stop_on_error_aborts_nothing(bridged: Notebook) -> None:
    """Trap 8."""
    cells = [bridged.execute("1/0", stop_on_error=False), bridged.execute("ran = 1")]
    bridged.pump(lambda: all(cell.done for cell in cells))
    assert [cell.status for cell in cells] == ["error", "ok"]


def test_payloads_arrive(bridged: Notebook) -> None:
    """Trap 10: ``?`` and ``set_next_input`` answer in the reply."""
    asked = bridged.must("int?")
    (page,) = asked.reply["content"]["payload"]
    assert page["source"] == "page" and "int" in page["data"]["text/plain"]
    (following,) = bridged.must("get_ipython().set_next_input('next cell')").reply["content"]["payload"]
    assert following["text"] == "next cell"


def test_user_expressions_are_evaluated_there(bridged: Notebook) -> None:
    bridged.must("answer = 42")
    reply = bridged.must("pass", user_expressions={"a": "answer"}).reply["content"]
    assert reply["user_expressions"]["a"]["data"]["text/plain"] == "42"


@pytest.mark.parametrize(
    "code", ["%gpu_status\nran = 1", "ran = 1\n%gpu_release", "%gpu_provision cpu\nran = 1"]
)
def test_a_cell_that_mixes_places_is_refused_whole(bridged: Notebook, code: str) -> None:
    """Trap 11: half of it would run on the wrong machine."""
    cell = bridged.run(code)
    assert cell.status == "error"
    assert cell.reply["content"]["ename"] in ("UsageMistake", "MixedCell")
    assert "cell of its own" in cell.error
    assert "Traceback" not in cell.error
    assert bridged.value("'ran' in globals()") is False
    assert bridged.must("%%local\n'ran' in globals()").result == "False"


@pytest.mark.parametrize("code", ["ran = 1\n%gpu_provision cpu", "%gpu_provision cpu\nran = 1"])
def test_provision_mixed_with_other_code_is_refused_before_anything_runs(
    notebook: Notebook, code: str
) -> None:
    """Trap 11: also in a notebook that is not bridged yet."""
    cell = notebook.run(code)
    assert cell.status == "error"
    assert "cell of its own" in cell.error
    assert notebook.value("'ran' in globals()") is False


def test_a_name_that_lives_here_is_pointed_out(bridged: Notebook) -> None:
    """Trap 11: a NameError there about a variable that exists here."""
    bridged.must("%%local\nframe = 1")
    cell = bridged.run("frame")
    assert "`frame` exists in this notebook's own kernel" in cell.error
    assert cell.reply["content"]["traceback"] == cell.of_type("error")[0]["content"]["traceback"]
    assert "own kernel" not in bridged.run("nowhere_at_all").error
    assert "own kernel" not in bridged.run("{}['frame']").error


def test_facts_of_home_travel_with_the_cell(bridged: Notebook, tmp_path: Path) -> None:
    """Trap 12: the remote machine has no notebook and no ``.git``."""
    facts = "get_ipython().kernel.get_parent('shell')['metadata']['trackside']"
    found = bridged.must(f"print(repr({facts}))", metadata={"cellId": "abc"})
    trackside = eval(found.text())
    assert trackside["home"]["notebook"] == str(tmp_path / "work" / "digits.ipynb")
    assert trackside["home"]["cell_id"] == "abc"
    assert trackside["home"]["host"] and trackside["home"]["user"] and trackside["home"]["lease"]
    assert "git" not in trackside["home"]
    assert trackside["capture"]["outputs"] is True
    assert trackside["execution_count"] == found.count


def test_the_git_diff_travels_only_with_a_cell_that_may_begin_a_run(
    open_notebook: OpenNotebook, tmp_path: Path
) -> None:
    """Trap 12: commit and branch always, what differs only when it is worth asking."""
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    (work / "model.py").write_text("layers = 2\n")
    commit = make_repository(work)
    (work / "model.py").write_text("layers = 3\n")
    notebook = open_notebook()
    notebook.must("%gpu_provision cpu", timeout=120)
    read = "print(repr(get_ipython().kernel.get_parent('shell')['metadata']['trackside']['home']['git']))"
    plain = eval(notebook.must(read).text())
    assert plain["commit"] == commit and plain["branch"] == "trunk" and "diff" not in plain
    tracked = eval(notebook.must(f"# km.init(\n{read}").text())
    assert "+layers = 3" in tracked["diff"] and tracked["dirty"] is True
    second = make_repository(work)
    assert eval(notebook.must(read).text())["commit"] == second != commit


def make_repository(folder: Path) -> str:
    """Commit everything in ``folder``; the commit's id."""
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    for command in (["init", "-q", "-b", "trunk"], ["add", "-A"], [*identity, "commit", "-qm", "more"]):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    )
    return found.stdout.strip()


def test_a_local_cell_waits_for_the_remote_cell_before_it(bridged: Notebook, gate: Gate) -> None:
    """Trap 13: a kernel runs one cell at a time, wherever each runs."""
    there = bridged.execute(f"{gate.wait}\nprint('there')")
    here = bridged.execute("%%local\nprint('here')")
    bridged.pump(lambda: "busy" in there.states)
    assert not here.states
    gate.open()
    bridged.pump(lambda: here.done)
    assert there.done and there.text() == "there\n" and here.text() == "here\n"


def test_nothing_is_dropped_on_the_way_to_a_stalled_front_end(bridged: Notebook) -> None:
    """Trap 14: 12,000 messages for a front-end that reads none of them until the cell is over."""
    cell = bridged.execute(
        "from IPython.display import publish_display_data as show\n"
        "for number in range(12_000): show({'text/plain': str(number), 'x/fill': 'x' * 300})"
    )
    shell = bridged.client.shell_channel.socket
    assert shell.poll(120_000), "the cell has not ended"
    bridged.pump(lambda: cell.done, timeout=60)
    numbers = [int(message["content"]["data"]["text/plain"]) for message in cell.of_type("display_data")]
    assert numbers == list(range(12_000))


def test_the_hint_of_a_mixed_cell_works(bridged: Notebook) -> None:
    """Trap 11: what the refusal says to type does what it says."""
    assert bridged.must("%%local\nx = 1\n%gpu_status").status == "ok"
