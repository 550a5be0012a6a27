"""A tracked cell that went well says so in one line, which is none of its outputs."""

from __future__ import annotations

import pytest

from tests.kernel_magics.tracking.conftest import Notebook


def test_one_line_names_the_run_and_how_to_see_it(shared_notebook: Notebook) -> None:
    answer = shared_notebook.run("%%track lr-sweep\nprint('x')\n1")
    assert shared_notebook.notes(answer.request) == [
        "Recorded as run 'lr-sweep'. To see it: %compare lr-sweep, or the Trackside panel."
    ]
    run = shared_notebook.last
    assert run.outputs == answer.outputs and "Recorded" not in str(run.everything)


def test_a_name_that_needs_quotes_is_meant_by_its_id(shared_notebook: Notebook) -> None:
    answer = shared_notebook.run('%%track "a <b> c"\npass')
    assert f"%compare {shared_notebook.last.id}," in shared_notebook.notes(answer.request)[0]
    (data,) = [
        content["data"]["text/html"]
        for kind, content in shared_notebook.of(answer.request)
        if kind == "display_data"
    ]
    assert "<b>a &lt;b&gt; c</b>" in data


def test_a_very_long_name_is_shown_in_short(shared_notebook: Notebook) -> None:
    answer = shared_notebook.run(f"%%track {'x' * 200}\npass")
    (note,) = shared_notebook.notes(answer.request)
    assert note.startswith(f"Recorded as run '{'x' * 59}…'. To see it: %compare {shared_notebook.last.id},")


@pytest.mark.parametrize(
    "code",
    ["%%track --no-note\nprint('x')", "%%track failed\n1 / 0", "print('untracked')"],
)
def test_there_is_none_where_nobody_wants_it(shared_notebook: Notebook, code: str) -> None:
    assert shared_notebook.notes(shared_notebook.run(code).request) == []


def test_the_configuration_turns_it_off(notebook: Notebook) -> None:
    (notebook.home / "trackside.toml").write_text("[capture]\nnote = false\n")
    assert notebook.notes(notebook.run("%%track quiet\npass").request) == []


def test_a_cell_inside_a_tracked_cell_says_nothing_of_its_own(shared_notebook: Notebook) -> None:
    code = "%%track around\nget_ipython().run_cell('%%track within\\nprint(1)')"
    assert len(shared_notebook.notes(shared_notebook.run(code).request)) == 1
