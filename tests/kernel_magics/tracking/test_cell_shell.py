"""Tracked cells and their shell: cells in cells, silent notebooks, converted scripts, pools, unloading."""

from __future__ import annotations

from tests.waiting import eventually


def test_cells_that_run_tracked_cells(notebook):
    answer = notebook.run(
        "ip = get_ipython()\nfor name in ('one', 'two'):\n"
        "    ip.run_cell(f'%%track {name}\\nprint({name!r})')\n"
    )
    assert [(run.name, run.text, run.status) for run in notebook.runs] == [
        ("one", "one\n", "finished"),
        ("two", "two\n", "finished"),
    ]
    assert answer.text == "one\ntwo\n"
    notebook.run(
        "%%track outer\nget_ipython().run_cell('%%track inner\\nprint(1)')\nget_ipython().run_cell('')"
    )
    assert [run.name for run in notebook.runs] == ["one", "two", "outer"]
    assert notebook.last.status == "finished"


def test_a_notebook_that_is_run_silently_is_tracked(notebook):
    import nbformat

    cells = ["%%track silent\nprint('inside', run.name)", "%%track broken\n1/0"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(book, notebook.home / "inner.ipynb")
    if notebook.run("import nbformat").status == "error":
        (notebook.home / "inner.ipy").write_text(cells[0])
        notebook.run("%run inner.ipy")
        assert [(run.name, run.status) for run in notebook.runs] == [("silent", "finished")]
        return
    notebook.run("%run inner.ipynb")
    assert [(run.name, run.status) for run in notebook.runs] == [("silent", "finished"), ("broken", "failed")]
    assert notebook.runs[0].text == "inside silent\n"
    assert notebook.runs[1].error["ename"] == "ZeroDivisionError"


def test_run_cell_magic_as_converted_scripts_write_it(notebook):
    answer = notebook.run(
        "get_ipython().run_cell_magic('track', 'script', 'x = 3\\nprint(x)\\nx + 1\\n')\nprint(x)"
    )
    assert answer.text == "3\n3\n"
    assert ("execute_result", "4") in [
        (kind, content.get("data", {}).get("text/plain")) for kind, content in answer.messages
    ]
    assert (notebook.last.name, notebook.last.status, notebook.last.text) == ("script", "finished", "3\n")
    failing = notebook.run("get_ipython().run_cell_magic('track', 'bad', '1/0')")
    assert len(failing.errors) == 1
    assert "kernel_magics" not in "\n".join(failing.errors[0]["traceback"])
    assert (notebook.last.name, notebook.last.status) == ("bad", "failed")
    waiting = notebook.run(
        "get_ipython().run_cell_magic('track', '', 'import asyncio; await asyncio.sleep(0)')"
    )
    assert waiting.errors[0]["ename"] == "UsageMistake"


def test_unloading_leaves_the_shell_as_it_was(notebook):
    notebook.run("%unload_ext kernel_magics.magics.track")
    answer = notebook.run("%%track\n1")
    assert answer.status == "error"
    assert (
        notebook.run(
            "print(get_ipython().ast_transformers, "
            "'send_multipart' in vars(get_ipython().kernel.iopub_thread))"
        ).text
        == "[] False\n"
    )
    assert notebook.runs == []


def test_every_task_of_a_forked_pool_in_a_tracked_cell_is_in_its_run(notebook):
    answer = notebook.run("""%%track
import multiprocessing, os
import kernel_magics as km
def work(number):
    run = km.init(config={f"of-{number}": number})
    run.log({"worker": float(number)})
    run.finish()
    return run.id
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(len(set(pool.map(work, range(8), chunksize=1))), "run")
run.log({"after": 1.0})
""")
    assert (answer.status, answer.text) == ("ok", "1 run\n"), answer.messages
    (run,) = notebook.runs
    assert run.status == "finished"
    assert {key: value for key, value in run.config.items() if key.startswith("of-")} == {
        f"of-{number}": number for number in range(8)
    }
    assert len(list(run.path.glob("*.journal"))) == 9
    ended = [event for event in run.events if event["name"] == "process-finished"]
    assert len(ended) == 8


UNLOAD = "%unload_ext kernel_magics.magics.track"
LOAD = "%load_ext kernel_magics.magics.track"
RELOAD = f"{UNLOAD}\n{LOAD}"


def test_a_cell_that_unloads_the_extension_is_recorded_to_its_end(notebook):
    answer = notebook.run(f"%%track first\n{UNLOAD}\nprint('after')\nrun.log({{'x': 1.0}})\n1/0")
    assert [error["ename"] for error in answer.errors] == ["ZeroDivisionError"]
    assert eventually(lambda: notebook.last.status == "failed")
    assert (notebook.last.text, notebook.last.points("logged")) == ("after\n", {"x": [(0, 1.0)]})
    assert notebook.last.error["ename"] == "ZeroDivisionError"
    assert notebook.run(
        "print('run' in globals(), get_ipython().ast_transformers,"
        " 'send_multipart' in vars(get_ipython().kernel.iopub_thread))"
    ).text == ("False [] False\n")
    assert notebook.run("%%track\n1").status == "error"
    assert notebook.run(LOAD).status == "ok"
    assert notebook.run("%%track second\nrun.log({'x': 2.0})\nprint('second')").text == "second\n"
    assert [(run.name, run.status, run.text) for run in notebook.runs] == [
        ("first", "failed", "after\n"),
        ("second", "finished", "second\n"),
    ]
    assert notebook.last.points("logged") == {"x": [(0, 2.0)]}


def test_a_cell_that_loads_the_extension_anew_stays_one_run(notebook):
    answer = notebook.run(
        f"%%track\n{RELOAD}\nimport kernel_magics as km\nkm.init(config={{'k': 1}})\nprint('after')"
    )
    assert (answer.status, answer.text) == ("ok", "after\n"), answer.messages
    assert notebook.run("%%track\nprint('second')").text == "second\n"
    assert [(run.status, run.text) for run in notebook.runs] == [
        ("finished", "after\n"),
        ("finished", "second\n"),
    ]
    assert notebook.runs[0].config["k"] == 1


def test_unloading_takes_our_run_away_and_leaves_a_run_of_the_users(notebook):
    notebook.run("%%track\n1")
    notebook.run(UNLOAD)
    assert notebook.run("print('run' in globals())").text == "False\n"
    notebook.run(f"run = 'mine'\n{LOAD}")
    notebook.run("%%track\n1")
    notebook.run(UNLOAD)
    assert notebook.run("print(run)").text == "mine\n"
