"""``%runs`` and ``%compare`` in a real IPython shell and in a real kernel under nbclient."""

from __future__ import annotations

import html
import re

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbclient import NotebookClient

from kernel_magics.magics import runs as magics


@pytest.fixture
def shell():
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance()
    magics.register(made)
    yield made
    magics.unregister(made)
    InteractiveShell.clear_instance()


def shown(shell, line: str) -> tuple[str, str]:
    """What a line displays as text/plain and text/html."""
    with capture_output() as captured:
        result = shell.run_cell(line)
    assert result.success, captured.stdout
    (output,) = captured.outputs
    return output.data["text/plain"], output.data["text/html"]


def refused(shell, line: str) -> str:
    with capture_output() as captured:
        assert not shell.run_cell(line).success
    return captured.stdout + captured.stderr


def test_runs_lists_newest_first(shell, run_ids):
    text, page = shown(shell, "%runs")
    lines = text.splitlines()
    assert lines[0].split()[:4] == ["run", "id", "project", "status"]
    assert [run_id in line for run_id, line in zip(reversed(run_ids), lines[1:], strict=False)] == [True] * 3
    assert re.findall(r'data-run-id="([^"]+)"', page) == list(reversed(run_ids))


def test_runs_says_what_it_does_not_show(shell, run_ids):
    text, _page = shown(shell, "%runs digits --limit 2")
    assert "2 of 3 runs in project 'digits'; %runs --all lists them all." in text
    assert run_ids[0] not in text
    assert run_ids[0] in shown(shell, "%runs --limit 1 --all")[0]
    said = shown(shell, "%runs nope")[0]
    assert "There are no runs in project 'nope' yet." in said
    assert "Projects that have some: digits." in said


def test_compare_shows_the_group_it_chose_in_a_frame_of_its_own(shell, run_ids):
    text, page = shown(shell, "%compare")
    assert text.startswith("The last 3 of 3 runs of project 'digits', group 'lr'.")
    assert page.startswith('<iframe sandbox="allow-scripts allow-downloads" srcdoc="')
    inside = html.unescape(re.search(r'srcdoc="([^"]*)"', page).group(1))
    assert inside.startswith("<!DOCTYPE html>") and "Bokeh" in inside
    assert inside.count('class="chart"') == 2 and "cdn.bokeh.org/bokeh" not in re.sub(
        r"<script.*?</script>", "", inside, flags=re.S
    )


def test_compare_takes_names_ids_and_parts_in_the_order_given(shell, run_ids):
    text, _page = shown(shell, f"%compare lr-1.0 {run_ids[1][-6:]} --x relative")
    heads = next(line for line in text.splitlines() if "lr-" in line).split()
    assert heads == ["lr-1.0", "lr-0.1"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%compare nobody", "There is no run 'nobody'.\nTry: %runs --all"),
        ("%compare --project nope", "There are no runs in project 'nope'. Projects: digits."),
        ("%compare --last 1 --styles 3,4", "--styles has a number from 0 to 23 for each of the runs"),
        ("%compare --last 2 --styles 3,24", "--styles has a number"),
        ("%compare --last 2 --styles 3,,4", "--styles has a number"),
        ("%compare --last 0", "--last is a number from 1 to 100"),
        ("%compare --x epoch", "none of these runs has 'epoch'"),
        ("%runs --limit 0", "--limit is at least 1"),
        ("%runs --nonsense", "unrecognized arguments"),
    ],
)
def test_a_mistake_is_answered_with_a_sentence_and_no_traceback(line, says, shell, run_ids):
    said = refused(shell, line)
    assert says in said and "Traceback" not in said and "File " not in said


def test_registering_twice_is_registering_once_and_unregistering_takes_it_back(shell):
    magics.register(shell)
    magics.unregister(shell)
    assert "not found" in refused(shell, "%runs")
    magics.unregister(shell)


def test_both_work_in_a_notebook_without_a_front_end(run_ids, tmp_path):
    setup = "from kernel_magics.magics import runs; runs.register(get_ipython())"
    cells = [nbformat.v4.new_code_cell(source) for source in (setup, "%runs", "%compare --last 2")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    (listing,), (comparison,) = notebook.cells[1].outputs, notebook.cells[2].outputs
    assert run_ids[2] in listing.data["text/plain"]
    assert comparison.data["text/plain"].startswith("The last 2 of 3 runs of project 'digits'.")
    assert "<iframe" in comparison.data["text/html"]
    nbformat.validate(notebook)


def test_compare_saves_instead_of_showing(shell, run_ids, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with capture_output() as captured:
        assert shell.run_cell("%compare --group-by config.lr --smoothing 0.5 --save out.html").success
    assert captured.stdout.strip() == "out.html" and captured.outputs == []
    assert "lr = 0.1" in (tmp_path / "out.html").read_text()
    assert "not as 'out.txt'" in refused(shell, "%compare --save out.txt")
    assert "grouped by" in refused(shell, "%compare --group-by lr")
    assert "none of these runs has 'weather'" in refused(shell, "%compare --x weather")


def test_runs_takes_a_filter_as_it_is_typed(shell, run_ids):
    with_quotes, _page = shown(
        shell, '%runs digits --where loss.last < 1e9 and "digits=" in notes or project = digits'
    )
    assert all(run_id in with_quotes for run_id in run_ids)
    none, _page = shown(shell, "%runs --where started > -1h and config.nobody = 3")
    assert none == "No run is meant by this filter. No run has config.nobody."
    quoted, _page = shown(shell, "%runs --where 'status = finished'")
    assert quoted.endswith(" What is in quotes is looked for as it stands; a filter has none around it.")
    wrong = refused(shell, "%runs --where status = finnished")
    assert "there is no status `finnished`" in wrong and "Try: status = finished" in wrong
    assert "Traceback" not in wrong
