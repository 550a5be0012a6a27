"""Three runs that a notebook could have made, with names and outputs that want to do harm."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import numpy as np
import pytest

import kernel_magics as km
from kernel_magics.store import Store, open_store

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
        "0000000d49444154789c6360f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
    )
).decode()


def content(**message: object) -> bytes:
    return json.dumps(message).encode()


@pytest.fixture
def run_ids() -> list[str]:
    random = np.random.default_rng(0)
    made = []
    for number, rate in enumerate((0.01, 0.1, 1.0)):
        name = f"lr-{rate}" if number else HOSTILE
        config = {"lr": rate, "optimizer": {"name": "sgd", "momentum": 0.9}, "seed": 0, HOSTILE: HOSTILE}
        run = km.init(project="digits", name=name, config=config, group="lr")
        values = 2.0 * np.exp(-np.arange(5000) / 5000 * rate) + random.normal(size=5000) * 0.01
        values[2500] = 50.0
        values[100:200] = np.nan
        for step, value in enumerate(values.tolist()):
            run.log({"train/loss": value}, step=step)
        for epoch in range(3):
            run.log({"val/acc": 0.5 + rate / 10 + epoch / 10}, step=epoch * 1000)
        run.record_cell(
            {"key": "c", "cell_id": "a", "execution_count": number, "source": HOSTILE, "started": 1.0}
        )
        run.record_output("c", "stream", content(name="stdout", text=f"\x1b[31mred\x1b[0m {HOSTILE}\rlast\n"))
        bundle = {"image/png": PIXEL, "text/plain": HOSTILE}
        run.record_output("c", "display_data", content(data=bundle, metadata={}, transient={}))
        bundle = {"text/html": f"<b id=bold>bold</b>{HOSTILE}", "text/plain": "t"}
        run.record_output("c", "display_data", content(data=bundle, metadata={}, transient={}))
        bundle = {
            "image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'>{HOSTILE}</svg>"
        }
        run.record_output("c", "display_data", content(data=bundle, metadata={}, transient={}))
        run.record_output("c", "error", content(ename="E", evalue=HOSTILE, traceback=[HOSTILE]))
        run.finish()
        made.append(run.id)
    return made


@pytest.fixture
def store(run_ids: list[str]) -> Iterator[Store]:
    with open_store() as opened:
        yield opened
