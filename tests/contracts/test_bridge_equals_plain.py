# ruff: noqa: E501 - the table has a cell a line
"""A cell through the bridge and the same cell in a plain kernel: the same messages.

Each cell of the table runs in both; type and content of every message are compared, adjacent text of
one stream joined. What differs by nature (process ids, random ids, clocks) is blotted out on both
sides. The differences that remain are listed in ``docs/bridge-differences.md``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.kernel_magics.bridge.conftest import own_environment
from tests.kernel_magics.bridge.notebook_driver import Cell, Notebook, merged, no_orphans, release_all


@dataclass(frozen=True)
class Case:
    """One cell of the table; ``before`` are cells that prepare it."""

    name: str
    code: str
    before: Sequence[str] = ()
    answers: Sequence[str] = ()
    more: dict[str, Any] | None = None


TABLE = [
    Case("nothing", ""),
    Case("pass", "pass"),
    Case("result", "40 + 2"),
    Case("comment", "# nothing"),
    Case("two results", "from IPython.core.interactiveshell import InteractiveShell as S\n1\n2"),
    Case("print", "print('a'); print('b', flush=True); print('c')"),
    Case("both streams", "import sys\nprint('o', flush=True); print('e', file=sys.stderr, flush=True); print('o')"),
    Case("unicode", "print('naïve ☃ 🚆'); '☃'"),
    Case("carriage returns", "import sys\nfor n in range(5): print(f'\\r{n}', end='', flush=True)"),
    Case("os.write", "import os; os.write(1, b'raw'); None"),
    Case("subprocess", "!echo from a shell"),
    Case("bash", "%%bash\necho cell; echo wrong >&2"),
    Case("error", "1 / 0"),
    Case("error in a function", "def f(x):\n    return x['missing']\nf({})"),
    Case("chained error", "try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise ValueError('no') from e"),
    Case("syntax error", "for x in"),
    Case("indentation error", "if True:\nx = 1"),
    Case("unknown name", "never_defined_anywhere"),
    Case("unknown magic", "%never_defined"),
    Case("SystemExit", "import sys; sys.exit(3)"),
    Case("KeyboardInterrupt", "raise KeyboardInterrupt('by hand')"),
    Case("html", "from IPython.display import HTML, display; display(HTML('<b>x</b>'))"),
    Case("metadata", "from IPython.display import display; display({'a/b': 1}, metadata={'a/b': {'c': 2}}, raw=True)"),
    Case("display id", "from IPython.display import display\nh = display('one', display_id='shown'); h.update('two')"),
    Case("update of an earlier cell", "h2.update('later')", ["from IPython.display import display\nh2 = display('first', display_id='early')"]),
    Case("clear_output", "from IPython.display import clear_output\nprint(1); clear_output(wait=True); print(2)"),
    Case("clear_output at once", "from IPython.display import clear_output\nprint(1); clear_output(); print(2)"),
    Case("NaN in a message", "from IPython.display import publish_display_data as p\np({'application/json': {'a': [1.5, None, True]}})"),
    Case("large text", "print('x' * 3_000_000)"),
    Case("matplotlib", "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.figure(figsize=(1, 1)); plt.plot([1, 2]); plt.show()"),
    Case("figure as result", "plt.figure(figsize=(1, 1)); plt.plot([2, 1])", ["%matplotlib inline\nimport matplotlib.pyplot as plt"]),
    Case("input", "print('hello', input('name? '))", answers=["Ada"]),
    Case("input without a front-end for it", "input('name? ')", more={"allow_stdin": False}),
    Case("getpass", "import getpass; print(len(getpass.getpass('secret: ')))", answers=["12345"]),
    Case("end of input", "try:\n    input()\nexcept EOFError as e:\n    print(repr(e))", answers=["\x04"]),
    Case("top-level await", "import asyncio\nawait asyncio.sleep(0); print('awaited'); await asyncio.sleep(0, 5)"),
    Case("await that fails", "import asyncio\nasync def f(): raise ValueError('later')\nawait f()"),
    Case("timeit", "%timeit -n1 -r1 pass"),
    Case("%%time", "%%time\nprint('timed')"),
    Case("%%capture", "%%capture out\nprint('hidden')"),
    Case("captured", "out.show()", ["%%capture out\nprint('hidden')"]),
    Case("help", "len?"),
    Case("help of an own function", "f_with_doc?", ["def f_with_doc():\n    'what it does'"]),
    Case("source", "f_source??", ["def f_source():\n    return 5"]),
    Case("set_next_input", "get_ipython().set_next_input('x = 1', replace=True)"),
    Case("page", "from IPython.core import page; page.page('much text')"),
    Case("user expressions", "n = 5", more={"user_expressions": {"n": "n + 1", "bad": "1/0"}}),
    Case("silent", "print('said silently')", more={"silent": True, "store_history": False}),
    Case("no history", "6 * 7", more={"store_history": False}),
    Case("thread", "import threading\nt = threading.Thread(target=lambda: print('threaded')); t.start(); t.join()"),
    Case("fork", "import os\npid = os.fork()\nif not pid:\n    os._exit(0)\nos.waitpid(pid, 0)[1]"),
    Case("multiprocessing", "import multiprocessing as m\np = m.get_context('fork').Process(target=print, args=('child',)); p.start(); p.join()"),
    Case("warnings", "import warnings; warnings.warn('careful')"),
    Case("logging", "import logging; logging.warning('logged')"),
    Case("last results", "print(_, _1 if '_1' in dir() else '')", ["11 * 11"]),
    Case("semicolon", "5;"),
    Case("long repr", "list(range(2000))"),
    Case("widget", "import ipywidgets as w; w.IntSlider(value=3)"),
    Case("widget changes", "s2.value = 8; s2.value", ["import ipywidgets as w; s2 = w.IntSlider(value=3)"]),
    Case("output widget", "with o3: print('inside')", ["import ipywidgets as w; o3 = w.Output()"]),
    Case("tqdm.notebook", "from tqdm.notebook import tqdm\nfor _ in tqdm(range(3), mininterval=0, miniters=1, bar_format='{l_bar}{bar}{n}/{total}'): pass"),
    Case("comm with buffers", "from comm import create_comm\ncreate_comm('t', data={'a': 1}, buffers=[b'x' * 100]).send({'b': 2}, buffers=[b'y'])"),
    Case("many displays", "from IPython.display import publish_display_data as p\nfor n in range(300): p({'text/plain': str(n)})"),
    Case("widget of a local name", "gpu_names = ['%gpu_status']; gpu_names"),
]  # fmt: skip

_IDS = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{24}_\d+_\d+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}"
)
_BLOTS = [
    (re.compile(r"/tmp/ipykernel_\d+/\d+\.py"), "<cell>"),
    (re.compile(r"\b0x[0-9a-f]+\b"), "<address>"),
    (re.compile(r"[\d.]+ (?:ns|µs|μs|us|ms|s)\b"), "<time>"),
]


@dataclass
class Pair:
    """The same user's notebook twice: plain, and bridged to another kernel."""

    plain: Notebook
    bridged: Notebook

    def run(self, case: Case) -> tuple[Cell, Cell]:
        return tuple(self._run(notebook, case) for notebook in (self.plain, self.bridged))  # type: ignore[return-value]

    def _run(self, notebook: Notebook, case: Case) -> Cell:
        for code in case.before:
            notebook.must(code)
        return notebook.run(case.code, case.answers, timeout=90, **(case.more or {}))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both notebooks have run the same number of cells; only one of them says ``%gpu_provision``."""
    root = tmp_path_factory.mktemp("pair")
    environ = own_environment(root)
    with no_orphans(str(root)):
        notebooks = [Notebook(environ, root / "work") for _ in range(2)]
        try:
            for notebook, second in zip(notebooks, ("pass", "%gpu_provision cpu"), strict=True):
                notebook.must("%load_ext kernel_magics" if second != "pass" else "pass")
                notebook.must(second, timeout=120)
            yield Pair(*notebooks)
        finally:
            for notebook in notebooks:
                notebook.close()
            release_all(environ)


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_a_cell_says_the_same(pair: Pair, case: Case) -> None:
    plain, bridged = pair.run(case)
    assert seen(bridged) == seen(plain)
    assert answered(bridged) == answered(plain)
    assert bridged.states == plain.states == ["busy", "idle"]
    assert bridged.prompts == plain.prompts


def test_a_slider_moved_in_the_browser_answers_alike(pair: Pair) -> None:
    """ipywidgets from the front-end to the kernel: state, callback, what the callback prints, the echo."""
    seen_by = []
    for notebook in (pair.plain, pair.bridged):
        made = notebook.must(
            "import ipywidgets as w\nslider, moved = w.IntSlider(), []\n"
            "def on_move(change): moved.append(change['new']); print('moved to', change['new'])\n"
            "slider.observe(on_move, 'value')"
        )
        (comm_id,) = (
            message["content"]["comm_id"]
            for message in made.of_type("comm_open")
            if message["content"]["data"]["state"]["_model_name"] == "IntSliderModel"
        )
        data = {"method": "update", "state": {"value": 7}, "buffer_paths": []}
        msg_id = notebook.send("comm_msg", {"comm_id": comm_id, "data": data})
        moved = notebook.cells[msg_id] = Cell(msg_id)
        notebook.pump(lambda moved=moved: "idle" in moved.states)
        seen_by.append((seen(moved), moved.states, notebook.must("slider.value, moved").result))
    assert seen_by[0] == seen_by[1]
    assert seen_by[1][2] == "(7, [7])"


def test_both_count_alike(pair: Pair) -> None:
    """After the whole table."""
    plain, bridged = (notebook.must("'end'").count for notebook in (pair.plain, pair.bridged))
    assert bridged == plain


@pytest.mark.parametrize(
    ("msg_type", "content"),
    [
        ("complete_request", {"code": "import o", "cursor_pos": 8}),
        ("complete_request", {"code": "completed_name.im", "cursor_pos": 17}),
        ("complete_request", {"code": "%tim", "cursor_pos": 4}),
        ("inspect_request", {"code": "len", "cursor_pos": 3, "detail_level": 0}),
        ("inspect_request", {"code": "nowhere", "cursor_pos": 3, "detail_level": 0}),
        ("is_complete_request", {"code": "for x in y:"}),
        ("is_complete_request", {"code": "1 +"}),
        ("is_complete_request", {"code": "x = 1"}),
        ("history_request", {"hist_access_type": "range", "session": 0, "start": 1, "stop": 3, "raw": True, "output": False}),
        ("comm_info_request", {"target_name": "nobody.has.this"}),
        ("kernel_info_request", {}),
    ],
)  # fmt: skip
def test_a_question_gets_the_same_answer(pair: Pair, msg_type: str, content: dict[str, Any]) -> None:
    for notebook in (pair.plain, pair.bridged):
        notebook.must("completed_name = 5")
    plain, bridged = (notebook.ask(msg_type, content) for notebook in (pair.plain, pair.bridged))
    if msg_type == "history_request":
        assert len(bridged["history"]) == len(plain["history"])
        return
    plain.pop("banner", None), bridged.pop("banner", None)  # a random tip
    assert blotted(bridged) == blotted(plain)


@pytest.mark.parametrize("codes", [("1/0", "x = 1", "print(x)"), ("x = 1", "import sys; sys.exit()", "x")])
def test_run_all_stops_alike(pair: Pair, codes: tuple[str, ...]) -> None:
    outcomes = []
    for notebook in (pair.plain, pair.bridged):
        cells = [notebook.execute(code) for code in codes]
        notebook.pump(lambda cells=cells: all(cell.done for cell in cells))
        outcomes.append([(cell.status, seen(cell)) for cell in cells])
    assert outcomes[0] == outcomes[1]


def test_ten_thousand_displays_come_in_order(pair: Pair) -> None:
    code = (
        "from IPython.display import publish_display_data as show\n"
        "for number in range(10_000): show({'text/plain': str(number)})"
    )
    cell = pair.bridged.run(code, timeout=120)
    assert [message["content"]["data"]["text/plain"] for message in cell.of_type("display_data")] == [
        str(number) for number in range(10_000)
    ]


def test_a_hundred_megabytes_arrive(pair: Pair) -> None:
    cell = pair.bridged.run("print('0123456789' * 10_000_000)", timeout=150)
    text = cell.text()
    assert len(text) == 100_000_001
    assert text == "0123456789" * 10_000_000 + "\n"


def seen(cell: Cell) -> Any:
    """What a front-end was shown, comparable."""
    buffers = [
        [bytes(buffer) for buffer in message["buffers"]] for message in cell.outputs if message["buffers"]
    ]
    return blotted(merged(cell.outputs)), buffers


def answered(cell: Cell) -> Any:
    content = {key: value for key, value in cell.reply["content"].items() if key != "engine_info"}
    metadata = {
        key: value for key, value in cell.reply["metadata"].items() if key not in ("started", "engine")
    }
    return blotted([cell.reply["msg_type"], content, metadata])


def blotted(content: Any) -> Any:
    """The same without what is different in any two kernels; a random id becomes its order of appearance."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    ids: dict[str, str] = {}
    text = _IDS.sub(lambda found: ids.setdefault(found.group(), f"<id {len(ids)}>"), text)
    for pattern, blot in _BLOTS:
        text = pattern.sub(blot, text)
    return json.loads(text)


def test_the_differences_are_documented() -> None:
    page = Path(__file__).parents[2] / "docs" / "bridge-differences.md"
    assert "| what | plain kernel | through the bridge |" in page.read_text(encoding="utf-8")
