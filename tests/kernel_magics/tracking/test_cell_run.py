"""A tracked cell's run: what it is called, how it ends, and that the cell stays what it is."""

from __future__ import annotations

import signal

import pytest

from kernel_magics.journal.format import Kind
from tests.waiting import UNTIL_INTERRUPTED, eventually


def test_name_project_tags_and_group_are_the_lines(notebook):
    notebook.run('%%track "lr 0.1" --project digits --tag a --tag=b --group sweep\n1')
    head = notebook.last.of(Kind.RUN)[0]
    assert (head["name"], head["project"], head["group"]) == ("lr 0.1", "digits", "sweep")
    assert head["tags"] == ["a", "b"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%%track --projekt x", "no option --projekt. Did you mean --project?"),
        ("%%track --project", "--project needs a value"),
        ("%%track --project --tag x", "--project needs a value"),
        ("%%track one two", "takes one name, and got 2: one, two"),
        ("%%track 'one", "could not be read"),
        ("%%track --project a --project b", "stands there twice"),
        ("%%track --no-source=yes", "takes no value"),
        ("%%time\n%%track --what", "no option --what"),
    ],
)
def test_a_wrong_line_stops_the_cell_and_records_nothing(shared_notebook, line, says):
    before = len(shared_notebook.runs)
    answer = shared_notebook.run(f"{line}\nprint('did run')")
    assert answer.status == "error"
    assert answer.text == ""
    [error] = answer.errors
    assert error["ename"] == "UsageMistake"
    assert says in error["evalue"]
    assert error["traceback"] == [f"UsageMistake: {error['evalue']}"]
    assert len(shared_notebook.runs) == before
    assert shared_notebook.run("1").status == "ok"


def test_a_folder_that_cannot_be_written_stops_the_cell_with_a_sentence(notebook):
    (notebook.home / "data").write_text("a file, where the data folder should be")
    answer = notebook.run("%%track\nprint('did run')")
    assert answer.status == "error"
    assert answer.text == ""
    assert answer.errors[0]["ename"] == "DataFolderError"
    assert len(answer.errors[0]["traceback"]) == 1
    assert notebook.run("print('the next')").text == "the next\n"


def test_an_exception_stays_an_exception_and_fails_the_run(notebook):
    first = notebook.send("%%track\ndef f(x):\n    return 1 / x\nprint('begin')\nf(0)")
    queued = notebook.send("print('queued')")
    answer = notebook.wait(first)
    [error] = answer.errors
    assert answer.status == "error"
    assert answer.reply["ename"] == error["ename"] == "ZeroDivisionError"
    run = notebook.last
    assert run.status == "failed"
    assert run.of(Kind.FINISH)[-1]["detail"] == "ZeroDivisionError: division by zero"
    assert run.error == error
    assert notebook.wait(queued).status == "aborted"


def test_tracebacks_count_the_line_and_show_no_frame_of_ours(notebook):
    answer = notebook.run("%%track name\n# a comment\ndef f():\n    raise ValueError\n\nf()")
    traceback = "\n".join(answer.errors[0]["traceback"])
    plain = notebook.run("# name\n# a comment\ndef f():\n    raise ValueError\n\nf()")
    other = "\n".join(plain.errors[0]["traceback"])
    count = answer.reply["execution_count"]
    assert traceback.replace(f"In[{count}]", "In[n]") == other.replace(f"In[{count + 1}]", "In[n]")
    assert "line 6" in traceback
    assert "line 4" in traceback
    assert "kernel_magics" not in traceback


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise KeyboardInterrupt", "interrupted"),
        ("import sys; sys.exit()", "finished"),
        ("import sys; sys.exit(0)", "finished"),
        ("import sys; sys.exit(2)", "failed"),
        ("import sys; sys.exit('no data')", "failed"),
        ("x = = 1", "failed"),
        ("%no_such_magic", "failed"),
        ("import asyncio\nraise asyncio.CancelledError", None),
        ("pass", "finished"),
    ],
)
def test_how_a_cell_ends_is_how_its_run_ends(shared_notebook, code, status):
    shared_notebook.run(f"%%track\n{code}")
    if status is None:  # before Python 3.11 nobody can tell who cancelled
        newer = shared_notebook.run("import sys; print(sys.version_info >= (3, 11))").text == "True\n"
        status = "failed" if newer else "interrupted"
    assert shared_notebook.last.status == status


@pytest.mark.parametrize(
    "wait",
    [UNTIL_INTERRUPTED, "import asyncio\nwhile True: await asyncio.sleep(0.05)"],
)
def test_an_interrupt_makes_the_run_interrupted(notebook, wait):
    request = notebook.send(f"%%track\nprint('begun', flush=True)\n{wait}")
    while not any(kind == "stream" for kind, _ in notebook.of(request)):
        notebook.seen.append(notebook.client.get_iopub_msg(timeout=30))
    notebook.manager.interrupt_kernel()
    answer = notebook.wait(request)
    assert answer.reply["ename"] in ("KeyboardInterrupt", "CancelledError")
    assert notebook.last.status == "interrupted"
    assert notebook.last.error["traceback"] == answer.errors[0]["traceback"]
    assert notebook.run("1").status == "ok"


def test_a_killed_kernel_leaves_all_it_showed_and_no_ending(notebook):
    request = notebook.send(
        "%%track\nimport os, signal, time\nfor i in range(100): print(i)\nrun.log({'loss': 0.5}, step=7)\n"
        "print('last', flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    assert eventually(lambda: not notebook.manager.is_alive())
    run = notebook.last
    assert run.status == "running"
    assert run.text.endswith("99\nlast\n")
    assert run.points("logged") == {"loss": [(7, 0.5)]}
    assert request == run.cell["key"]
    assert signal.SIGKILL  # the agent, or the reader, finds that out from the lock


def test_run_and_the_active_run_are_the_cells(notebook):
    answer = notebook.run(
        "%%track mine\nimport kernel_magics as km\n"
        "run.log({'a': 1.0}); km.log({'b': 2.0}); run.config['seed'] = 0\nkm.active_run() is run"
    )
    assert answer.messages[-1][1]["data"]["text/plain"] == "True"
    assert set(notebook.last.points("logged")) == {"a", "b"}
    assert notebook.last.config["seed"] == 0
    assert notebook.run("run.name, run.finished, km.active_run()").messages[-1][1]["data"]["text/plain"] == (
        "('mine', True, None)"
    )


def test_a_variable_run_of_the_users_is_kept_and_said(notebook):
    notebook.run("run = 'mine'")
    answer = notebook.run("%%track\nimport kernel_magics as km\nkm.log({'a': 1})\nprint(run)")
    assert "mine\n" in answer.text
    assert answer.text.count("your own variable `run` is kept") == 1
    assert set(notebook.last.points("logged")) == {"a"}
    notebook.run("del run")
    assert notebook.run("%%track second\nprint(run.name)").text == "second\n"
    assert notebook.run("%%track third\nprint(run.name)").text == "third\n"


def test_init_in_the_cell_joins_its_run(notebook):
    notebook.run(
        "%%track\nimport kernel_magics as km\n"
        "mine = km.init(project='digits', name='joined', config={'lr': 0.1}, tags=['t'])\n"
        "mine.log({'a': 1}); assert mine is run\nkm.init(config={'depth': 3})"
    )
    [run] = notebook.runs
    assert (run.name, run.merged(Kind.CHANGE)["project"]) == ("joined", "digits")
    assert run.merged(Kind.CHANGE)["tags"] == ["t"]
    assert run.config == {"lr": 0.1, "depth": 3}
    assert run.status == "finished"


def test_the_users_finish_leaves_its_word_and_the_cells_end_closes(notebook):
    notebook.run(
        "%%track\nimport kernel_magics as km\nrun.finish('failed')\nprint('after finish')\n"
        "run.log({'late': 1})"
    )
    assert notebook.last.status == "failed"
    assert notebook.last.text == "after finish\n"
    assert notebook.last.points("logged") == {"late": [(0, 1.0)]}


def test_init_after_finish_is_a_run_of_its_own(notebook):
    answer = notebook.run(
        "%%track sweep\nimport kernel_magics as km\n"
        "for lr in (0.1, 0.2, 0.3):\n"
        "    with km.init(name=f'lr={lr}', config={'lr': lr}) as one: one.log({'loss': lr}, step=0)\n"
    )
    assert answer.status == "ok"
    assert answer.text == ""
    assert [run.name for run in notebook.runs] == ["lr=0.1", "lr=0.2", "lr=0.3"]
    assert [run.points("logged")["loss"] for run in notebook.runs] == [[(0, 0.1)], [(0, 0.2)], [(0, 0.3)]]
    assert {run.status for run in notebook.runs} == {"finished"}


def test_settings_the_cell_writes_down_are_its_config(notebook):
    notebook.run(
        "%%track\nlr = 0.1\nlayers = (64, 32)\nopt = {'name': 'sgd', 'm': 0.9}\ntotal = 0\n"
        "for i in range(3):\n    total += i\n!true\nlr_used = lr\n"
    )
    assert notebook.last.config == {"lr": 0.1, "layers": [64, 32], "opt": {"name": "sgd", "m": 0.9}}


def test_what_changed_since_the_last_run_of_the_cell_is_a_fact(notebook):
    metadata = {"cellId": "abc"}
    notebook.run("%%track\nlr = 0.1", metadata)
    notebook.run("%%track\nlr = 0.2", metadata)
    notebook.run("%%track\nother = 1", {"cellId": "def"})
    first, second, other = notebook.runs
    assert "source_changed_from" not in first.facts
    assert "source_changed_from" not in other.facts
    changed = second.facts["source_changed_from"]
    assert changed["run"] == first.id
    assert "-lr = 0.1" in changed["diff"].splitlines()
    assert "+lr = 0.2" in changed["diff"].splitlines()
    assert (second.cell["cell_id"], second.cell["source"]) == ("abc", "%%track\nlr = 0.2")


def test_what_home_said_wins_and_its_switches_count(notebook):
    home = {"notebook": "/home/me/a.ipynb", "cell_id": "home-cell", "git": {"commit": "c0ffee"}}
    capture = {"outputs": False, "packages": False, "inferred_metrics": False}
    notebook.run("%%track\nprint('loss=1.0')", {"trackside": {"home": home, "capture": capture}})
    run = notebook.last
    assert run.facts["notebook"] == "/home/me/a.ipynb"
    assert run.facts["git"] == {"commit": "c0ffee"}
    assert run.cell["cell_id"] == "home-cell"
    assert run.outputs == []
    assert run.points("inferred") == {}
    assert "packages" not in run.facts


def test_a_cell_keeps_off_the_record_what_its_line_says(notebook):
    notebook.run("%%track --no-source --no-outputs --no-inferred\nlr = 0.1\nprint('loss=1.0')\n1/0")
    run = notebook.last
    assert run.cell["source"] == ""
    assert "source" not in run.facts
    assert run.config == {}
    assert run.outputs == [] and run.cell["outputs"] is False, "left out, and not: nothing was shown"
    assert run.points("inferred") == {}
    assert run.status == "failed"


def test_metrics_that_are_printed_are_inferred_and_kept_apart(notebook):
    notebook.run(
        "%%track\nfor e in range(3):\n    run.log({'loss': 9.0}, step=e)\n"
        "    print(f'epoch {e} loss {1 / (e + 1)}')\n"
        "{'accuracy': 0.9}"
    )
    run = notebook.last
    assert run.points("logged") == {"loss": [(0, 9.0), (1, 9.0), (2, 9.0)]}
    assert run.points("inferred")["loss"] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert [value for _, value in run.points("inferred")["accuracy"]] == [0.9]


@pytest.mark.parametrize("word", ["", "; run.finish()"])
def test_a_run_begun_in_an_earlier_cell_goes_on_and_is_active_again_afterwards(notebook, word):
    notebook.run("import kernel_magics as km, os\nmine = km.init(name='by hand')\nkm.log({'x': 1.0})")
    answer = notebook.run(f"%%track cell\nkm.log({{'x': 2.0}}){word}")
    assert "still active" not in answer.text
    assert {run.name: run.status for run in notebook.runs} == {"by hand": "running", "cell": "finished"}
    after = notebook.run("km.log({'x': 3.0})\nprint(km.active_run() is mine, os.environ['TRACKSIDE_RUN'])")
    [by_hand, cell] = notebook.runs
    assert after.text == f"True {by_hand.id}\n"
    assert (by_hand.points("logged"), cell.points("logged")) == (
        {"x": [(0, 1.0), (1, 3.0)]},
        {"x": [(0, 2.0)]},
    )
    notebook.run("km.finish()")
    assert notebook.runs[0].status == "finished"
