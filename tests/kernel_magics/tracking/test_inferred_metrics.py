"""Metrics nobody logged: what is taken for one in a cell's output, and what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kernel_magics.tracking.inferred import Inference
from kernel_magics.tracking.inferred_line import read_line, read_mapping

LINES = [
    json.loads(line)
    for line in (Path(__file__).parent / "corpus_inferred.jsonl").read_text(encoding="utf-8").splitlines()
]


class Log:
    """Stands for a run: keeps what was inferred, ``{metric: [(step, value)]}``."""

    def __init__(self):
        self.points, self.events = {}, []

    def log_inferred(self, data, step=None):
        for name, value in data.items():
            self.points.setdefault(name, []).append((step, value))

    def record_event(self, name, level="info", detail="", **more):
        self.events.append(name)


def infer(*pieces, stream="stdout"):
    log = Log()
    inference = Inference(log)
    for piece in pieces:
        inference.text(stream, piece)
    inference.close()
    return log.points


@pytest.mark.parametrize("entry", LINES, ids=[entry["line"][:60] for entry in LINES])
def test_a_line_says_what_the_corpus_says(entry):
    reading = read_line(entry["line"])
    values = reading.values if reading else {}
    assert repr(values) == repr(entry["values"])
    if values or "epoch" in entry or "step" in entry:
        assert (reading.epoch and reading.epoch.n) == entry.get("epoch")
        assert (reading.step and reading.step.n) == entry.get("step")


def test_the_corpus_is_large_and_has_lines_that_say_nothing():
    assert len(LINES) >= 260
    assert sum(not entry["values"] for entry in LINES) >= 120


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_lines_may_come_in_pieces_of_any_size(size):
    text = "epoch 1 loss 0.5\r\nepoch 2 loss 0.25\nepoch 3 loss 0.125"
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert infer(*pieces) == {"loss": [(1, 0.5), (2, 0.25), (3, 0.125)]}


def test_streams_do_not_mix():
    log = Log()
    inference = Inference(log)
    inference.text("stdout", "loss=")
    inference.text("stderr", "acc=0.9\n")
    inference.text("stdout", "0.5\n")
    assert log.points == {"acc": [(None, 0.9)], "loss": [(None, 0.5)]}


def test_lines_after_an_epochs_heading_stand_in_that_epoch():
    text = "Epoch 1/2\ntrain loss: 0.5\nval loss: 0.6\nEpoch 2/2\ntrain loss: 0.4\nval loss: 0.5\n"
    assert infer(text) == {"train_loss": [(1, 0.5), (2, 0.4)], "val_loss": [(1, 0.6), (2, 0.5)]}


def test_steps_within_epochs_count_from_the_beginning():
    text = "".join(
        f"Epoch [{epoch}/2], Step [{step}/200], Loss: {epoch + step}\n"
        for epoch in (1, 2)
        for step in (100, 200)
    )
    assert [step for step, _ in infer(text)["Loss"]] == [100, 200, 300, 400]
    from_zero = text.replace("[1/2]", "[0/2]").replace("[2/2]", "[1/2]")
    assert [step for step, _ in infer(from_zero)["Loss"]] == [100, 200, 300, 400]


def test_one_name_keeps_one_kind_of_x():
    text = "step 100 loss 0.5\nstep 200 loss 0.4\nEpoch 1: loss 0.45\n"
    assert infer(text) == {"loss": [(100, 0.5), (200, 0.4)], "loss_epoch": [(1, 0.45)]}


def test_a_bar_is_read_from_its_postfix_and_its_description():
    states = (
        "\r  0%|          | 0/100 [00:00<?, ?it/s]",
        "\rLoss: 0.5:  50%|█████     | 50/100 [00:01<00:01, 49.80it/s, acc=0.9, lr=1e-3]",
        "\rLoss: 0.4: 100%|██████████| 100/100 [00:02<00:00, 49.80it/s, acc=0.95, lr=1e-3]",
        "\rLoss: 0.4: 100%|██████████| 100/100 [00:02<00:00, 49.80it/s, acc=0.95, lr=1e-3]\n",
    )
    assert infer(*states, stream="stderr") == {
        "Loss": [(50, 0.5), (100, 0.4)],
        "acc": [(50, 0.9), (100, 0.95)],
        "lr": [(50, 0.001), (100, 0.001)],
    }


def test_bars_without_a_total_and_in_thousands():
    assert infer("\r45it [00:10, 4.50it/s, loss=0.3]\n") == {"loss": [(45, 0.3)]}
    assert infer("\r 45%|████▌     | 4.5k/10.0k [00:10<00:12, 450it/s, loss=0.3]\n") == {
        "loss": [(None, 0.3)]
    }
    assert infer("\r 45%|████▌     | 45.0M/100M [00:10<00:12, 4.50MB/s]\n") == {}


def test_a_bar_that_starts_again_goes_on_counting():
    text = "".join(
        f"\r{10 * n}%|##| {n}/10 [00:01<00:01, 9.80it/s, loss={9 - n}]" for _ in range(2) for n in (5, 10)
    )
    assert [step for step, _ in infer(text)["loss"]] == [5, 10, 15, 20]


def test_bars_of_epochs_count_through():
    text = "".join(
        f"\rEpoch {epoch}: 50%|##| {n}/10 [00:01<00:01, 9.80it/s, loss={n}]"
        for epoch in (1, 2)
        for n in (5, 10)
    )
    assert [step for step, _ in infer(text)["loss"]] == [5, 10, 15, 20]


KERAS_2 = (
    "Epoch {e}/2\n"
    "\r  1/313 [..............................] - ETA: 1:02 - loss: 2.3 - accuracy: 0.1"
    "\b\b\b\b\r100/313 [========>.....................] - ETA: 0s - loss: 1.3 - accuracy: 0.5"
    "\b\b\b\b\r313/313 [==============================] - 1s 2ms/step - loss: 0.{e} - accuracy: 0.9"
    "\r313/313 [==============================] - 1s 3ms/step - loss: 0.{e} - "
    "accuracy: 0.9 - val_loss: 0.{e}5\n"
)
KERAS_3 = (
    "Epoch {e}/2\n"
    "\r\x1b[1m  1/313\x1b[0m \x1b[37m━━━━━━━━━━━━━━━━━━━━\x1b[0m \x1b[1m1:02\x1b[0m 3ms/step"
    " - accuracy: 0.1 - loss: 2.3"
    "\r\x1b[1m313/313\x1b[0m \x1b[32m━━━━━━━━━━━━━━━━━━━━\x1b[0m\x1b[37m\x1b[0m \x1b[1m1s\x1b[0m 2ms/step"
    " - accuracy: 0.9 - loss: 0.{e} - val_loss: 0.{e}5\n"
)
KERAS_LINES = (
    "Epoch {e}/2\n313/313 - 1s - loss: 0.{e} - accuracy: 0.9 - val_loss: 0.{e}5 - 1s/epoch - 2ms/step\n"
)


@pytest.mark.parametrize("style", [KERAS_2, KERAS_3, KERAS_LINES])
def test_keras_gives_one_point_an_epoch(style):
    found = infer(*(style.format(e=epoch) for epoch in (1, 2)))
    assert found["loss"] == [(1, 0.1), (2, 0.2)]
    assert found["accuracy"] == [(1, 0.9), (2, 0.9)]
    assert found["val_loss"] == [(1, 0.15), (2, 0.25)]
    assert set(found) == {"loss", "accuracy", "val_loss"}


def test_the_repr_of_an_object_over_several_lines_says_nothing():
    text = (
        "Adam (\nParameter Group 0\n    amsgrad: False\n    betas: (0.9, 0.999)\n"
        "    eps: 1e-08\n    lr: 0.001\n"
        "    weight_decay: 0\n)\nNet(\n  (fc): Linear(in_features=784, out_features=10, "
        "bias=True)\n)\nloss: 0.5\n"
    )
    assert infer(text) == {"loss": [(None, 0.5)]}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("{'accuracy': 0.9, 'loss': 0.1}", {"accuracy": 0.9, "loss": 0.1}),
        ("{'test': {'acc': np.float64(0.9)}, 'n': 'x'}", {"test/acc": 0.9}),
        ("{'a': [1, 2], 'b': None, 'c': True}", None),
        ("{0: 0.1, 1: 0.2}", None),
        ("{1, 2}", None),
        ("{}", None),
        ("{'loss': 0.1} and more", None),
    ],
)
def test_a_dict_of_numbers_as_a_result(text, values):
    reading = read_mapping(text)
    assert (reading.values if reading else None) == values


def test_very_long_lines_and_endless_ones_are_passed_over():
    assert infer("loss=0.5 " + "x" * 5000 + "\n") == {}
    assert infer("x" * 1_000_000, "loss=0.5", "\nloss=0.25\n") == {"loss": [(None, 0.25)]}


def test_too_many_names_are_not_all_metrics():
    found = infer("".join(f"value_{n}=1\n" for n in range(1000)))
    assert len(found) == 200


def test_reading_takes_a_small_share_of_the_cells_time():
    now = [0.0]

    def clock():
        now[0] += 0.4  # every look at the clock costs that much: reading is slow here
        return now[0]

    log = Log()
    inference = Inference(log, clock)
    for n in range(20):
        inference.text("stdout", f"loss={n}\n")
    read = len(log.points["loss"])
    assert 0 < read < 20
    assert log.events == ["inference-paused"]
    now[0] += 10_000
    inference.text("stdout", "loss=99\n")
    assert log.points["loss"][-1] == (None, 99)


def test_a_notebook_bars_texts_make_its_line_again():
    def update(comm, value):
        return json.dumps({"comm_id": comm, "data": {"method": "update", "state": {"value": value}}}).encode()

    log = Log()
    inference = Inference(log)
    inference.message("comm_msg", update("l", "Epoch\u20072:\u2007\u200750%"))
    inference.message(
        "comm_msg", update("r", "\u20075/10\u2007[00:01&lt;00:01,\u20074.50it/s,\u2007loss=0.3]")
    )
    inference.message("comm_msg", update("l", "Epoch\u20072:\u2007100%"))
    inference.message(
        "comm_msg", update("r", "\u200710/10\u2007[00:02&lt;00:00,\u20074.50it/s,\u2007loss=0.2]")
    )
    inference.message("comm_msg", update("slider", 3))
    assert log.points == {"loss": [(15, 0.3), (20, 0.2)]}
