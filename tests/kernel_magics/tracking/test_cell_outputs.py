"""What a tracked cell's record holds is what a front-end received, for every kind of cell."""

from __future__ import annotations

import pytest

from tests.waiting import eventually

CELLS = {
    "print": "print('one'); print('two')",
    "no newline": "print('…', end='')",
    "stderr": "import sys; print('out'); print('err', file=sys.stderr)",
    "streams in turn": """
import sys
for i in range(3):
    print(i, flush=True)
    print(i, file=sys.stderr, flush=True)
""",
    "unicode": "print('naïve 日本 🚂\\x07\\x1b[31mred\\x1b[0m')",
    "result": "6 * 7",
    "no result": "None",
    "several results": "1; 'two'",
    "html and metadata": """
from IPython.display import display
display({'text/html': '<b>x</b>', 'text/plain': 'x'}, raw=True, metadata={'text/html': {'isolated': True}})
""",
    "json": "from IPython.display import JSON, display; display(JSON({'a': [1, None, 2.5]}))",
    "image": "from IPython.display import Image; Image(data=b'\\x89PNG\\r\\n\\x1a\\n"
    "' + b'0' * 4000, format='png')",
    "display update": """
from IPython.display import display
handle = display('first', display_id='one')
handle.update('second'); print('between'); handle.update('third')
""",
    "clear_output": "from IPython.display import clear_output\nprint('a'); clear_output(); print('b')",
    "clear_output wait": """
from IPython.display import clear_output
for i in range(5):
    clear_output(wait=True); print(i)
""",
    "error": "def f(x):\n    return 1 / x\nprint('before')\nf(0)",
    "chained error": """
try:
    {}['key']
except KeyError as error:
    raise ValueError('bad “value”') from error
""",
    "syntax error": "x = = 1",
    "sys.exit": "import sys; print('bye'); sys.exit(3)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "failing repr": "class Bad:\n    def __repr__(self): raise RuntimeError('no repr')\nBad()",
    "await": "import asyncio; await asyncio.sleep(0.01); print('awaited')\nawait asyncio.sleep(0, 'value')",
    "tasks": """
import asyncio
async def speak(n):
    await asyncio.sleep(0.01 * n); print('task', n, flush=True)
await asyncio.gather(*(speak(n) for n in range(3)));
""",
    "thread": """
import threading
t = threading.Thread(target=lambda: print('from a thread')); t.start(); t.join()
""",
    "display in a thread": """
import threading
from IPython.display import display
t = threading.Thread(target=lambda: display('shown by a thread')); t.start(); t.join()
""",
    "fork": """
import os, sys
pid = os.fork()
if pid == 0:
    print('child'); sys.stdout.flush(); os._exit(0)
os.waitpid(pid, 0); print('parent')
""",
    "multiprocessing": """
import multiprocessing
with multiprocessing.get_context('fork').Pool(2) as pool:
    print(pool.map(abs, [-1, -2]))
""",
    "subprocess": "import subprocess; subprocess.run(['echo', 'from a child process']); print('then')",
    "os.write": "import os; os.write(1, b'raw bytes\\n');",
    "shell line": "!echo hello from the shell",
    "logging": "import logging; logging.warning('careful')",
    "warnings": "import warnings; warnings.warn('careful')",
    "%%time below": "%%time\nprint('timed')",
    "%%bash below": "%%bash\necho from bash",
    "%%capture below": "%%capture kept\nprint('kept back')",
    "line magic": "%timeit -n1 -r1 pass",
    "%run": "%run script.py",
    "nested run_cell": "get_ipython().run_cell('print(1)\\n1/0')\n"
    "get_ipython().run_cell('2')\nprint('after')",
    "help": "print?",
    "20,000 prints": "for i in range(20_000): print(i)",
    "one big print": "print('x' * 3_000_000)",
    "carriage returns": "for i in range(50): print(f'\\r{i}%', end='')",
    "a generator's rest": "(n for n in range(3)) and list(map(print, range(3)))",
}

WITH_LIBRARY = {
    (
        "matplotlib",
        "figure",
    ): "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 3, 2]); plt.show()",
    ("tqdm", "tqdm"): "from tqdm import tqdm\nfor i in tqdm(range(50), mininterval=0): pass",
    (
        "ipywidgets",
        "tqdm.notebook",
    ): "from tqdm.notebook import tqdm\nfor i in tqdm(range(20), mininterval=0): pass",
    ("ipywidgets", "widget"): "import ipywidgets; s = ipywidgets.IntSlider(3); display(s); s.value = 5",
    ("ipywidgets", "output widget"): """
import ipywidgets
out = ipywidgets.Output(); display(out); print('outside')
with out:
    print('inside'); display('shown inside')
print('outside again')
""",
    ("ipywidgets", "closed widget"): "import ipywidgets; b = ipywidgets.Button(); display(b); b.close()",
}


def _same(notebook, code, line="%%track"):
    (notebook.home / "script.py").write_text("print('a script'); __import__('sys').stdout.flush()")
    before = {run.id for run in notebook.runs}
    answer = notebook.run(f"{line}\n{code}")
    run = next(run for run in notebook.runs if run.id not in before)

    def difference():
        notebook.drain()
        recorded = next(one for one in notebook.runs if one.id == run.id).outputs
        received = type(answer)(answer.reply, notebook.shown(answer.request), answer.request).outputs
        return None if recorded == received else (recorded, received)

    assert eventually(lambda: difference() is None), difference()
    return answer, run


@pytest.mark.parametrize("kind", CELLS)
def test_the_record_holds_what_a_front_end_received(shared_notebook, kind):
    answer, run = _same(shared_notebook, CELLS[kind])
    assert run.cell["status"] == run.status
    assert (run.status == "finished") == (answer.status == "ok")
    assert run.cell["execution_count"] == answer.reply["execution_count"]


@pytest.mark.parametrize(("library", "kind"), WITH_LIBRARY)
def test_the_record_holds_what_libraries_show(shared_notebook, library, kind):
    if shared_notebook.run(f"import {library}").status == "error":
        pytest.skip(f"the kernel has no {library}")
    answer, run = _same(shared_notebook, WITH_LIBRARY[library, kind])
    assert (answer.status, run.status) == ("ok", "finished")


def test_time_above_the_line_is_tracked_as_well(shared_notebook):
    answer = shared_notebook.run("%%time\n%%track timed\nprint('inside')")
    assert shared_notebook.last.outputs == answer.outputs
    assert shared_notebook.last.name == "timed"


def test_a_cell_without_the_line_leaves_no_record(shared_notebook):
    before = len(shared_notebook.runs)
    shared_notebook.run("print('not tracked')")
    shared_notebook.run("%%writefile text.txt\n%%track not-a-run\nprint('text')")
    assert len(shared_notebook.runs) == before
