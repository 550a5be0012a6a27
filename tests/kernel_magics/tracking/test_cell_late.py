"""Output that comes late, too much output, questions, widgets, subshells: what the record makes of them."""

from __future__ import annotations

import json

from kernel_magics.journal.format import Kind
from tests.waiting import eventually

LIMIT = 32 * 1024 * 1024


def test_what_a_thread_prints_after_its_cell_is_on_its_record(notebook):
    notebook.run(
        "%%track threaded\nimport threading\ngo = threading.Event()\n"
        "def speak():\n    go.wait(30)\n    for i in range(5): print('late', i, flush=True)\n"
        "thread = threading.Thread(target=speak); thread.start()\nprint('cell ends')"
    )
    assert notebook.last.status == "finished"
    notebook.client.kernel_info(reply=True, timeout=10)
    notebook.client.kernel_info()
    notebook.run("%%track other\ngo.set(); thread.join()")
    text = "".join(run.text for run in notebook.runs)
    assert all(f"late {i}\n" in text for i in range(5))
    assert notebook.runs[0].text.startswith("cell ends\n")


def test_a_thread_that_prints_when_only_kernel_info_was_asked_since(notebook, gate):
    notebook.run(
        "%%track\nimport threading\n"
        f"def speak():\n    {gate.wait}\n"
        "    print('very late', flush=True)\n"
        "thread = threading.Thread(target=speak); thread.start()"
    )
    notebook.client.kernel_info(reply=True, timeout=10)
    gate.open()
    assert eventually(lambda: notebook.last.text == "very late\n"), notebook.last.everything


def test_too_much_output_keeps_head_and_tail_and_says_what_is_missing(notebook):
    answer = notebook.run(
        "%%track\nfor i in range(60): print(f'{i:02}' * 500_000)\nprint('the end')\n'the result'"
    )
    run = notebook.last
    assert len(answer.text) > 60_000_000
    kept = sum(len(frame["content"].get("text", "")) for frame in run.of(Kind.OUTPUT))
    assert 0.9 * LIMIT < kept <= LIMIT
    kinds = [kind for kind, _ in run.everything]
    cut = dict(run.everything)["cut"]
    assert cut["limit"] == LIMIT
    assert kept + cut["bytes"] > 60_000_000
    head = "".join(c["text"] for k, c in run.everything[: kinds.index("cut")] if k == "stream")
    tail = "".join(c["text"] for k, c in run.everything[kinds.index("cut") :] if k == "stream")
    assert answer.text.startswith(head)
    assert answer.text.endswith(tail)
    assert kinds[-1] == "execute_result"
    assert {event["name"] for event in run.events} >= {"output-cap", "output-cut"}


def test_an_error_after_too_much_output_is_kept(notebook):
    notebook.run("%%track\nprint('x' * 50_000_000)\n1/0")
    assert notebook.last.error["ename"] == "ZeroDivisionError"
    assert notebook.last.everything[-1][0] == "error"


def test_a_question_is_recorded_and_the_answer_is_not(notebook):
    request = notebook.send("%%track\nimport getpass\nname = input('Your name? ')\ngetpass.getpass('Word: ')")
    notebook.wait(request)  # nobody can answer: the cell fails, and nothing was asked
    assert [kind for kind, _ in notebook.last.everything] == ["error"]

    message = notebook.client.session.msg(
        "execute_request",
        {
            "code": "%%track\nimport getpass\nname = input('Your name? ')\n"
            "w = getpass.getpass('Word: ')\nprint('done')",
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": True,
            "stop_on_error": True,
        },
    )
    notebook.client.shell_channel.send(message)
    for answer in ("Ada-secret", "hunter2-secret"):
        notebook.client.get_stdin_msg(timeout=30)
        notebook.client.input(answer)
    notebook.wait(message["header"]["msg_id"])
    run = notebook.last
    assert [message for message in run.everything if message[0].startswith("input")] == [
        ("input_request", {"prompt": "Your name? ", "password": False}),
        ("input_done", {}),
        ("input_request", {"prompt": "Word: ", "password": True}),
        ("input_done", {}),
    ]
    written = b"".join(journal.read_bytes() for journal in run.path.glob("*.journal"))
    assert b"-secret" not in written


def test_widgets_leave_their_state(notebook):
    notebook.run(
        "%%track\nimport ipywidgets\nslider = ipywidgets.IntSlider(3); display(slider); slider.value = 5\n"
        "out = ipywidgets.Output(); display(out)\nwith out: print('inside')"
    )
    run = notebook.last
    shown = [c["data"] for k, c in run.everything if k == "display_data"]
    slider, out = (data["application/vnd.jupyter.widget-view+json"]["model_id"] for data in shown)
    state = dict(run.everything)["widget_state"]
    assert (state["version_major"], "missing" in state) == (2, False)
    assert state["state"][slider]["state"]["value"] == 5
    assert state["state"][slider]["state"]["layout"].removeprefix("IPY_MODEL_") in state["state"]
    assert state["state"][out]["state"]["outputs"] == [
        {"output_type": "stream", "name": "stdout", "text": "inside\n"}
    ]
    assert f"in:{out}:stream" in [kind for kind, _ in run.everything]


def test_a_widget_that_was_closed_is_said_to_be_missing(notebook):
    notebook.run("%%track\nimport ipywidgets\nb = ipywidgets.Button(); display(b); b.close()")
    state = dict(notebook.last.everything)["widget_state"]
    assert state["state"] == {}
    assert len(state["missing"]) == 1
    assert "closed" in state["reason"]


def test_metrics_of_bars_in_text_and_in_widgets(notebook):
    notebook.run(
        "%%track\nfrom tqdm import tqdm\nfor epoch in range(2):\n"
        "    bar = tqdm(range(4), desc=f'Epoch {epoch + 1}', mininterval=0)\n"
        "    for i in bar: bar.set_postfix(loss=epoch * 4 + i)"
    )
    assert notebook.last.points("inferred")["loss"][-1] == (8, 7.0)
    assert notebook.last.points("inferred")["loss"][0][1] == 0.0
    notebook.run(
        "%%track\nfrom tqdm.notebook import tqdm\nbar = tqdm(range(5), mininterval=0)\n"
        "for i in bar: bar.set_postfix(loss=i)"
    )
    assert notebook.last.points("inferred")["loss"][-1] == (5, 4.0)


def test_a_cell_in_a_subshell_is_tracked_beside_another(notebook):
    reply = notebook.client.kernel_info(reply=True, timeout=10)
    if "kernel subshells" not in reply["content"].get("supported_features", []):
        return
    create = notebook.client.session.msg("create_subshell_request", {})
    notebook.client.control_channel.send(create)
    subshell = notebook.client.get_control_msg(timeout=10)["content"]["subshell_id"]

    notebook.run("import threading\nbeside = threading.Event()")
    first = notebook.send("%%track main\nbeside.wait(60)\nprint('main')")
    content = {"code": "%%track beside\nprint('beside')\nbeside.set()", "silent": False}
    message = notebook.client.session.msg("execute_request", {**content, "store_history": True})
    message["header"]["subshell_id"] = subshell
    notebook.client.shell_channel.send(message)
    replies = {}
    while len(replies) < 2:
        reply = notebook.client.get_shell_msg(timeout=30)
        replies[reply["parent_header"]["msg_id"]] = reply["content"]["status"]
    assert set(replies.values()) == {"ok"}
    assert eventually(
        lambda: (
            {run.name: (run.text, run.status) for run in notebook.runs}
            == {"main": ("main\n", "finished"), "beside": ("beside\n", "finished")}
        )
    ), [(run.name, run.text, run.status) for run in notebook.runs]
    assert first


def test_a_fault_of_ours_is_told_once_and_the_cell_goes_on(notebook):
    answer = notebook.run(
        "%%track\nfrom kernel_magics.tracking.recorder import Run\n"
        "def broken(*args, **more): raise OSError('the disk is made of cheese')\n"
        "Run.record_output, kept = broken, Run.record_output\n"
        "for i in range(3): display(i)\nRun.record_output = kept\nprint('done')"
    )
    assert answer.status == "ok"
    assert [content["data"]["text/plain"] for kind, content in answer.messages if kind == "display_data"] == [
        "0",
        "1",
        "2",
    ]
    run = notebook.last
    assert run.status == "finished"
    assert run.text == "done\n"
    [event] = [event for event in run.events if event["name"] == "tracking-trouble"]
    assert "made of cheese" in event["detail"]


def test_outputs_are_json_as_it_was_sent(notebook):
    notebook.run("%%track\nprint('\\u2028 \\x00 \"')\nfloat('nan')")
    raw = [frame["content"] for frame in notebook.last.of(Kind.OUTPUT)]
    assert json.loads(json.dumps(raw)) == raw
    assert raw[0]["text"] == '\u2028 \x00 "\n'
