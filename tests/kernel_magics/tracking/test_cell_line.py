"""The %%track line is found, parsed, and becomes a comment; the source says its settings."""

from __future__ import annotations

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from kernel_magics.errors import UsageMistake
from kernel_magics.tracking.cell_line import TrackOptions, comment_out, find_track_line, parse_options
from kernel_magics.tracking.cell_source import SourceMemory, literal_config


@pytest.fixture
def manager():
    one = TransformerManager()
    one.cleanup_transforms.append(comment_out)
    return one


@pytest.mark.parametrize(
    ("cell", "python"),
    [
        ("%%track\nx = 1\n", "# %%track\nx = 1\n"),
        ("%%track name --tag a\n\nx = 1\n", "# %%track name --tag a\n\nx = 1\n"),
        ("# a comment\n%%track\nx = 1\n", "# a comment\n# %%track\nx = 1\n"),
        ("%%track\n# only a comment\n", "# %%track\n# only a comment\n"),
        ("%%tracked\nx = 1\n", "get_ipython().run_cell_magic('tracked', '', 'x = 1\\n')\n"),
        ("%%track\n%%time\nx = 1\n", "get_ipython().run_cell_magic('time', '', 'x = 1\\n')\n"),
        ("x = '''\n%%track\n'''\n", "x = '''\n%%track\n'''\n"),
        ("%%track\n!ls\n", "# %%track\nget_ipython().system('ls')\n"),
        ("%%track\n", "get_ipython().run_cell_magic('track', '', '')\n"),
    ],
)
def test_the_line_becomes_a_comment_and_lines_keep_their_numbers(manager, cell, python):
    assert manager.transform_cell(cell) == python
    assert manager.transform_cell(python) == python


@pytest.mark.parametrize(
    ("typed", "state"),
    [
        ("%%track x", "incomplete"),
        ("%%track x\ny = 1", "incomplete"),
        ("%%track x\ny = 1\n\n", "complete"),
        ("y = 1", "complete"),
    ],
)
def test_a_terminal_waits_for_the_body(manager, typed, state):
    assert manager.check_complete(typed)[0] == state


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("%%track\n1", ""),
        ("%%track  a --tag b \n1", "a --tag b"),
        ("%%time\n%%track a\n1", "a"),
        ("# c\n\n%%track a\n1", "a"),
        ("%%track a\n%%bash\nls", "a"),
        ("%%track a", None),
        ("%%track a\n  \n", None),
        ("%%writefile x.py\n%%track a\n1", None),
        ("%%bash\n%%track a\n1", None),
        ("%%!\n%%track a\n1", None),
        ("x = 1\n%%track a\n1", None),
        ("", None),
    ],
)
def test_the_line_is_found_where_ipython_would_see_it(cell, found):
    assert find_track_line(cell) == found


def test_options():
    text = "'my run' --project=p --group g --tag a --tag b --tag a --no-diff --no-inferred"
    assert parse_options(text) == TrackOptions(
        "my run", "p", ("a", "b"), "g", frozenset({"diff", "inferred_metrics"})
    )
    assert parse_options("") == TrackOptions()
    assert parse_options("lr=0.1").name == "lr=0.1"


def test_a_name_of_several_words_gets_a_remedy_to_type():
    with pytest.raises(UsageMistake) as caught:
        parse_options("two words")
    assert parse_options(caught.value.remedy.removeprefix("%%track ")).name == "two words"


@pytest.mark.parametrize(
    ("source", "config"),
    [
        ("lr = 0.1", {"lr": 0.1}),
        ("lr: float = 1e-3", {"lr": 1e-3}),
        ("a = b = 3", {"a": 3, "b": 3}),
        ("a, (b, c) = 1, (2, 'x')", {"a": 1, "b": 2, "c": "x"}),
        ("n = -5; flag = True; none = None", {"n": -5, "flag": True, "none": None}),
        ("sizes = [64, (32, 16)]; opt = {'name': 'sgd', 'nested': {'m': 0.9}}", None),
        ("losses = []; cache = {}", {}),
        ("lr = 0.1\nlr = 0.2", {}),
        ("total = 0\nfor i in range(3): total += i", {}),
        ("i = 0\nfor i in range(3): pass", {}),
        ("best = 9.0\nif True: best = 1.0", {}),
        ("best = 9.0\ndef f():\n    global best\n    best = 1.0", {}),
        ("lr = 0.1\ndef f(lr=1):\n    lr = 2\n    return [lr for lr in range(3)]", {"lr": 0.1}),
        ("n = 3\nprint(n := 4)", {}),
        ("n = 3\n[n := k for k in range(3)]", {}),
        ("f = 1\ndef f(): pass", {}),
        ("f = 1\nwith open('x') as f: pass", {}),
        ("_hidden = 1; data = {1, 2}; raw = b'x'; by_number = {1: 2}; c = 1j", {}),
        ("model = Net(3)\nx = y\nz = 2 ** 3", {}),
        ("text = " + repr("x" * 5000), {}),
        ("*a, b = 1, 2", {"b": 2}),
        ("for epoch in range(3):\n    lr = 0.1", {}),
        ("not python (", {}),
        ("", {}),
    ],
)
def test_literal_settings(source, config):
    if config is None:
        config = {"sizes": [64, [32, 16]], "opt": {"name": "sgd", "nested": {"m": 0.9}}}
    assert literal_config(source) == config


def test_the_source_before_is_remembered_per_cell():
    memory = SourceMemory()
    assert memory.changed_from("one", "run-1", "a\nb") is None
    assert memory.changed_from("two", "run-2", "c") is None
    assert memory.changed_from("one", "run-3", "a\nb") == {"run": "run-1", "diff": ""}
    changed = memory.changed_from("one", "run-4", "a\nB")
    assert changed["run"] == "run-3"
    assert changed["diff"].splitlines()[-2:] == ["-b", "+B"]
